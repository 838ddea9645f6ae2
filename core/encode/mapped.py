"""Samples that stay in a file, for data larger than memory: what is asked for is copied, the rest is not read."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.encode import ragged

_CHUNK_BYTES = 2**22
_CHUNK_SEQUENCES = 16
"""Sequences are worked on one by one anyway, and a single recording may have many megabytes."""

Chosen = slice | NDArray[np.int64]


class Mapped(ABC):
    """Samples of a mapped array: all of them, or ``rows`` int64 [N] in their order."""

    def __init__(self, stored: int, rows: NDArray[np.int64] | None) -> None:
        self.rows = rows
        self._count = stored if rows is None else len(rows)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        for chunk in chunks(self):
            yield from chunk

    def __getitem__(self, chosen: Chosen) -> NDArray[Any]:
        """A copy of these samples, as an array in memory has them."""
        if self.rows is not None:
            return self._read(self.rows[chosen])
        return self._read(np.arange(len(self))[chosen] if isinstance(chosen, slice) else chosen)

    @abstractmethod
    def _read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The samples in these rows of the array."""

    @abstractmethod
    def take(self, chosen: NDArray[np.int64]) -> "Mapped":
        """These samples in this order; nothing is copied."""

    def _chosen(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        return chosen if self.rows is None else self.rows[chosen]


class Rows(Mapped):
    """Samples of one shape: ``array`` [stored, ...]."""

    def __init__(self, array: NDArray[Any], rows: NDArray[np.int64] | None = None) -> None:
        super().__init__(len(array), rows)
        self.array, self.dtype = array, array.dtype
        self.shape = (len(self), *array.shape[1:])
        self.ndim = array.ndim

    def _read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        return np.asarray(self.array[rows])

    def take(self, chosen: NDArray[np.int64]) -> "Rows":
        return Rows(self.array, self._chosen(chosen))


class Sequences(Mapped):
    """Samples of several lengths: sequence n is ``content[ends[n]:ends[n + 1]]``, or what ``decode`` makes of it."""

    def __init__(
        self,
        content: NDArray[Any],
        ends: NDArray[np.int64],
        decode: Callable[[NDArray[Any]], Any] = np.asarray,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        super().__init__(len(ends) - 1, rows)
        self.content, self.ends, self.decode = content, ends, decode
        self.dtype = np.dtype(object)
        self.shape, self.ndim = (len(self),), 1

    def _read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        pairs = zip(self.ends[rows].tolist(), self.ends[rows + 1].tolist(), strict=True)
        return ragged.collect([self.decode(self.content[first:end]) for first, end in pairs])

    def take(self, chosen: NDArray[np.int64]) -> "Sequences":
        return Sequences(self.content, self.ends, self.decode, self._chosen(chosen))


Samples = NDArray[Any] | Rows | Sequences
"""What is the same to index and to slice, in memory or not."""


def chunks(samples: Samples | Mapped) -> Iterator[NDArray[Any]]:
    """Samples some megabytes at a time, in their order."""
    first = samples[:1]
    step = _CHUNK_SEQUENCES if first.dtype == object else max(1, _CHUNK_BYTES // max(1, first.nbytes))
    return (samples[start : start + step] for start in range(0, len(samples), step))


def spill(parts: Iterable[NDArray[Any]], folder: Path) -> NDArray[Any]:
    """Arrays [n, ...] that differ in n alone, joined in a nameless file of ``folder``, and mapped."""
    count, shape, dtype = 0, (0,), np.dtype(np.uint8)
    with tempfile.TemporaryFile(dir=folder) as file:
        for part in parts:
            count, shape, dtype = count + len(part), part.shape, part.dtype
            part.tofile(file)
        file.flush()
        return map_array(file, dtype, (count, *shape[1:]))


def map_array(file: Any, dtype: Any, shape: tuple[int, ...], offset: int = 0) -> NDArray[Any]:
    """An array in an open file or at a path, read as it is looked at; the mapping outlives the file's name."""
    if 0 in shape:
        return np.empty(shape, dtype)  # nothing cannot be mapped
    return np.memmap(file, dtype, "r", offset, shape).view(np.ndarray)
