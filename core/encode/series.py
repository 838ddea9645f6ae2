"""Number sequences: nested lists -> float32 [time, features]."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
