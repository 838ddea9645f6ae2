"""Inference requests, right ones and hostile ones, against the parser alone: no model, no server."""

import contextlib
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from api.protocol import compression
from api.protocol.request import Request, read
from api.protocol.tensors import NUMBERS, to_bytes
from core.errors import Invalid, TooLarge, UnsupportedMedia


def packed(document: Any, *binary: bytes) -> tuple[bytes, str]:
    """A body, and the header that says where its JSON ends."""
    head = json.dumps(document).encode()
    return b"".join([head, *binary]), str(len(head))


def one(**fields: Any) -> dict[str, Any]:
    """A request of one tensor."""
    return {"inputs": [{"name": "x", "shape": [2], "datatype": "UINT8", **fields}]}


def size(count: int, **fields: Any) -> dict[str, Any]:
    return one(parameters={"binary_data_size": count}, **fields)


WHOLE = {"data": [1, 2]}
REFUSED: dict[str, tuple[tuple[bytes, str | None], str]] = {
    "no JSON": ((b"{", None), "not JSON"),
    "nothing": ((b"", None), "not JSON"),
    "a list": ((b"[]", None), "Expected `object`"),
    "not UTF-8": ((b'{"id": "\xff"}', None), "not JSON"),
    "deep": ((b"[" * 100_000, None), "JSON"),
    "deep data": ((b'{"inputs":[{"name":"x","shape":[2],"datatype":"UINT8","data":' + b"[" * 100_000, None), "JSON"),
    "deep and closed": (packed(one(data=json.loads("[" * 500 + "]" * 500))), "no list of UINT8"),
    "header missing": ((packed(size(2), b"ab")[0], None), "Inference-Header-Content-Length"),
    "header too large": ((packed(size(2), b"ab")[0], "100000"), "and the body has"),
    "header too small": ((packed(size(2), b"ab")[0], "10"), "not JSON"),
    "header negative": ((packed(size(2), b"ab")[0], "-1"), "number of bytes"),
    "header no number": ((packed(size(2), b"ab")[0], "٣"), "number of bytes"),
    "header huge": ((packed(size(2), b"ab")[0], "9" * 5000), "number of bytes"),
    "bytes left over": (packed(size(2), b"abc"), "1 bytes follow"),
    "bytes after JSON": (packed(one(**WHOLE), b"abc"), "3 bytes follow"),
    "bytes missing": (packed(size(2), b"a"), "of which 1 are left"),
    "size of another shape": (packed(size(3), b"abc"), "takes 2 bytes"),
    "size negative": (packed(size(-1), b"ab"), "binary_data_size"),
    "size true": (packed(one(parameters={"binary_data_size": True}), b"a"), "binary_data_size"),
    "size a string": (packed(one(parameters={"binary_data_size": "2"}), b"ab"), "binary_data_size"),
    "size a fraction": (packed(one(parameters={"binary_data_size": 2.0}), b"ab"), "binary_data_size"),
    "data and size": (packed(size(2, data=[1, 2]), b"ab"), "both data and"),
    "neither": (packed(one()), "neither data nor"),
    "product overflows": (packed(size(2, shape=[2**33, 2**33, 2**62]), b"ab"), "takes"),
    "product overflows in JSON": (packed(one(shape=[2**33, 2**33], data=[[1]])), "nested in another way"),
    "product wraps to 0": (packed(size(0, shape=[2**32, 2**32])), "takes"),
    "many items claimed": (packed(one(shape=[2**62], data=[])), "items"),
    "negative axis": (packed(one(shape=[-1], **WHOLE)), "shape"),
    "axis too large": (packed(one(shape=[2**64], **WHOLE)), "shape"),
    "axis a fraction": (packed(one(shape=[1.5], **WHOLE)), "shape"),
    "no axes": (packed(one(shape=[], data=[])), "shape"),
    "many axes": (packed(one(shape=[1] * 9, data=[1])), "shape"),
    "unknown datatype": (packed(one(datatype="BF16", **WHOLE)), "must be one of"),
    "FP16 in JSON": (packed(one(datatype="FP16", **WHOLE)), "FP16 has no form in JSON"),
    "strings for numbers": (packed(one(data=["1", "2"])), "no list of UINT8"),
    "numbers for strings": (packed(one(datatype="BYTES", **WHOLE)), "no list of BYTES"),
    "null": (packed(one(data=[1, None])), "no list of UINT8"),
    "a fraction": (packed(one(data=[1, 2.5])), "no list of UINT8"),
    "NaN": (packed(one(datatype="FP32", data=[1, float("nan")])), "JSON"),
    "too large for a double": (
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1e999]}]}', None),
        "FP32",
    ),
    "256": (packed(one(data=[1, 256])), "no UINT8"),
    "-1": (packed(one(data=[1, -1])), "no UINT8"),
    "2**64": (packed(one(datatype="INT64", data=[1, 2**64])), "no INT64"),
    "thousands of digits": (
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"INT64","data":[%s]}]}' % (b"9" * 9999), None),
        "INT64",
    ),
    "too few": (packed(one(data=[1])), "takes 2 items"),
    "too many": (packed(one(data=[1, 2, 3])), "takes 2 items"),
    "ragged": (packed(one(shape=[2, 2], data=[[1, 2], [3]])), "not the 2 items"),
    "ragged, as many": (packed(one(shape=[2, 2], data=[[1, 2, 3], [4]])), "not the 2 items"),
    "nested too deep": (packed(one(shape=[2, 1], data=[[[1]], [[2]]])), "nested in another way"),
    "half nested": (packed(one(shape=[2, 2], data=[[1, 2], 3, 4])), "nested in another way"),
    "a BOOL of 2": (packed(size(2, datatype="BOOL"), b"\x01\x02"), "0 or 1"),
    "an item too long": (packed(size(5, datatype="BYTES", shape=[1]), b"\x02\0\0\0a"), "longer than what is left"),
    "an item of 4 GiB": (packed(size(4, datatype="BYTES", shape=[1]), b"\xff" * 4), "longer than what is left"),
    "half a length": (packed(size(6, datatype="BYTES", shape=[2]), b"\0\0\0\0\0\0"), "longer"),
    "too few BYTES": (packed(size(4, datatype="BYTES", shape=[2]), b"\0\0\0\0"), "takes 2 items"),
    "half a character": (
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":["\\ud800"]}]}', None),
        "JSON",
    ),
    "the same input twice": (packed({"inputs": one(**WHOLE)["inputs"] * 2}), "twice"),
    "no inputs": (packed({"inputs": []}), "inputs"),
    "inputs missing": (packed({}), "inputs"),
    "many inputs": (packed({"inputs": [{**one(**WHOLE)["inputs"][0], "name": str(n)} for n in range(17)]}), "inputs"),
    "unknown field": (packed({**one(**WHOLE), "input": 1}), "unknown field `input`"),
    "huge field": (packed({**one(**WHOLE), "x" * 10_000: 1}), "unknown field `x"),
    "huge datatype": (packed(one(datatype="x" * 10_000, **WHOLE)), "must be one of"),
    "many BYTES": (packed(size(4 * 4097, datatype="BYTES", shape=[4097]), bytes(4 * 4097)), "at most 4,096"),
    "more BYTES": (packed(size(400, datatype="BYTES", shape=[2]), bytes(400)), "and its BYTES have more"),
    "huge id": (packed({**one(**WHOLE), "id": "x" * 257}), "id"),
    "huge name": (packed(one(name="x" * 257, **WHOLE)), "name"),
    "id a number": (packed({**one(**WHOLE), "id": 1}), "id"),
    "the same output twice": (packed({**one(**WHOLE), "outputs": [{"name": "a"}] * 2}), "asked for twice"),
    "binary_data a number": (
        packed({**one(**WHOLE), "outputs": [{"name": "a", "parameters": {"binary_data": 1}}]}),
        "true or",
    ),
    "binary_data_output a string": (
        packed({**one(**WHOLE), "parameters": {"binary_data_output": "yes"}}),
        "true or false",
    ),
    "parameters of parameters": (packed({**one(**WHOLE), "parameters": {"a": {}}}), "parameters"),
    "a sequence": (packed({**one(**WHOLE), "parameters": {"sequence_id": 7}}), "no sequences"),
    "shared memory": (
        packed(one(parameters={"shared_memory_region": "r", "shared_memory_byte_size": 2})),
        "shared memory",
    ),
    "classification": (
        packed({**one(**WHOLE), "outputs": [{"name": "a", "parameters": {"classification": 3}}]}),
        "extension",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_right_is_refused_with_a_sentence(case: str) -> None:
    (body, header), words = REFUSED[case]
    with pytest.raises(Invalid) as caught:
        read(body, header)
    assert words in caught.value.message
    assert len(caught.value.message) < 700


@pytest.mark.parametrize("datatype", NUMBERS)
def test_numbers_of_every_datatype_arrive(datatype: str) -> None:
    kind = np.dtype(NUMBERS[datatype])
    values = np.arange(2 if datatype == "BOOL" else 6).astype(kind).reshape(-1, 2)
    shape, raw = list(values.shape), values.tobytes()
    requests = [packed(size(len(raw), shape=shape, datatype=datatype), raw)]
    if datatype != "FP16":
        shown = values.astype(bool) if datatype == "BOOL" else values
        requests += [
            packed(one(shape=shape, datatype=datatype, data=rows)) for rows in (shown.tolist(), shown.ravel().tolist())
        ]
    for body, header in requests:
        found = read(body, header).inputs["x"]
        assert (found.datatype, found.values.dtype) == (datatype, kind)
        assert np.array_equal(found.values, values)


def test_strings_arrive_as_bytes_and_outputs_are_chosen() -> None:
    words = ["", "één [", "x" * 300]
    raw = to_bytes(np.array(words, object))
    document = {
        **size(len(raw), shape=[3], datatype="BYTES"),
        "id": "7",
        "parameters": {"priority": 3, "content_type": "str"},
    }
    document["inputs"].append({"name": "y", "shape": [3, 1], "datatype": "BYTES", "data": [[word] for word in words]})
    document["outputs"] = [
        {"name": "a", "parameters": {"binary_data": True}},
        {"name": "b", "parameters": {"classification": 0}},
    ]
    request = read(*packed(document, raw))
    for name, shape in (("x", (3,)), ("y", (3, 1))):
        assert request.inputs[name].values.shape == shape
        assert [item.decode() for item in request.inputs[name].values.ravel()] == words
    assert (request.id, request.outputs, request.binary) == ("7", {"a": True, "b": False}, False)
    assert read(*packed({**one(**WHOLE), "parameters": {"binary_data_output": True}})).binary


ITEMS = arrays.arrays(
    st.sampled_from([np.dtype(one) for one in sorted(set(NUMBERS.values()))]),
    arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4),
)
NAMED = {kind: name for name, kind in NUMBERS.items() if name != "BOOL"}


