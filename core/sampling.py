"""Drawing the next token: plain arithmetic on logits, the same on every machine for the same seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sampling:
    """``temperature`` 0 takes the likeliest token, 1 the model's own probabilities; larger is bolder.

    ``top_k``: only so many of the likeliest tokens may come; null: all.
    """

    temperature: float
    top_k: int | None
    seed: int


class Sampler:
    """Draws one token after another. Its random numbers are PCG64's raw ones, which are promised never to change."""

    def __init__(self, sampling: Sampling, banned: int = 0) -> None:
        """The first ``banned`` ids never come."""
        self._sampling, self._banned = sampling, banned
        self._bits = np.random.PCG64(np.random.SeedSequence(sampling.seed))

    def draw(self, logits: NDArray[np.float32]) -> int:
        """The id of the next token by its logits [vocabulary]; equal logits count in the order of their ids."""
        wanted, values = self._sampling, logits[self._banned :].astype(np.float64)
        if wanted.temperature == 0:
            return self._banned + int(values.argmax())
        order = np.argsort(-values, kind="stable")[: wanted.top_k]
        with np.errstate(over="ignore"):  # what is infinitely unlikely does not come
            weights = np.exp((values[order] - values[order[0]]) / wanted.temperature)
        ends = weights.cumsum()
        uniform = float(self._bits.random_raw() >> 11) * 2.0**-53
        return self._banned + int(order[min(np.searchsorted(ends, uniform * ends[-1], "right"), len(order) - 1)])
