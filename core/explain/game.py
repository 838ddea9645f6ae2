"""What a model answers when only some parts of a sample are left in, and what a method makes of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.explain.players import Players, Samples

MOST_AT_ONCE = 64
MOST_BYTES = 2**24
"""Samples that are made and computed together: at most so many, and no more than fit into so many bytes."""

Coalitions = NDArray[np.bool_]
"""[N, players]: which are left in."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Explanation:
    """What each player adds to the output. ``values`` [players], in the unit of the output.

    ``base`` is the output that the values start from; ``r2`` says how well a linear fit tells what the model answered
    (null where nothing is fitted, or where the answer never changes); ``samples`` were computed by the model.
    """

    values: Numbers
    base: float
    output: float
    r2: float | None
    samples: int

    @property
    def additivity_gap(self) -> float:
        """The values and the base, less the output: 0 for Shapley values."""
        return float(self.values.sum()) + self.base - self.output


class Game:
    """Coalitions [N, players] -> the output for each, float64 [N].

    ``output`` computes it of raw samples. ``check`` is told before each batch how many samples were computed already,
    and ends a game that takes too long by raising.
    """

    def __init__(
        self, players: Players, output: Callable[[Samples], Numbers], check: Callable[[int], None] = lambda done: None
    ) -> None:
        self._players, self._output, self._check = players, output, check
        self.players = len(players.places)
        self.asked = 0

    def __call__(self, coalitions: Coalitions) -> Numbers:
        step = max(1, min(MOST_AT_ONCE, MOST_BYTES // self._players.bytes_each))
        parts = []
        for first in range(0, len(coalitions), step):
            self._check(self.asked)
            chosen = coalitions[first : first + step]
            parts.append(self._output(self._players.keep(chosen)))
            self.asked += len(chosen)
        return np.concatenate(parts)


def r_squared(wanted: Numbers, fitted: Numbers, weights: Numbers) -> float | None:
    """The share of the weighted variance that a fit explains; null where there is none to explain."""
    spread = float(weights @ np.square(wanted - np.average(wanted, weights=weights)))
    if spread <= 1e-24 * float(weights.sum()):
        return None
    return 1 - float(weights @ np.square(wanted - fitted)) / spread
