"""The samples that were read, before they are arranged: values in a scratch file, labels and origins in memory."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.ingest.findings import Refused, shown
from core.ingest.names import SPLITS
from core.ingest.work import Work

CHUNK_BYTES = 8 * 2**20
LONGEST_LABEL = 128


@dataclass(frozen=True)
class Chunk:
    """Some samples in a row: ``values`` [items, *item] of all, sample i from ``offsets[i]`` to ``offsets[i + 1]``."""

    first: int
    offsets: NDArray[np.int64]
    values: NDArray[Any]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def sample(self, index: int) -> NDArray[Any]:
        return self.values[self.offsets[index] : self.offsets[index + 1]]


class Samples:
    """A sample is one or more items: an image is one [H, W, C], a series one [F] per step, a text one byte per byte,
    a recording one number per sample of its signal.

    The samples stay in the order in which they are added.
    """

    def __init__(
        self, work: Work, kind: Literal["image", "series", "text", "audio"], item: tuple[int, ...], dtype: str
    ) -> None:
        self.kind, self.item, self.dtype = kind, item, np.dtype(dtype)
        self.rate: int | None = None
        """Of recordings, in Hz."""
        self.target = "target"
        """What the label is called, where it is a number to foretell."""
        self.expected: int | None = None
        """How many samples there will be, where that is known before reading."""
        self._work = work
        self._path = work.folder / "samples"
        self._file = work.opened.enter_context(self._path.open("wb"))
        self._item_bytes = int(np.prod(item, dtype=np.int64)) * self.dtype.itemsize
        self._ends = array("q", [0])
        self._labels: dict[str, int] = {}
        self._files: dict[str, int] = {}
        self._label, self._split, self._origin, self._row = array("q"), array("b"), array("q"), array("q")
        self.characters = array("q")
        """Of texts."""

    def __len__(self) -> int:
        return len(self._label)

    def add(
        self, values: NDArray[Any], label: str, split: str | None, file: str, row: int = 0, characters: int = 0
    ) -> None:
        """One sample; ``row`` 0 means that the file is the sample."""
        self.write(values, len(values))
        self.describe(label, split, file, row)
        if self.kind == "text":
            self.characters.append(characters)

    def describe(self, label: str, split: str | None, file: str, row: int) -> None:
        """Label and origin of a sample whose values were or will be written."""
        self._label.append(self._labels.setdefault(label, len(self._labels)))
        self._split.append(-1 if split is None else SPLITS.index(split))
        self._origin.append(self._files.setdefault(file, len(self._files)))
        self._row.append(row)

    def write(self, values: NDArray[Any], length: int) -> None:
        """Values of one or more samples of ``length`` items each."""
        items = len(values)
        total = (self._ends[-1] + items) * self._item_bytes
        if total > self._work.limit_bytes:
            raise Refused(f"the samples take more than {total:,} bytes; the limit is {self._work.limit_bytes:,}")
        self._file.write(np.ascontiguousarray(values, self.dtype).data)
        if items == length:
            self._ends.append(self._ends[-1] + length)
        else:
            self._ends.extend(range(self._ends[-1] + length, self._ends[-1] + items + 1, length))
        self._work.progress("reading", len(self._ends) - 1, self.expected)

    @property
    def labels(self) -> list[str]:
        """The different labels, as found."""
        return list(self._labels)

    @property
    def label_codes(self) -> NDArray[np.int64]:
        """Index into ``labels`` per sample."""
        return np.array(self._label, np.int64)

    @property
    def split_codes(self) -> NDArray[np.int8]:
        """Index into ``names.SPLITS`` per sample; -1: none was named."""
        return np.array(self._split, np.int8)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Items per sample."""
        ends = np.array(self._ends, np.int64)
        return ends[1:] - ends[:-1]

    def origin(self, index: int) -> str:
        """Where a sample came from, for people."""
        if not hasattr(self, "_names"):
            self._names = list(self._files)
        name, row = shown(self._names[self._origin[index]]), self._row[index]
        return f"{name}, row {row}" if row else name

    def chunks(self) -> Iterator[Chunk]:
        """All samples in order, some megabytes at a time."""
        self._file.flush()
        ends = np.array(self._ends, np.int64)
        step = max(1, CHUNK_BYTES // max(1, self._item_bytes))
        start = 0
        with self._path.open("rb") as file:
            while start < len(self):
                stop = max(start + 1, int(np.searchsorted(ends, ends[start] + step, "right")) - 1)
                items = int(ends[stop] - ends[start])
                values = np.fromfile(file, self.dtype, items * self._item_bytes // self.dtype.itemsize)
                yield Chunk(start, ends[start : stop + 1] - ends[start], values.reshape(items, *self.item))
                start = stop


def bad_label(label: str) -> str | None:
    """Why this cannot be the name of a class; None if it can."""
    if not label:
        return "the label is empty"
    if len(label) > LONGEST_LABEL:
        return f"the label has {len(label):,} characters; at most {LONGEST_LABEL} are a class's name"
    if shown(label) != label:
        return f"the label {shown(label)} has characters that cannot be shown"
    return None
