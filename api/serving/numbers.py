"""Numbers in bulk: JSON in its common form, CSV for series and forecasts, and the bare bytes of a tensor."""

import csv
import io
import math
import re
import struct
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.encode import Preprocessing
from core.encode.preprocessing import LONGER
from core.errors import Invalid

CSV = "text/csv"
RAW = "application/octet-stream"
_T = TypeVar("_T")


class _Body(msgspec.Struct, Generic[_T], forbid_unknown_fields=True):
    inputs: list[_T]


_DECODERS: dict[tuple[str, int], msgspec.json.Decoder[Any]] = {
    ("image", 2): msgspec.json.Decoder(_Body[list[list[int]]]),
    ("image", 3): msgspec.json.Decoder(_Body[list[list[list[int]]]]),
    ("series", 1): msgspec.json.Decoder(_Body[list[float]]),
    ("series", 2): msgspec.json.Decoder(_Body[list[list[float]]]),
}
"""By what a model reads and the number of axes of a sample."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?", re.IGNORECASE)


def from_json(data: bytes, preprocessing: Preprocessing, most: int) -> NDArray[Any] | None:
    """Raw samples of ``{"inputs": [...]}`` that are images of whole numbers, or series, right in form and number.

    Null for all else, be it right or wrong: who reads rows of any form, slower, says what is wrong with them.
    """
    shape = preprocessing.shape
    for sides in (shape[:-1], shape) if shape[-1:] == (1,) else (shape,):
        decoder = _DECODERS.get((preprocessing.kind, len(sides)))
        if decoder is None:
            continue
        try:
            inputs = decoder.decode(data).inputs
            if not 1 <= len(inputs) <= most:
                return None
            if preprocessing.kind == "image":  # any bytes are pixels
                return _array(inputs, sides, np.uint8).reshape(-1, *shape)
            if preprocessing.variable:
                return preprocessing.from_rows([_array(one, sides[1:], np.float64) for one in inputs])
            return preprocessing.from_rows(_array(inputs, sides, np.float64))
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError):
            continue
    return None


def _array(nested: list[Any], sides: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    """Lists of lists of these lengths as one array [N, *sides]. ValueError: they are others, or no such numbers."""
    flat = nested
    for side in sides:
        if set(map(len, flat)) != {side}:
            raise ValueError("the lists have other lengths")
        joined: list[Any] = []
        for one in flat:
            joined += one
        flat = joined
    # both are several times faster than numpy with a list of Python's numbers; what is no byte is a ValueError
    data = bytearray(flat) if kind is np.uint8 else struct.pack(f"{len(flat)}d", *flat)
    return np.frombuffer(data, kind).reshape(len(nested), *sides)


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

    Where series vary in length it is one, [T, F]. A recording is one too, float32 [T] from -1 to 1.

    Raises:
        Invalid: the length is that of no whole number of samples, or of more than ``most``.
    """
    if preprocessing.frames is not None:
        if not data or len(data) % 4:
            raise Invalid(f"the body has {len(data):,} bytes; a recording has 4 (a float32) for each of its samples")
        return preprocessing.from_signal(np.frombuffer(data, "<f4"))
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
