"""NumPy archives: images or series as arrays, with their labels; read piece by piece, and nothing is ever unpickled."""

import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from tokenize import TokenError
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from core.ingest import numbers, pixels
from core.ingest.archives import check_count, damage
from core.ingest.findings import Refused, shown
from core.ingest.members import Member
from core.ingest.names import split_of
from core.ingest.samples import CHUNK_BYTES, Samples, bad_label
from core.ingest.work import Work

_INPUTS = ("x", "inputs", "images", "data", "features", "series")
_TARGETS = ("y", "targets", "target", "labels", "label")
_HINT = "name them x_train, y_train, x_test and y_test, or x and y"


@dataclass(frozen=True)
class Array:
    """An array in the file; ``key`` is its name there."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    def __str__(self) -> str:
        return f"{shown(self.key)} ({shown(str(self.dtype))}, {' x '.join(map(str, self.shape)) or 'one number'})"


def read(members: list[Member], work: Work) -> Samples:
    """Inputs and targets of each split. Refused: several files, objects, other shapes than images and series have."""
    if len(members) > 1:
        raise Refused(
            f"there are {len(members)} npz files, {members[0].name} and {members[1].name}; send one with all arrays"
        )
    (member,) = members
    with member.open() as file, ExitStack() as opened:
        with damage(member.name):
            check_count(file, member.name)
            archive = opened.enter_context(zipfile.ZipFile(file))
            arrays = [_header(archive, info, member.name) for info in archive.infolist()]
        return _read(archive, arrays, member.name, work)


def _read(archive: zipfile.ZipFile, arrays: list[Array], name: str, work: Work) -> Samples:
    """All pairs of inputs and targets."""
    twice = [key for key, count in Counter(array.key for array in arrays).items() if count > 1]
    if twice:
        raise Refused(f"{name}: {shown(twice[0])} is there twice")
    pairs = _pairs(arrays, name)
    total = sum(_size(array) for _, *pair in pairs for array in pair)
    if total > work.limit_bytes:
        raise Refused(f"{name} unpacks to {total:,} bytes; the limit is {work.limit_bytes:,}")
    for array in (one for _, *both in pairs for one in both):
        if array.fortran and _size(array) > work.memory_bytes:
            raise Refused(
                f"{name}: {array} is stored column by column, so that all of it has to be in memory, and the limit "
                f"there is {work.memory_bytes:,} bytes; store it by rows (numpy.ascontiguousarray)"
            )
    inputs = [pair[1] for pair in pairs]
    samples = _new(_kind(inputs, name, work), inputs, name, work)
    samples.expected = sum(array.shape[0] for array in inputs)
    for pair in pairs:
        _read_pair(samples, archive, pair, name, work)
    work.findings.note(f"{name}: {', '.join(str(array) for _, *pair in pairs for array in pair)}")
    return samples


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: str) -> Array:
    key = info.filename.removesuffix(".npy")
    try:
        with archive.open(info) as stream:
            shape, fortran, dtype = _read_header(stream)
    except (ValueError, SyntaxError, TypeError, KeyError, IndexError, RecursionError, TokenError) as error:
        raise Refused(f"{file}: {shown(key)} is no npy array: {shown(str(error))}") from error
    if dtype.hasobject:
        raise Refused(
            f"{file}: {shown(key)} holds Python objects, which are never unpickled; store numbers and plain strings"
        )
    if any(side < 0 for side in shape):
        raise Refused(f"{file}: {shown(key)} has the shape {shape}")
    return Array(key, shape, dtype, fortran)


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is stored in Fortran's order, and type, by NumPy's own reader; nothing is unpickled here."""
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its version is {version}; 1.0 and 2.0 are read")
    with warnings.catch_warnings():  # files of Python 2 are fine
        warnings.simplefilter("ignore")
        return npy.read_array_header_1_0(stream) if version == (1, 0) else npy.read_array_header_2_0(stream)


def _pairs(arrays: list[Array], file: str) -> list[tuple[str | None, Array, Array]]:
    """(split, inputs, targets), told by the words in the arrays' names."""
    found: dict[str | None, dict[str, Array]] = {}
    for array in arrays:
        words = re.split(r"[^a-z0-9]+", array.key.lower())
        roles = [role for role, known in (("inputs", _INPUTS), ("targets", _TARGETS)) if set(words) & set(known)]
        if len(roles) == 1:
            other = found.setdefault(split_of(array.key.replace(".", "_")), {}).setdefault(roles[0], array)
            if other is not array:
                raise Refused(f"{file}: {other} and {array} are both {roles[0]} of one split; {_HINT}")
    pairs = []
    for split, roles_found in sorted(found.items(), key=lambda one: one[0] or ""):
        if len(roles_found) < 2:
            (array,) = roles_found.values()
            raise Refused(f"{file}: {array} has no counterpart; {_HINT}")
        pairs.append((split, roles_found["inputs"], roles_found["targets"]))
    if not pairs:
        raise Refused(f"{file} holds {', '.join(map(str, arrays[:8])) or 'nothing'}; {_HINT}")
    for _, inputs, targets in pairs:
        known = targets.dtype.kind in "iubfUS" and targets.dtype.itemsize
        if not known or targets.shape not in (targets.shape[:1], (*targets.shape[:1], 1)):
            raise Refused(f"{file}: {targets} are no labels; give one class per sample, a whole number or a word")
        if not inputs.shape or inputs.shape[0] != targets.shape[0]:
            raise Refused(f"{file}: {inputs} and {targets} must have equally many samples")
        if not inputs.shape[0]:
            raise Refused(f"{file}: {inputs} is empty")
    return pairs


