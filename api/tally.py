"""What is counted for Prometheus, in memory that all processes of one API share: exact at every scrape, and cheap.

A row is a series: a number, or a histogram's sum and the count of each of its buckets. A process writes only rows of
its own, and reads all. What a process counted stays when another takes its place.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from api import shared

ROWS, COLUMNS = 16_384, 16
"""More rows than routes, statuses and labelled versions can make."""
MOST_KEY = 256
"""Bytes of a family's name with the values of its labels."""


@dataclass(frozen=True)
class Family:
    """A metric: ``bounds`` are those of a histogram's buckets; a gauge is what is at work now."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] | None = None
    gauge: bool = False


class Number:
    """A series that is one number."""

    def __init__(self, cells: "memoryview[float]", place: int, lock: threading.Lock) -> None:
        self._cells, self._place, self._lock = cells, place, lock

    def add(self, amount: float = 1) -> None:
        """Count; a gauge may fall too."""
        with self._lock:
            self._cells[self._place] += amount


class Times:
    """A series that is a histogram."""

    def __init__(self, cells: "memoryview[float]", place: int, lock: threading.Lock, bounds: tuple[float, ...]) -> None:
        self._cells, self._place, self._lock, self._bounds = cells, place, lock, bounds

    def observe(self, value: float) -> None:
        """Count one value."""
        place, cells = self._place, self._cells
        with self._lock:
            cells[place] += value
            cells[place + 1 + bisect_left(self._bounds, value)] += 1


class Tally:
    """Made before the processes are forked; for any thread."""

    def __init__(self, processes: int = 1) -> None:
        self.processes = processes
        self._keys = shared.zeros((processes, ROWS), np.dtype(f"S{MOST_KEY}"))
        self._used = shared.zeros((processes,), np.dtype(np.int64))
        self._cells = shared.zeros((processes, ROWS, COLUMNS), np.dtype(np.float64))
        self._lock = threading.Lock()
        self.become(0)

    def become(self, index: int) -> None:
        """This process is the one of that number, from 0."""
        self._mine = index
        self._flat = memoryview(self._cells[index]).cast("B").cast("d")
        self._places = {key: place for place, key in enumerate(self._keys[index, : self._used[index]].tolist()) if key}

    def zero(self, gauge: Family, index: int) -> None:
        """What the process of that number had at work is over: it has ended."""
        for (name, *_), place in self._rows(index):
            if name == gauge.name:
                self._cells[index, place] = 0

    def number(self, family: Family, *values: str) -> Number:
        """The series of a counter or gauge."""
        return Number(self._flat, self._place(family, values), self._lock)

    def times(self, family: Family, *values: str) -> Times:
        """The series of a histogram."""
        assert family.bounds is not None and len(family.bounds) + 2 <= COLUMNS
        return Times(self._flat, self._place(family, values), self._lock, family.bounds)

    def drop(self, family: Family, *values: str) -> None:
        """End a series; it is begun again with nothing."""
        with self._lock:
            place = self._places.pop(_key(family, values))
            self._cells[self._mine, place] = 0
            self._keys[self._mine, place] = b""

    def _place(self, family: Family, values: Sequence[str]) -> int:
        """Where its row begins."""
        key = _key(family, values)
        with self._lock:
            place = self._places.get(key)
            if place is None:
                place = self._places[key] = self._free()
                self._keys[self._mine, place] = key
        return place * COLUMNS

    def _free(self) -> int:
        used = int(self._used[self._mine])
        if len(self._places) < used:  # one was dropped
            return min(set(range(used)) - set(self._places.values()))
        assert used < ROWS, "there are more series than routes and versions can make"
        self._used[self._mine] += 1
        return used

    def _rows(self, index: int) -> Iterator[tuple[list[str], int]]:
        for place, key in enumerate(self._keys[index, : self._used[index]].tolist()):
            if key:
                yield key.decode().split("\n"), place

    def collect(self, family: Family) -> Metric:
        """All its series, added up over the processes, as Prometheus' client has them."""
        found: dict[tuple[str, ...], NDArray[np.float64]] = {}
        for index in range(self.processes):
            for (name, *labels), place in self._rows(index):
                if name == family.name:
                    found[tuple(labels)] = found.get(tuple(labels), 0) + self._cells[index, place]
        if family.bounds is not None:
            return _histogram(family, family.bounds, found)
        kind = GaugeMetricFamily if family.gauge else CounterMetricFamily
        numbers = kind(family.name, family.help, labels=family.labels)
        for values, row in sorted(found.items(), key=lambda one: one[0]):
            numbers.add_metric(values, float(row[0]))
        return numbers


def _histogram(
    family: Family, bounds: tuple[float, ...], found: dict[tuple[str, ...], NDArray[np.float64]]
) -> HistogramMetricFamily:
    times = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    limits = [*map(floatToGoString, bounds), "+Inf"]
    for values, row in sorted(found.items(), key=lambda one: one[0]):
        counts = row[1 : len(limits) + 1].cumsum().tolist()
        times.add_metric(values, list(zip(limits, counts, strict=True)), float(row[0]))
    return times


def _key(family: Family, values: Sequence[str]) -> bytes:
    assert len(values) == len(family.labels)
    key = "\n".join((family.name, *values)).encode()
    assert len(key) <= MOST_KEY
    return key
