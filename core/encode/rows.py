"""Nested lists of numbers, as JSON has them -> one array of samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def stack(rows: Any, shape: tuple[int, ...], axes: str) -> NDArray[Any]:
    """``rows`` are samples of ``shape``; a last axis of length 1 may be left out. Gives [N, *shape].

    ``axes`` names the axes for the message. ValueError: not numbers, or another shape.
    """
    wanted = "x".join(map(str, shape))
    try:
        values = np.asarray(rows)
    except ValueError as error:
        raise ValueError(f"the rows are not all of the same length; each sample is {wanted} numbers") from error
    if values.dtype.kind not in "iuf":
        raise ValueError(f"the rows must hold numbers only; each sample is {wanted} numbers")
    if shape[-1] == 1 and values.shape[1:] == shape[:-1]:
        values = values[..., None]
    if values.shape[1:] != shape:
        found = "x".join(map(str, values.shape[1:])) or "a single number"
        raise ValueError(f"each sample must be {wanted} ({axes}) and is {found}")
    return values
