"""An inference request: JSON, perhaps with the tensors' bytes behind it, checked as far as no model is needed."""

import math
from dataclasses import dataclass
from typing import Annotated

import msgspec

from api.protocol import tensors
from api.protocol.tensors import BYTES, DATATYPES, Tensor
from api.serving.bodies import MOST_INPUTS
from core.errors import Invalid

HEADER = "Inference-Header-Content-Length"
MOST_NAME = 256
MOST_TENSORS = 16
MOST_AXES = 8
MOST_SIDE = 2**62
REFUSED = {
    "sequence_id": "each request stands alone, there are no sequences",
    "shared_memory_region": "there is no shared memory; send the tensor",
    "classification": "there is no classification extension; ask for the outputs 'class' and 'probabilities'",
}
"""Triton's parameters that would change the answer. Unknown ones are hints, which the protocol lets a server ignore."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME)]
_Parameters = dict[str, bool | int | float | str]
_Side = Annotated[int, msgspec.Meta(ge=0, le=MOST_SIDE)]


class _Input(msgspec.Struct, forbid_unknown_fields=True):
    name: _Name
    shape: Annotated[list[_Side], msgspec.Meta(min_length=1, max_length=MOST_AXES)]
    datatype: str
    parameters: _Parameters | None = None
    data: msgspec.Raw = msgspec.Raw()  # absent


class _Output(msgspec.Struct, forbid_unknown_fields=True):
    name: _Name
    parameters: _Parameters | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    inputs: Annotated[list[_Input], msgspec.Meta(min_length=1, max_length=MOST_TENSORS)]
    id: Annotated[str, msgspec.Meta(max_length=MOST_NAME)] | None = None
    parameters: _Parameters | None = None
    outputs: Annotated[list[_Output], msgspec.Meta(max_length=MOST_TENSORS)] | None = None


_DECODER = msgspec.json.Decoder(_Body)


@dataclass(frozen=True)
class Request:
    """The inputs by name, and the wanted outputs: whether each is sent as bytes.

    ``outputs`` empty: all of them, as ``binary`` says.
    """

    id: str | None
    inputs: dict[str, Tensor]
    outputs: dict[str, bool]
    binary: bool


def read(body: bytes | memoryview, header: str | None) -> Request:
    """The request in a body; ``header`` is the value of Inference-Header-Content-Length, if there is one.

    What it takes in memory is bounded by the body's size.

    Raises:
        Invalid: it is none, or what it says of itself is not so.
    """
    whole = memoryview(body)
    size = len(whole) if header is None else _size(header, len(whole))
    try:
        parsed = _DECODER.decode(whole[:size])
    except msgspec.ValidationError as error:
        raise Invalid(f"the JSON is no inference request: {str(error)[:MOST_NAME]}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        more = "" if header is not None else f"; bytes behind it need the header {HEADER}"
        raise Invalid(f"the body is not JSON: {error}{more}") from None
    given = _parameters("the request", parsed.parameters)
    binary = _flag("the request", "binary_data_output", given.get("binary_data_output", False))
    inputs, rest = _inputs(parsed.inputs, whole[size:])
    if rest:
        raise Invalid(f"{rest} bytes follow that belong to no input: the binary_data_size of the inputs must add up")
    return Request(parsed.id, inputs, _outputs(parsed.outputs or [], binary), binary)


def _size(header: str, most: int) -> int:
    if not (header.isascii() and header.isdigit() and len(header) <= 18):
        raise Invalid(f"{HEADER} must be the number of bytes of the JSON, not {header[:64]!r}")
    if int(header) > most:
        raise Invalid(f"{HEADER} is {int(header)}, and the body has {most} bytes")
    return int(header)


def _inputs(given: list[_Input], binary: memoryview) -> tuple[dict[str, Tensor], int]:
    """The tensors, and how many bytes are left over."""
    found: dict[str, Tensor] = {}
    for one in given:
        what, shape = f"input {one.name!r}", tuple(one.shape)
        if one.name in found:
            raise Invalid(f"{what} is there twice")
        if one.datatype not in DATATYPES:
            raise Invalid(f"{what}: the datatype must be one of {', '.join(DATATYPES)}, not {one.datatype[:64]!r}")
        if one.datatype == BYTES and math.prod(shape) > MOST_INPUTS:
            raise Invalid(f"{what}: a tensor of {BYTES} has at most {MOST_INPUTS:,} items")
        size, data = _parameters(what, one.parameters).get("binary_data_size"), bytes(one.data)
        if size is None:
            if not data:
                raise Invalid(f"{what} has neither data nor a parameter binary_data_size")
            found[one.name] = tensors.from_json(one.name, one.datatype, shape, data)
            continue
        if data:
            raise Invalid(f"{what} has both data and a parameter binary_data_size")
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(binary):
            raise Invalid(
                f"{what}: binary_data_size must be the number of its bytes, of which {len(binary)} are left behind "
                f"the JSON ({HEADER} says where that ends)"
            )
        found[one.name] = tensors.from_bytes(one.name, one.datatype, shape, binary[:size])
        binary = binary[size:]
    return found, len(binary)


def _outputs(given: list[_Output], binary: bool) -> dict[str, bool]:
    wanted: dict[str, bool] = {}
    for one in given:
        what = f"output {one.name!r}"
        if one.name in wanted:
            raise Invalid(f"{what} is asked for twice")
        wanted[one.name] = _flag(what, "binary_data", _parameters(what, one.parameters).get("binary_data", binary))
    return wanted


def _parameters(what: str, given: _Parameters | None) -> _Parameters:
    if not given:
        return {}
    for name, sentence in REFUSED.items():
        if given.get(name):  # 0 and "" mean: not
            raise Invalid(f"{what}: {name} is not supported: {sentence}")
    return given


def _flag(what: str, name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{what}: {name} must be true or false")
    return value
