"""Tensors of the protocol: numbers or strings in JSON, or little-endian bytes -> arrays, and back."""

import math
import re
import struct
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors import Invalid

NUMBERS = {
    "BOOL": "|u1",
    "UINT8": "|u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "|i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""The datatypes that hold numbers, as numpy calls them; a BOOL becomes 0 or 1."""
BYTES = "BYTES"
DATATYPES = (*NUMBERS, BYTES)
_NESTED = re.compile(rb"\s*\[\s*\[")
_LENGTH = 4
"""Bytes before each item of a BYTES tensor, which say how long it is."""


@dataclass(frozen=True)
class Tensor:
    """An input; ``values`` are numbers, or objects of type bytes, of the tensor's shape."""

    name: str
    datatype: str
    values: NDArray[Any]


def from_bytes(name: str, datatype: str, shape: tuple[int, ...], data: memoryview) -> Tensor:
    """A tensor from its bytes behind the JSON, row-major; numbers are not copied.

    Raises:
        Invalid: the bytes are not as many as the shape says, or not such items.
    """
    count = math.prod(shape)
    if datatype == BYTES:
        return Tensor(name, datatype, _objects(_items(name, data, count), shape))
    kind = np.dtype(NUMBERS[datatype])
    if len(data) != count * kind.itemsize:
        raise Invalid(
            f"input {name!r}: {_shown(shape)} of {datatype} takes {count * kind.itemsize} bytes, and binary_data_size "
            f"is {len(data)}"
        )
    values = np.frombuffer(data, kind)
    if datatype == "BOOL" and count and values.max() > 1:
        raise Invalid(f"input {name!r}: the bytes of a BOOL are 0 or 1")
    return Tensor(name, datatype, values.reshape(shape))


def from_json(name: str, datatype: str, shape: tuple[int, ...], data: bytes) -> Tensor:
    """A tensor from its ``data``, flat in row-major order, or nested as the shape is.

    Raises:
        Invalid: no such list, or not as many items as the shape says.
    """
    if datatype == "FP16":
        raise Invalid(f"input {name!r}: FP16 has no form in JSON; send it as binary data, or as FP32")
    items = _flat(name, datatype, shape, data)
    if len(items) != math.prod(shape):
        raise Invalid(f"input {name!r}: {_shown(shape)} takes {math.prod(shape)} items, and its data has {len(items)}")
    if datatype == BYTES:
        return Tensor(name, datatype, _objects([one.encode() for one in items], shape))
    try:
        return Tensor(name, datatype, _numbers(items, datatype).reshape(shape))
    except (OverflowError, ValueError):  # the latter of a byte
        raise Invalid(f"input {name!r}: its data has a number that is no {datatype}") from None


def _numbers(items: list[Any], datatype: str) -> NDArray[Any]:
    """Several times faster than numpy with a list of Python's numbers, for the types that are sent most."""
    if datatype == "UINT8":
        return np.frombuffer(bytearray(items), np.uint8)
    if datatype[0] != "F":
        return np.array(items, NUMBERS[datatype])
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and whoever reads it refuses it
        return np.frombuffer(struct.pack(f"{len(items)}d", *items)).astype(NUMBERS[datatype])


def _flat(name: str, datatype: str, shape: tuple[int, ...], data: bytes) -> list[Any]:
    """The items of flat or nested data; what a body of many brackets would take is never made."""
    item: Any = str if datatype == BYTES else bool if datatype == "BOOL" else float if datatype[0] == "F" else int
    form: Any = list[item]
    nested = len(shape) > 1 and _NESTED.match(data) is not None
    if nested:
        for _ in shape[1:]:
            form = list[form]
        lists = sum(math.prod(shape[:axis]) for axis in range(len(shape)))
        if datatype != BYTES and data.count(b"[") != lists:  # strings may have brackets
            raise Invalid(f"input {name!r}: its data is nested in another way than {_shown(shape)}, or incomplete")
    try:
        items: list[Any] = msgspec.json.decode(data, type=form)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        sentence = str(error)[:200].replace("$", "data")
        raise Invalid(f"input {name!r}: its data is no list of {datatype}: {sentence}") from None
    if not nested:
        return items
    for axis, side in enumerate(shape[1:], 1):
        if any(len(one) != side for one in items):
            raise Invalid(f"input {name!r}: a list at depth {axis} of its data has not the {side} items of its shape")
        items = [inner for one in items for inner in one]
    return items


def _items(name: str, data: memoryview, count: int) -> list[bytes]:
    items: list[bytes] = []
    place = 0
    while place < len(data) and len(items) <= count:
        size = int.from_bytes(data[place : place + _LENGTH], "little")
        end = place + _LENGTH + size
        if end > len(data):
            raise Invalid(f"input {name!r}: item {len(items)} of its BYTES is longer than what is left of the tensor")
        items.append(bytes(data[place + _LENGTH : end]))
        place = end
    if len(items) != count:
        found = "more" if place < len(data) else len(items)
        raise Invalid(f"input {name!r}: its shape takes {count} items, and its BYTES have {found}")
    return items


def _objects(items: list[bytes], shape: tuple[int, ...]) -> NDArray[Any]:
    values = np.empty(len(items), object)
    values[:] = items
    return values.reshape(shape)


def _shown(shape: tuple[int, ...]) -> str:
    return f"a tensor of shape {list(shape)}"


def to_bytes(values: NDArray[Any]) -> bytes:
    """The other way: numbers, or an object array of str, as they follow the JSON of an answer."""
    if values.dtype != object:
        return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    items = [one.encode() for one in values.ravel()]
    return b"".join(len(one).to_bytes(_LENGTH, "little") + one for one in items)