@given(st.lists(ITEMS, min_size=1, max_size=4))
def test_any_tensors_arrive_bit_for_bit(values: list[Any]) -> None:
    inputs = [
        {
            "name": str(index),
            "shape": list(value.shape),
            "datatype": NAMED[value.dtype.newbyteorder("<").str],
            "parameters": {"binary_data_size": value.nbytes},
        }
        for index, value in enumerate(values)
    ]
    request = read(*packed({"inputs": inputs}, *(value.tobytes() for value in values)))
    for index, value in enumerate(values):
        assert request.inputs[str(index)].values.shape == value.shape
        assert to_bytes(request.inputs[str(index)].values) == value.tobytes()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text('a["€', max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a["€', max_size=5), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "shape": st.lists(st.integers(-1, 3) | st.integers(), max_size=4) | JSON,
        "datatype": st.sampled_from([*NUMBERS, "BYTES"]) | JSON,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 20) | JSON}) | JSON,
        "data": JSON,
        "name": JSON,
    },
)


@settings(max_examples=100)
@given(
    st.lists(FIELDS, max_size=3),
    st.dictionaries(st.sampled_from(["id", "outputs", "parameters", "inputs"]), JSON),
    st.binary(max_size=40),
    st.integers(-3, 3),
)
def test_nothing_else_ever_happens(fields: list[Any], more: dict[str, Any], binary: bytes, lie: int) -> None:
    document = {
        "inputs": [{**one(**WHOLE)["inputs"][0], "name": str(n), **given} for n, given in enumerate(fields)],
        **more,
    }
    body, header = packed(document, binary)
    for said in (str(int(header) + lie), header, None):
        with contextlib.suppress(Invalid):
            assert isinstance(read(body, said), Request)


