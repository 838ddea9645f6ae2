"""One row's answer as JSON has it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 64
"""Numbers that Python adds up in less time than NumPy takes to be called."""
TOO_LARGE = "its numbers are too large for this model: the answer would be no finite number"


def of_class(classes: Sequence[str], index: int, values: list[float], top: int | None) -> dict[str, Any]:
    """The likeliest class, whose ``index`` is known, and the probabilities of all classes, or the ``top`` largest."""
    shown: Any = zip(classes, values, strict=True)
    if top is not None:
        shown = ((classes[one], values[one]) for one in likeliest(np.array(values), top))
    return {"class": classes[index], "index": index, "probability": values[index], "probabilities": dict(shown)}


def likeliest(row: NDArray[np.float64], top: int) -> list[int]:
    """The ``top`` largest of probabilities [classes], the largest first; of equals the first class."""
    order: list[int] = np.argsort(-row, kind="stable")[:top].tolist()
    return order


def of_numbers(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, Any]:
    """Numbers [targets], or [horizon, targets] of a forecast, by the names of the targets."""
    return dict(zip(names, values.T.tolist(), strict=True))


def not_finite(outputs: NDArray[np.floating[Any]]) -> int | None:
    """The first of these outputs [N, ...] that has a number that is none; null if all are finite."""
    if outputs.size <= FEW and math.isfinite(sum(outputs.ravel().tolist())):
        return None
    finite = np.isfinite(outputs)
    return None if finite.all() else int(finite.reshape(len(outputs), -1).all(1).argmin())
