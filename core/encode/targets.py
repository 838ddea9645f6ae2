"""Numbers that a network foretells: scaled for training, and given back in their own units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core.encode import statistics


@dataclass(frozen=True)
class Targets:
    """``(y - mean) / std`` of each of ``names``, fitted on the training split.

    Of a forecast ``horizon`` rows are foretold, and ``places`` are the targets' columns in what is seen; ``relative``:
    they are differences to the last row seen, and no mean is taken away. ``horizon`` is null for a regression.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    horizon: int | None = None
    places: tuple[int, ...] = ()
    relative: bool = False

    @classmethod
    def fit(
        cls,
        values: NDArray[np.float32],
        names: Sequence[str],
        *,
        horizon: int | None = None,
        places: Sequence[int] = (),
        relative: bool = False,
    ) -> Self:
        """Choose the numbers from the training split's targets float32 [N, targets]."""
        means, spreads = statistics.of_numbers(lambda: [values])
        deviations = tuple(spread if spread > 0 else 1.0 for spread in spreads)
        return cls(tuple(names), tuple(means), deviations, horizon, tuple(places), relative)

    def scale(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Targets [N, targets] of a regression as the network learns them."""
        scaled: NDArray[np.float32] = ((values - np.array(self.mean)) / np.array(self.std)).astype(np.float32)
        return scaled

    def restore(self, outputs: NDArray[np.float32], samples: NDArray[Any]) -> NDArray[np.float64]:
        """What a network said of raw samples, in the targets' own units: [N, targets] or [N, horizon, targets]."""
        if self.horizon is None:
            numbers: NDArray[np.float64] = outputs * np.array(self.std) + np.array(self.mean)
            return numbers
        steps = outputs.reshape(len(outputs), self.horizon, len(self.names)) * np.array(self.std)
        seen = samples[:, -1:, list(self.places)].astype(np.float64) if self.relative else np.array(self.mean)
        restored: NDArray[np.float64] = steps + seen
        return restored
