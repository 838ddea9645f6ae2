"""Samples of a dataset, read out of its blob by ranges: however large the set, little of it is in memory."""

import json
import math
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import blobs
from core.db import Database
from core.errors import NotFound
from core.tables import Dataset

_TYPES = {"U8": np.uint8, "F32": np.float32, "I64": np.int64, "I16": np.int16}
STRETCH = 96
"""Rows of a forecast's table that are shown together."""
Value = NDArray[Any] | str
"""A sample: an image [H, W, C], a series [T, F], a recording int16 [n], or a text."""


class Samples:
    """One split of a dataset."""

    def __init__(self, database: Database, dataset: Dataset, split: str) -> None:
        """NotFound: the dataset has no such split."""
        self._database, self._dataset, self._split = database, dataset, split
        self._start, self._header = _header(database, dataset.sha256)
        self._tensor = {"text": "text", "corpus": "text", "audio": "audio"}.get(dataset.kind, "inputs")
        if dataset.task == "forecast":
            self._tensor = "rows"
        if f"{split}.{self._tensor}" not in self._header:
            raise NotFound(f"dataset {dataset.name} has no {split} split of its own")

    def read(self, first: int, count: int) -> list[tuple[str, Value]]:
        """(class, sample) of ``count`` samples from index ``first`` on; fewer where the split ends.

        A number to foretell stands in the place of the class. Of a forecast's table the samples are stretches of
        ``STRETCH`` rows, called after their first one. Of a corpus a sample is 500 characters, and has no class.
        """
        if self._dataset.task == "forecast":
            rows = self._rows("rows", first * STRETCH, count * STRETCH)
            stretches = [rows[start : start + STRETCH] for start in range(0, len(rows), STRETCH)]
            return list(zip(self.labels(first, count), stretches, strict=True))
        labels = self.labels(first, count)
        return list(zip(labels, self._values(first, len(labels)), strict=True))

    def seconds(self, first: int, count: int) -> list[tuple[str, float]]:
        """(class, duration) of recordings, whose values are not read."""
        assert self._dataset.rate is not None
        labels = self.labels(first, count)
        ends = self._rows("offsets", first, len(labels) + 1)
        return list(zip(labels, (np.diff(ends) / self._dataset.rate).tolist(), strict=True))

    def labels(self, first: int, count: int) -> list[str]:
        """The classes of ``count`` samples from index ``first`` on, or what stands in their place, as ``read`` says."""
        if self._dataset.task == "language":
            return [""] * max(0, len(self._rows("offsets", first, count + 1)) - 1)
        if self._dataset.task == "forecast":
            rows = self._header[f"{self._split}.rows"]["shape"][0]
            return [f"row {index * STRETCH:,}" for index in range(first, min(first + count, -(-rows // STRETCH)))]
        targets = self._rows("targets", first, count)
        if self._dataset.task == "regression":
            return [", ".join(f"{number:.6g}" for number in row) for row in targets.tolist()]
        return [str(self._dataset.classes[target]) for target in targets]

    def _values(self, first: int, count: int) -> list[Value]:
        if not count:
            return []
        if self._tensor == "inputs":
            values = self._rows("inputs", first, count)
            if f"{self._split}.lengths" not in self._header:
                return list(values)
            return [one[:end] for one, end in zip(values, self._rows("lengths", first, count), strict=True)]
        ends = self._rows("offsets", first, count + 1)
        joined = self._rows(self._tensor, int(ends[0]), int(ends[-1] - ends[0]))
        pieces = [joined[a - ends[0] : b - ends[0]] for a, b in pairwise(ends)]
        return [one if self._tensor == "audio" else one.tobytes().decode() for one in pieces]

    def _rows(self, name: str, first: int, count: int) -> NDArray[Any]:
        """Rows [first, first + count) of a tensor, or as many as there are."""
        entry = self._header[f"{self._split}.{name}"]
        shape, kind = entry["shape"], np.dtype(_TYPES[entry["dtype"]])
        end = min(first + count, shape[0])
        first = min(first, end)
        row = math.prod(shape[1:]) * kind.itemsize
        begin = self._start + entry["data_offsets"][0]
        data = b"".join(blobs.read(self._database, self._dataset.sha256, begin + first * row, begin + end * row))
        return np.frombuffer(data, kind).reshape(end - first, *shape[1:])


@lru_cache(maxsize=64)
def _header(database: Database, sha256: str) -> tuple[int, dict[str, Any]]:
    """Where the tensors begin, and what is said of each (the safetensors format)."""
    length = int.from_bytes(b"".join(blobs.read(database, sha256, 0, 8)), "little")
    return 8 + length, json.loads(b"".join(blobs.read(database, sha256, 8, 8 + length)))
