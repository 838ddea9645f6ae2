"""Requests by model version and minute, for an hour, in memory that all processes of one API share."""

import math
import time
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from api import shared

MINUTES = 60
MOST_VERSIONS = 1000
"""Versions that one process remembers, 21 KB each; of more those asked last."""
SHORTEST, STEP, STEPS = 50e-6, 2**0.25, 84
"""Times are counted in steps of 19 %, from 50 us to 104 s."""
REQUESTS, SAMPLES, ERRORS, TIMES = 0, 1, 2, 3
"""Columns: from ``TIMES`` on one for each step."""
COLUMNS = TIMES + STEPS
_KEY = np.dtype([("model", "S64"), ("version", np.int64), ("last", np.float64)])


class Ledger:
    """Made before the processes are forked; each writes only what is its own, and reads all.

    Not for two threads at once.
    """

    def __init__(self, processes: int = 1) -> None:
        shape = (processes, MOST_VERSIONS)
        self._keys = shared.zeros(shape, _KEY)
        self._last = self._keys["last"]
        self._minutes = shared.zeros((*shape, MINUTES), np.dtype(np.int64))
        self._counts = shared.zeros((*shape, MINUTES, COLUMNS), np.dtype(np.uint32))
        self._cells = self._counts.reshape(-1).data  # several times faster than numpy, for one number
        self._mine = 0
        self._places: OrderedDict[tuple[str, int], int] = OrderedDict()  # the one asked last comes last

    def become(self, index: int) -> None:
        """This process is the one of that number, from 0; what an earlier one of the same number counted is dropped."""
        self._mine = index
        self._places.clear()
        self._keys[index] = np.zeros((), _KEY)
        self._minutes[index] = self._counts[index] = 0

    def count(self, model_id: str, number: int, minute: int, samples: int, seconds: float | None) -> None:
        """Count a request; ``seconds`` are null when it was refused or failed."""
        place = self._place(model_id, number)
        ring = minute % MINUTES
        if self._minutes[self._mine, place, ring] != minute:
            self._minutes[self._mine, place, ring] = minute
            self._counts[self._mine, place, ring] = 0
        row, cells = ((self._mine * MOST_VERSIONS + place) * MINUTES + ring) * COLUMNS, self._cells
        cells[row + REQUESTS] += 1
        cells[row + SAMPLES] += samples
        cells[row + (ERRORS if seconds is None else TIMES + _step(seconds))] += 1
        self._last[self._mine, place] = time.time()

    def _place(self, model_id: str, number: int) -> int:
        place = self._places.get((model_id, number))
        if place is not None:
            self._places.move_to_end((model_id, number))
            return place
        place = len(self._places)
        if place == MOST_VERSIONS:
            _, place = self._places.popitem(last=False)
            self._minutes[self._mine, place] = self._counts[self._mine, place] = 0
        self._keys[self._mine, place] = (model_id.encode(), number, 0.0)
        self._places[model_id, number] = place
        return place

    def total(self, model_id: str, number: int, minute: int) -> tuple[NDArray[np.int64], float]:
        """The sums [COLUMNS] of the 60 minutes that end with this one, and the time of the last request, since 1970."""
        found = (self._keys["model"] == model_id.encode()) & (self._keys["version"] == number)
        recent = self._minutes[found] > minute - MINUTES
        sums: NDArray[np.int64] = self._counts[found][recent].sum(0, dtype=np.int64)
        return sums, float(self._last[found].max(initial=0.0))

    def versions(self, model_id: str) -> list[int]:
        """The versions of a model that are remembered."""
        numbers: list[int] = np.unique(self._keys["version"][self._keys["model"] == model_id.encode()]).tolist()
        return numbers


def quantile_ms(times: NDArray[np.int64], share: float) -> float | None:
    """The time in ms that this share of the requests took at most: the middle of its step, so within 9 %.

    ``times`` [STEPS] are numbers of requests; null when there are none.
    """
    sums = times.cumsum()
    if not sums[-1]:
        return None
    step = int(np.searchsorted(sums, share * sums[-1]))
    return float(f"{SHORTEST * STEP ** (step + 0.5) * 1e3:.3g}")


def _step(seconds: float) -> int:
    return min(STEPS - 1, int(math.log(max(seconds, SHORTEST) / SHORTEST, STEP)))
