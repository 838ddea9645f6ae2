"""From the tensors of a request to raw samples, as ``:predict`` reads them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.protocol.tensors import BYTES, Tensor
from api.serving.bodies import MOST_INPUTS
from core.encode import Preprocessing, image
from core.errors import Invalid

R = TypeVar("R")
INPUT, LENGTHS = "input", "lengths"
MOST_FILES = 64
"""Files may be small and unpack to much; a request of so many is bounded."""


def read(inputs: dict[str, Tensor], preprocessing: Preprocessing) -> NDArray[Any]:
    """Raw samples as ``Preprocessing.from_rows`` gives them.

    Raises:
        Invalid: an input is missing, too many, or does not fit the model; names the input and the sample.
    """
    known = (INPUT, LENGTHS) if takes_lengths(preprocessing) else (INPUT,)
    for name in inputs:
        if name not in known:
            raise Invalid(f"this model has no input {name!r}, only {' and '.join(map(repr, known))}")
    if INPUT not in inputs:
        raise Invalid(f"the input {INPUT!r} is missing")
    tensor = inputs[INPUT]
    if not (tensor.values.ndim and 1 <= len(tensor.values) <= MOST_INPUTS):
        raise Invalid(f"input {INPUT!r}: its first axis must be the samples, 1 to {MOST_INPUTS:,} in a request")
    if tensor.datatype == BYTES:
        if LENGTHS in inputs:
            raise Invalid(f"input {LENGTHS!r} belongs to a tensor of numbers; BYTES have their lengths in them")
        return _of_bytes(tensor.values, preprocessing)
    if preprocessing.tokens is not None:
        raise Invalid(f"input {INPUT!r}: this model reads texts; send {BYTES}, not {tensor.datatype}")
    rows: Any = tensor.values
    if preprocessing.frames is not None and rows.ndim != 2:
        raise Invalid(f"input {INPUT!r}: recordings are a tensor [samples, time], not one of {rows.ndim} axes")
    if LENGTHS in inputs:
        rows = _cut(rows, inputs[LENGTHS])
    return _all(rows, preprocessing.from_rows)


def takes_lengths(preprocessing: Preprocessing) -> bool:
    """Whether the samples of one request may differ in length and are sent as numbers."""
    return preprocessing.tokens is None and (preprocessing.variable or preprocessing.frames is not None)


def are_files(inputs: dict[str, Tensor], preprocessing: Preprocessing) -> bool:
    """Whether the samples are files, which take long to read."""
    return INPUT in inputs and inputs[INPUT].datatype == BYTES and preprocessing.kind in ("image", "audio")


def _of_bytes(values: NDArray[Any], preprocessing: Preprocessing) -> NDArray[Any]:
    """Texts, or the files of images or recordings, [N] or [N, 1]."""
    if values.size != len(values):
        raise Invalid(f"input {INPUT!r}: a tensor of {BYTES} has one item a sample, so its shape is [samples]")
    items: list[bytes] = values.ravel().tolist()
    if preprocessing.tokens is not None:
        return _all(_all(items, _texts), preprocessing.from_rows)
    if preprocessing.kind == "series":
        raise Invalid(f"input {INPUT!r}: this model reads sequences of numbers; send a tensor of FP32, not {BYTES}")
    if len(items) > MOST_FILES:
        raise Invalid(f"input {INPUT!r}: at most {MOST_FILES} files are read in a request, and there are {len(items)}")
    if preprocessing.frames is not None:
        return _all(items, lambda files: np.concatenate([preprocessing.from_recording(one) for one in files]))
    return _all(items, lambda files: np.stack([image.decode(one, preprocessing.shape) for one in files]))


def _texts(items: list[bytes]) -> list[str]:
    return [one.decode() for one in items]


def _cut(rows: NDArray[Any], lengths: Tensor) -> list[NDArray[Any]]:
    """The padded samples without what is behind the end of each."""
    ends = lengths.values
    if ends.dtype.kind not in "iu" or lengths.datatype == "BOOL" or ends.shape != (len(rows),):
        raise Invalid(f"input {LENGTHS!r}: it must hold one whole number (INT64) for each of the {len(rows)} samples")
    most = rows.shape[1] if rows.ndim > 1 else 0
    if ends.min() < 1 or ends.max() > most:
        raise Invalid(f"input {LENGTHS!r}: each must be from 1 to {most}, which is how long {INPUT!r} is")
    return [row[: int(end)] for row, end in zip(rows, ends, strict=True)]


def _all(rows: Sequence[Any] | NDArray[Any], read: Callable[[Any], R]) -> R:
    """``read(rows)``; where that is refused, the first sample that is refused alone is named."""
    try:
        return read(rows)
    except ValueError as error:
        for index in range(len(rows)):
            try:
                read(rows[index : index + 1])
            except ValueError as wrong:
                raise Invalid(f"input {INPUT!r}, sample {index}: {_sentence(wrong)}") from None
        raise Invalid(f"input {INPUT!r}: {_sentence(error)}") from None


def _sentence(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"the text is not UTF-8: {error.reason} at byte {error.start}"
    return str(error)
