"""Memory that the processes of one API share: made before they are forked, gone with the last of them."""

import math
import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray


def zeros(shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    """Zeros that a forked process sees too; what is never touched takes no memory."""
    return np.frombuffer(mmap.mmap(-1, math.prod(shape) * kind.itemsize), kind).reshape(shape)
