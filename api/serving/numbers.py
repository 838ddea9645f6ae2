"""Numbers that come without JSON: CSV for series and forecasts, and the bare bytes of a tensor."""

import csv
import io
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.encode import Preprocessing
from core.encode.preprocessing import LONGER
from core.errors import Invalid

CSV = "text/csv"
RAW = "application/octet-stream"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?", re.IGNORECASE)


def from_csv(data: bytes, preprocessing: Preprocessing, most: int) -> NDArray[Any]:
    """Raw samples of rows of numbers; the first row is left out when it holds no number: it is a header.

    Of series with several numbers a step a row is a step, and the file one sample. Of those with one, a row is a
    sample; but a single column is one sample, from top to bottom.

    Raises:
        Invalid: names the line; or there are more than ``most`` samples.
    """
    steps, features = preprocessing.shape
    longest = LONGER * steps if preprocessing.variable else steps
    limit = longest * features if features > 1 else most * longest
    separators = sum(map(data.count, (b",", b"\n", b"\r")))
    if separators > 2 * limit + features + 2:  # known before any of it becomes a Python object
        raise Invalid(f"the body holds more numbers than the {limit:,} that this model reads at once")
    try:
        text = data.decode("utf-8-sig")
        lines = [(number, row) for number, row in enumerate(csv.reader(io.StringIO(text), strict=True), 1) if row]
    except UnicodeDecodeError as error:
        raise Invalid(f"the CSV is not UTF-8: {error.reason} at byte {error.start}") from None
    except csv.Error as error:
        raise Invalid(f"the CSV cannot be read: {error}") from None
    if lines and not any(_NUMBER.fullmatch(field.strip()) for field in lines[0][1]):
        del lines[0]
    if not lines:
        raise Invalid("the CSV has no row of numbers")
    rows: list[list[float]] = [_numbers(number, row) for number, row in lines]
    width = len(rows[0])
    if features > 1 or width == 1:
        for (number, _), row in zip(lines, rows, strict=True):
            if len(row) != features:
                raise Invalid(f"line {number} has {len(row)} numbers; this model reads {features} a step")
        return preprocessing.from_rows([rows])
    if len(rows) > most:
        raise Invalid(f"the CSV has {len(rows):,} samples; at most {most:,} are read")
    return preprocessing.from_rows(rows)


def from_bytes(data: bytes, preprocessing: Preprocessing, most: int) -> NDArray[Any]:
    """Raw samples of a tensor in C order: images uint8 [N, H, W, C], series little-endian float32 [N, T, F].

    Where series vary in length it is one, [T, F].

    Raises:
        Invalid: the length is that of no whole number of samples, or of more than ``most``.
    """
    kind = np.dtype(np.uint8 if preprocessing.kind == "image" else "<f4")
    one = preprocessing.shape[-1:] if preprocessing.variable else preprocessing.shape
    size = math.prod(one) * kind.itemsize
    if not data or len(data) % size:
        what = "step" if preprocessing.variable else "sample"
        shape = "x".join(map(str, one))
        raise Invalid(f"the body has {len(data):,} bytes; a {what} of {shape} {kind.name} has {size:,}")
    values = np.frombuffer(data, kind).reshape(-1, *one)
    if preprocessing.variable:
        return preprocessing.from_rows([values])
    if len(values) > most:
        raise Invalid(f"the body has {len(values):,} samples; at most {most:,} are read")
    return preprocessing.from_rows(values)


def _numbers(line: int, row: list[str]) -> list[float]:
    for place, field in enumerate(row, 1):
        if not _NUMBER.fullmatch(field.strip()):
            raise Invalid(f"line {line}, column {place}: {field[:40]!r} is no number")
    return [float(field) for field in row]
