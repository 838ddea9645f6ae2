"""The files that answers are written to: CSV, JSON lines, and arrays for NumPy.

All grow at their end, so that another attempt goes on behind what is stored; only ``npz`` is put together at last.
"""

import csv
import io
import json
import shutil
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.encode.mapped import map_array
from core.predictions import answer
from core.predictions.layout import SPLITS, Answers, Layout
from core.specs import AnswerFormat

MEDIA_TYPES: dict[AnswerFormat, str] = {
    "csv": "text/csv; charset=utf-8; header=present",
    "jsonl": "application/jsonl",
    "npz": "application/zip",
}
_AT_ONCE = 4096
"""Records that are copied into an array together."""


class Format(ABC):
    """Writes answers as bytes, batch by batch."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def head(self) -> bytes:
        """What comes before the first row."""
        return b""

    @abstractmethod
    def rows(self, answers: Answers) -> bytes:
        """The rows of one batch."""

    def finish(self, written: Path, target: Path) -> None:
        """Make the file of all that was written."""
        shutil.move(written, target)

    def _label(self, label: Any) -> Any:
        """One row's label, as JSON has it."""
        if self.layout.classifies:
            return self.layout.labels[int(label)]
        return answer.of_numbers(self.layout.labels, label)


class Jsonl(Format):
    """A line a row: the answer of ``:predict``, with where the row is from and its label."""

    def rows(self, answers: Answers) -> bytes:
        lines = []
        for number, (values, label) in enumerate(zip(answers.values, answers.labels, strict=True), answers.first):
            place = {"split": answers.split, "row": number, "label": self._label(label)}
            line = {**place, **self._answer(values)}
            lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n")
        return "".join(lines).encode()

    def _answer(self, values: NDArray[np.float64]) -> dict[str, Any]:
        if self.layout.classifies:
            return answer.of_class(self.layout.classes, int(values.argmax()), values.tolist(), self.layout.top)
        return {"values": answer.of_numbers(self.layout.classes, values)}


class Csv(Format):
    """RFC 4180, with a header. Of a forecast the columns of a target are one for each row foretold."""

    def head(self) -> bytes:
        return _csv([["split", "row", *self._columns()]])

    def _columns(self) -> Iterable[str]:
        layout = self.layout
        if not layout.classifies:
            return [*self._named("label", layout.labels), *self._named("predicted", layout.classes)]
        if layout.top is None:
            return ["label", "class", "probability", *(f"probability_{name}" for name in layout.classes)]
        ranked = ((f"class_{rank}", f"probability_{rank}") for rank in range(1, layout.shown + 1))
        return ["label", *chain.from_iterable(ranked)]

    def _named(self, word: str, names: tuple[str, ...]) -> list[str]:
        if self.layout.horizon is None:
            return [f"{word}_{name}" for name in names]
        return [f"{word}_{name}_{step}" for name in names for step in range(1, self.layout.horizon + 1)]

    def rows(self, answers: Answers) -> bytes:
        cells = self._classes(answers) if self.layout.classifies else self._numbers(answers)
        return _csv([answers.split, answers.first + number, *row] for number, row in enumerate(cells))

    def _classes(self, answers: Answers) -> Iterable[list[Any]]:
        classes, layout = self.layout.classes, self.layout
        for values, label in zip(answers.values, answers.labels, strict=True):
            if layout.top is None:
                index = int(values.argmax())
                yield [self._label(label), classes[index], float(values[index]), *values.tolist()]
            else:
                order = answer.likeliest(values, layout.shown)
                ranked = ((classes[one], float(values[one])) for one in order)
                yield [self._label(label), *chain.from_iterable(ranked)]

    def _numbers(self, answers: Answers) -> Iterable[list[float]]:
        for values, label in zip(answers.values, answers.labels, strict=True):
            yield [*label.astype(np.float64).T.ravel().tolist(), *values.T.ravel().tolist()]


class Npz(Format):
    """Arrays of as many rows, and the names of what they hold; read without pickle. Meanwhile records of one size."""

    @property
    def _record(self) -> np.dtype[Any]:
        layout = self.layout
        place: list[Any] = [("split", "u1"), ("row", "<i8")]
        if not layout.classifies:
            label = ("label", "<f8", (*layout.numbers[:-1], len(layout.labels)))
            return np.dtype([*place, label, ("values", "<f8", layout.numbers)])
        found = [*place, ("label", "<i8"), ("index", "<i8"), ("probability", "<f8")]
        if layout.top is not None:
            found.append(("top_indices", "<i8", (layout.shown,)))
        return np.dtype([*found, ("probabilities", "<f8", (layout.shown,))])

    def rows(self, answers: Answers) -> bytes:
        records = np.zeros(len(answers), self._record)
        records["split"] = SPLITS.index(answers.split)
        records["row"] = np.arange(answers.first, answers.first + len(answers))
        if not self.layout.classifies:
            records["label"], records["values"] = answers.labels, answers.values
            return records.tobytes()
        records["label"] = self.layout.known[answers.labels]
        records["index"] = answers.values.argmax(1)
        records["probability"] = answers.values.max(1)
        if self.layout.top is None:
            records["probabilities"] = answers.values
        else:
            order = np.array([answer.likeliest(row, self.layout.shown) for row in answers.values])
            records["top_indices"] = order
            records["probabilities"] = np.take_along_axis(answers.values, order, 1)
        return records.tobytes()

    def finish(self, written: Path, target: Path) -> None:
        kind = self._record
        records = map_array(written, kind, (written.stat().st_size // kind.itemsize,))
        with zipfile.ZipFile(target, "w") as archive:
            for field in kind.names or ():
                column = records[field]
                parts = (column[first : first + _AT_ONCE] for first in range(0, len(records), _AT_ONCE))
                if field == "split":
                    names = np.array(SPLITS)
                    _member(archive, field, names.dtype, column.shape, (names[part] for part in parts))
                else:
                    _member(archive, field, column.dtype, column.shape, parts)
            named = np.array(self.layout.classes, np.str_)
            _member(archive, "classes" if self.layout.classifies else "targets", named.dtype, named.shape, [named])
        written.unlink()


def make(name: AnswerFormat, layout: Layout) -> Format:
    """The format of this name."""
    kinds: dict[AnswerFormat, type[Format]] = {"csv": Csv, "jsonl": Jsonl, "npz": Npz}
    return kinds[name](layout)


def _csv(rows: Iterable[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _member(
    archive: zipfile.ZipFile, name: str, kind: np.dtype[Any], shape: tuple[int, ...], parts: Iterable[NDArray[Any]]
) -> None:
    """Write one array, part by part. The date of a member is always the same, and so are the bytes of the file."""
    described = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, described)
        for part in parts:
            file.write(np.ascontiguousarray(part).tobytes())
