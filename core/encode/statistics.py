"""Mean and deviation of a training split, channel by channel, from chunks of it.

They have the same bits however the numbers are cut and ordered, and on every machine: a checkpoint names those that its
training began with.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PART = 2**20
"""Numbers that are added at once: few enough that a sum of so many halves of 27 bits is exact in a float64."""
_LOW = 26
"""Bits in the lower half of a 53-bit mantissa."""
_LEAST = -1073
"""The smallest exponent of a float64, as ``frexp`` gives it; sums are counted in units of 2**(_LEAST - 53)."""

Statistics = tuple[list[float], list[float]]
"""Means and deviations, one a channel."""


Chunks = Callable[[], Iterable[NDArray[Any]]]
"""Gives the numbers, [n, ..., C] at a time, from the beginning whenever it is called."""


def of_pixels(chunks: Chunks) -> Statistics:
    """Of uint8, from histograms: exact."""
    counts: list[NDArray[np.int64]] = []
    for chunk in chunks():
        counts = counts or [np.zeros(256, np.int64) for _ in range(chunk.shape[-1])]
        for channel, count in enumerate(counts):
            for part in _parts(chunk[..., channel].reshape(-1)):
                count += np.bincount(part, minlength=256)
    levels = np.arange(256, dtype=np.float64)
    means = [float(count @ levels / count.sum()) for count in counts]
    pairs = zip(counts, means, strict=True)
    return means, [float(np.sqrt(count @ (levels - mean) ** 2 / count.sum())) for count, mean in pairs]


def of_numbers(chunks: Chunks) -> Statistics:
    """Of float32, by correctly rounded sums: of the numbers, then of their squared distances to the mean."""
    totals, count = _totals(chunks(), None)
    means = [total / count for total in totals]
    squares, _ = _totals(chunks(), means)
    return means, [math.sqrt(square / count) for square in squares]


def _totals(chunks: Iterable[NDArray[np.float32]], means: list[float] | None) -> tuple[list[float], int]:
    """The sum of each channel, or of its squared distances to the mean; and how many numbers a channel has."""
    sums: list[_Sum] = []
    count = 0
    for chunk in chunks:
        sums = sums or [_Sum() for _ in range(chunk.shape[-1])]
        count += chunk[..., 0].size
        for channel, total in enumerate(sums):
            for part in _parts(chunk[..., channel].reshape(-1)):
                values = part.astype(np.float64)
                total.add(values if means is None else (values - means[channel]) ** 2)
    return [float(total) for total in sums], count


class _Sum:
    """An exact sum of float64 numbers: mantissas, in two halves, are added apart for each exponent."""

    def __init__(self) -> None:
        self._units = 0

    def add(self, values: NDArray[np.float64]) -> None:
        """At most ``_PART`` finite numbers."""
        mantissas, exponents = np.frexp(values)
        whole, places = np.ldexp(mantissas, 53).astype(np.int64), exponents - _LEAST
        for half, shift in ((whole >> _LOW, _LOW), (whole & (2**_LOW - 1), 0)):
            sums = np.bincount(places, weights=half)
            for place in np.flatnonzero(sums):
                self._units += int(sums[place]) << (int(place) + shift)

    def __float__(self) -> float:
        total: float = self._units / 2 ** (53 - _LEAST)  # a division of whole numbers, which rounds correctly
        return total


def _parts(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (values[start : start + _PART] for start in range(0, len(values), _PART))
