"""Mean and deviation of many numbers.

Both functions give the same bits on every machine: a checkpoint names the numbers that its training began with. They go
through the values in parts, whose copies in a wider type would else be many times the data set.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PART = 2**18


def _parts(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (values[start : start + _PART] for start in range(0, len(values), _PART))


def of_pixels(values: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean and deviation from a histogram: exact."""
    counts = np.zeros(256, np.int64)
    for part in _parts(values):
        counts += np.bincount(part, minlength=256)
    levels, total = np.arange(256, dtype=np.float64), counts.sum()
    mean = float(counts @ levels / total)
    return mean, float(np.sqrt(counts @ (levels - mean) ** 2 / total))


def of_numbers(values: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and deviation by correctly rounded sums (Shewchuk 1997), whatever the order of the additions."""
    mean = math.fsum(value for part in _parts(values) for value in part.astype(np.float64).tolist()) / len(values)
    squares = ((part.astype(np.float64) - mean) ** 2 for part in _parts(values))
    return mean, math.sqrt(math.fsum(value for part in squares for value in part.tolist()) / len(values))