@settings(max_examples=100)
@given(st.data())
def test_a_damaged_request_is_read_or_refused(data: Any) -> None:
    raw = to_bytes(np.array(["a", "bc"], object))
    inputs = size(len(raw), datatype="BYTES")["inputs"] + [
        {"name": "y", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2], [3.5, 4]]}
    ]
    body, header = packed({"inputs": inputs, "id": "7", "outputs": [{"name": "a"}]}, raw)
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(Invalid):
        assert isinstance(read(bytes(damaged), header), Request)


@pytest.mark.parametrize("case", ["brackets", "strings", "numbers", "claims"])
def test_memory_is_bounded_by_the_body(case: str) -> None:
    count = 50_000
    body, header = {
        "brackets": packed(one(shape=[count, 1], data=[[]] * count)),
        "strings": packed(one(shape=[1], datatype="BYTES", data=[""] * count)),
        "numbers": packed(one(shape=[count], datatype="FP64", data=[0.5] * count)),
        "claims": packed(one(shape=[2**40, 2**20], datatype="FP64", data=[[0] * count])),
    }[case]
    tracemalloc.start()
    with contextlib.suppress(Invalid):
        read(body, header)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(body)


def test_compressed_bodies_are_unpacked_within_the_limit() -> None:
    import gzip
    import zlib

    data = b"x" * 5000
    packers = {"gzip": gzip.compress, "deflate": zlib.compress}
    for encoding, compress in packers.items():
        assert compression.unpack(encoding, compress(data), 5000) == data
        with pytest.raises(TooLarge):
            compression.unpack(encoding, compress(data), 4999)
        for damaged in (compress(data)[:-1], compress(data) + b"x", b"x" + compress(data), b"", data):
            with pytest.raises(Invalid):
                compression.unpack(encoding, damaged, 10_000)
    assert compression.unpack(" Identity", data, 1) == data
    with pytest.raises(UnsupportedMedia, match="gzip or deflate, not 'br'"):
        compression.unpack("br", data, 5000)
