"""What was served of each version in the last hour, and since the start for Prometheus, as this process counts it."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect

from api import objects
from api.metrics import OTHER, Counters
from api.serving.versions import Version

MINUTES = 60
MOST_VERSIONS = 1000
"""Versions whose hour is remembered, 21 KB each; of more those asked last."""
MOST_LABELLED = 100
"""Versions with time series of their own on /metrics; all others are counted as ``other``."""
SHORTEST, STEP, STEPS = 50e-6, 2**0.25, 84
"""Times are counted in steps of 19 %, from 50 us to 104 s."""
_REQUESTS, _SAMPLES, _ERRORS, _TIMES = 0, 1, 2, 3


@dataclass
class Asked:
    """One request: whoever answers it says how many samples it had."""

    samples: int = 0


@dataclass
class _Hour:
    """A ring of minutes."""

    counts: NDArray[np.uint32] = field(default_factory=lambda: np.zeros((MINUTES, _TIMES + STEPS), np.uint32))
    minutes: NDArray[np.int64] = field(default_factory=lambda: np.full(MINUTES, -MINUTES, np.int64))
    last: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self, minute: int) -> Any:
        """The counts of this minute."""
        place = minute % MINUTES
        if self.minutes[place] != minute:
            self.minutes[place] = minute
            self.counts[place] = 0
        return self.counts[place]

    def total(self, minute: int) -> NDArray[np.int64]:
        """The counts of the last 60 minutes, this one among them."""
        total: NDArray[np.int64] = self.counts[self.minutes > minute - MINUTES].sum(0, dtype=np.int64)
        return total


class Served:
    """Counts; for any thread. Memory is bounded by ``MOST_VERSIONS`` and ``MOST_LABELLED``."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._lock = threading.Lock()
        self._hours: OrderedDict[tuple[str, int], _Hour] = OrderedDict()  # the one asked last comes last
        self._labelled: dict[tuple[str, str], int] = {}  # and the minute in which it was asked last

    @contextmanager
    def counting(self, version: Version, began: float) -> Iterator[Asked]:
        """Count a request that began at this ``perf_counter()``; one whose client goes away is not counted."""
        asked = Asked()
        try:
            yield asked
        except ClientDisconnect:
            raise
        except Exception:
            self._count(version, 0, None)
            raise
        self._count(version, asked.samples, time.perf_counter() - began)

    def _count(self, version: Version, samples: int, seconds: float | None) -> None:
        place, minute = (version.model_id, version.number), _minute()
        with self._lock:
            hour = self._hours.get(place)
            if hour is None:
                hour = self._hours[place] = _Hour()
                if len(self._hours) > MOST_VERSIONS:
                    self._hours.popitem(last=False)
            else:
                self._hours.move_to_end(place)
            hour.last = datetime.now(UTC)
            counts = hour.now(minute)
            counts[_REQUESTS] += 1
            counts[_SAMPLES] += samples
            if seconds is None:
                counts[_ERRORS] += 1
            else:
                counts[_TIMES + _step(seconds)] += 1
            labels = self._labels((version.model, str(version.number)), minute)
        self._counters.version_requests.labels(*labels, "ok" if seconds is not None else "error").inc()
        self._counters.version_samples.labels(*labels).inc(samples)
        if seconds is not None:
            self._counters.version_seconds.labels(*labels).observe(seconds)

    def _labels(self, wanted: tuple[str, str], minute: int) -> tuple[str, str]:
        """The version's own, while there is room or one that nobody asked for an hour can give up its place."""
        if wanted not in self._labelled and len(self._labelled) >= MOST_LABELLED:
            idle = min(self._labelled, key=self._labelled.__getitem__)
            if self._labelled[idle] > minute - MINUTES or not self._counters.forget(idle):
                return OTHER
            del self._labelled[idle]
        self._labelled[wanted] = minute
        return wanted

    def of(self, model_id: str, number: int) -> objects.Served:
        """The last hour of one version."""
        with self._lock:
            hour = self._hours.get((model_id, number))
            total = np.zeros(_TIMES + STEPS, np.int64) if hour is None else hour.total(_minute())
            last = None if hour is None or not total[_REQUESTS] else hour.last
        times = total[_TIMES:]
        return {
            "version": number,
            "requests": int(total[_REQUESTS]),
            "samples": int(total[_SAMPLES]),
            "errors": int(total[_ERRORS]),
            "p50_ms": quantile_ms(times, 0.5),
            "p95_ms": quantile_ms(times, 0.95),
            "p99_ms": quantile_ms(times, 0.99),
            "last_request_at": last,
        }

    def of_model(self, model_id: str) -> list[objects.Served]:
        """The last hour of a model's versions that were asked in it, the one asked most first."""
        with self._lock:
            numbers = [number for model, number in self._hours if model == model_id]
        found = [self.of(model_id, number) for number in numbers]
        return sorted((one for one in found if one["requests"]), key=lambda one: (-one["requests"], -one["version"]))


def _minute() -> int:
    return int(time.monotonic() // 60)


def _step(seconds: float) -> int:
    return min(STEPS - 1, max(0, int(math.log(max(seconds, SHORTEST) / SHORTEST, STEP))))


def quantile_ms(times: NDArray[np.int64], share: float) -> float | None:
    """The time in ms that this share of the requests took at most: the middle of its step, so within 9 %.

    ``times`` [STEPS] are numbers of requests; null when there are none.
    """
    sums = times.cumsum()
    if not sums[-1]:
        return None
    step = int(np.searchsorted(sums, share * sums[-1]))
    return float(f"{SHORTEST * STEP ** (step + 0.5) * 1e3:.3g}")
