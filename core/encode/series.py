"""Number sequences: nested lists -> float32 [time, features]."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.encode import ragged
from core.encode.rows import stack


def from_rows(rows: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Nested lists of finite numbers, one [time][features] a sample -> float32 [N, T, F].

    Sequences of one feature may leave the innermost lists out. ValueError says what is wrong.
    """
    values = stack(rows, shape, "time, features")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        sequences = values.astype(np.float32)
    if not np.isfinite(sequences).all():
        raise ValueError("the numbers must be finite, and at most 3.4e38 in size")
    return sequences


def from_ragged_rows(rows: Any, features: int, longest: int) -> NDArray[Any]:
    """The same for sequences of 1 to ``longest`` steps, lists or arrays -> an object array of float32 [T_i, F]."""
    return ragged.collect([_sequence(row, features, longest) for row in rows])


def _sequence(row: Any, features: int, longest: int) -> NDArray[np.float32]:
    if not isinstance(row, (list, np.ndarray)):
        raise ValueError(f"each sample must be a list of steps of {features} numbers")
    if not 1 <= len(row) <= longest:
        raise ValueError(f"a sequence must have 1 to {longest} steps for this model, and this one has {len(row)}")
    sequence: NDArray[np.float32] = from_rows([row], (len(row), features))[0]
    return sequence