def _kind(inputs: list[Array], file: str, work: Work) -> Literal["image", "series"]:
    """What all inputs can be read as; the options decide where both are possible."""
    for kind in ("image", "series"):
        if all(_can_be(kind, array, work.options.kind) for array in inputs):
            if len({array.shape[1:] for array in inputs}) > 1:
                break
            return kind
    else:
        raise Refused(
            f"{file}: {inputs[0]} are no samples. Images are whole numbers 0-255, best uint8, of [N, height, width] or "
            "[N, height, width, channels]; series are numbers of [N, time] or [N, time, features]"
            + ("" if work.options.kind else "; the option kind says which, where both are possible")
        )
    raise Refused(f"{file}: {' and '.join(map(str, inputs))} are not samples of one shape")


def _can_be(kind: str, array: Array, asked: str | None) -> bool:
    axes, numeric = len(array.shape), array.dtype.kind in "iubf"
    if kind == "image":
        telling = array.dtype == np.uint8 or axes == 4
        return asked != "series" and axes in (3, 4) and array.dtype.kind in "iub" and (telling or asked == "image")
    return asked != "image" and axes in (2, 3) and numeric and (array.dtype != np.uint8 or asked == "series")


def _new(kind: Literal["image", "series"], inputs: list[Array], file: str, work: Work) -> Samples:
    shape = inputs[0].shape[1:]
    if 0 in shape:
        raise Refused(f"{file}: {inputs[0]} has samples without numbers")
    if kind == "series":
        return Samples(work, "series", shape[1:] or (1,), "float32")
    height, width, channels = (*shape, 1)[:3]
    if channels not in pixels.COLOURS:
        raise Refused(f"{file}: {inputs[0]}: the last axis must be 1, 3 or 4 channels, [N, height, width, channels]")
    return Samples(work, "image", pixels.target_shape((height, width, channels), work), "uint8")


def _size(array: Array) -> int:
    total = array.dtype.itemsize
    for side in array.shape:
        total *= side
    return total


def _read_pair(
    samples: Samples, archive: zipfile.ZipFile, pair: tuple[str | None, Array, Array], file: str, work: Work
) -> None:
    split, inputs, targets = pair
    numeric = work.options.task == "regression"
    pieces = _pieces(archive, targets, file)
    labels = [label for piece in pieces for label in _labels(piece.reshape(-1), targets, file, numeric)]
    without_last = len(inputs.shape) == (3 if samples.kind == "image" else 2)
    shape = (*inputs.shape[1:], 1) if without_last else inputs.shape[1:]
    origin, row = f"{file}/{inputs.key}", 0
    for piece in _pieces(archive, inputs, file):
        values = piece.reshape(len(piece), *shape)
        keep, unreadable = _readable(samples.kind, values)
        for index in range(len(values)):
            reason = bad_label(labels[row + index]) or (None if keep[index] else unreadable)
            if reason is None:
                samples.describe(labels[row + index], split, origin, row + index + 1)
            else:
                keep[index] = False
                work.findings.skip(origin, reason, row + index + 1)
        if not keep.any():
            pass
        elif samples.kind == "image":
            samples.write(pixels.converted(values[keep].astype(np.uint8), samples.item, work), 1)
        else:
            good = numbers.narrowed(values[keep].astype(np.float64))
            samples.write(good.reshape(-1, shape[1]), shape[0])
        row += len(values)


def _readable(kind: str, values: NDArray[Any]) -> tuple[NDArray[np.bool_], str]:
    """Which samples [N, ...] have only values that are read, and what is to be said of the others."""
    flat = values.reshape(len(values), -1)
    if kind == "image":
        good, reason = (flat >= 0) & (flat <= 255), "pixels must be from 0 to 255"
    else:
        good = np.isfinite(numbers.narrowed(flat.astype(np.float64)))
        reason = "a number is not finite, or too large for float32"
    return np.asarray(good.all(axis=1)), reason


def _labels(values: NDArray[Any], array: Array, file: str, numeric: bool) -> list[str]:
    if values.dtype.kind == "U" and values.view(np.dtype("u4").newbyteorder(values.dtype.byteorder)).max() > 0x10FFFF:
        raise Refused(f"{file}: {array} is damaged: it holds characters that do not exist")
    return [_label(value, numeric) for value in values]


def _label(value: Any, numeric: bool) -> str:
    if isinstance(value, np.floating) and not np.isfinite(value) and not numeric:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace").strip()
    if isinstance(value, np.bool_):
        return str(int(value))
    return str(value).strip()


def _pieces(archive: zipfile.ZipFile, array: Array, file: str) -> Iterator[NDArray[Any]]:
    """The array along its first axis, some megabytes at a time; all at once if it is stored the other way round."""
    names = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    count, row = array.shape[0], _size(array) // array.shape[0]
    step = count if array.fortran else max(1, CHUNK_BYTES // max(1, row))
    with ExitStack() as opened:
        with damage(file):
            stream = opened.enter_context(archive.open(names[array.key]))
            _read_header(stream)
        for start in range(0, count, step):
            shape = (min(step, count - start), *array.shape[1:])
            with damage(file):
                data = stream.read(shape[0] * row)
                if len(data) < shape[0] * row:
                    raise EOFError
            values = np.frombuffer(data, array.dtype)
            yield values.reshape(shape[::-1]).T if array.fortran else values.reshape(shape)
