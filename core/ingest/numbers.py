"""Numbers written as text -> float32."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.ingest.findings import shown


def parse(cells: list[str], place: Callable[[int], str]) -> NDArray[np.float32] | str:
    """Finite numbers, or the reason why they are not; ``place`` names a cell, counted from 0."""
    try:
        values = np.array(list(map(float, cells)), np.float64)
    except ValueError:
        index = next(index for index, cell in enumerate(cells) if not is_number(cell))
        cell = cells[index].strip()
        return f"{place(index)}: {shown(repr(cell))} is not a number" if cell else f"{place(index)} is empty"
    numbers = narrowed(values)
    finite = np.isfinite(numbers)
    if not finite.all():
        index = int(np.argmin(finite))
        return f"{place(index)}: {shown(cells[index].strip())} is not finite, or too large for float32"
    return numbers


def narrowed(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """float32; what is too large becomes infinite."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def described(values: NDArray[np.float32]) -> dict[str, float]:
    """``min``, ``mean``, ``max``, ``std`` and quantiles of some numbers, to six digits."""
    whole = values.astype(np.float64)
    found = {"min": whole.min(), "mean": whole.mean(), "max": whole.max(), "std": whole.std()}
    found |= {f"q{share:02d}": np.quantile(whole, share / 100) for share in (5, 25, 50, 75, 95)}
    return {name: float(f"{value:.6g}") for name, value in found.items()}


def is_number(cell: str) -> bool:
    """Whether ``parse`` would read it, finite or not."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
