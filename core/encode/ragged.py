"""Sequences of several lengths: one array a sample, and the padded array that a network reads."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def collect(sequences: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """An object array [N] of arrays: it can be indexed, cut and joined like any array of samples."""
    result = np.empty(len(sequences), object)
    for index, one in enumerate(sequences):
        result[index] = one
    return result


def pad(sequences: NDArray[Any] | Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """N arrays [T_i, ...] -> [N, T, ...] with zeros behind each end, T the longest; and their lengths [N]."""
    lengths = np.fromiter((len(one) for one in sequences), np.int64, len(sequences))
    first = sequences[0]
    padded = np.zeros((len(sequences), int(lengths.max()), *first.shape[1:]), first.dtype)
    for row, one in zip(padded, sequences, strict=True):
        row[: len(one)] = one
    return padded, lengths
