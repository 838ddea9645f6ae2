"""Bodies and tensors that nobody in their right mind would send for predictions: a sentence, and bounded memory."""

import io
import json
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from api.protocol import samples as tensors
from api.protocol.tensors import BYTES, NUMBERS, Tensor, from_bytes
from api.serving import bodies
from api.serving.numbers import CSV, RAW
from core.encode import Preprocessing
from core.encode.audio import Frames
from core.encode.text import Tokens
from core.errors import Invalid, UnsupportedMedia

FRAMES = Frames(rate=8000, mels=8, window=128, hop=64)
TOKENS = Tokens.fit(np.array(["a text", "another"], object), "char", size=100, max_length=16, lowercase=False, nfc=True)
MODELS = {
    "pixels": Preprocessing("image", (4, 5, 1), None, "unit", (0.0,), (255.0,)),
    "colours": Preprocessing("image", (4, 5, 3), (8, 8), "unit", (0.0,) * 3, (255.0,) * 3),
    "series": Preprocessing("series", (6, 2), None, "standard", (0.0,) * 2, (1.0,) * 2),
    "column": Preprocessing("series", (6, 1), None, "standard", (0.0,), (1.0,)),
    "varied": Preprocessing("series", (6, 2), None, "standard", (0.0,) * 2, (1.0,) * 2, variable=True),
    "window": Preprocessing("series", (6, 2), None, "window", (0.0,) * 2, (1.0,) * 2),
    "sounds": Preprocessing("audio", (800,), None, "none", (0.0,) * 8, (1.0,) * 8, variable=True, frames=FRAMES),
    "texts": Preprocessing.of_texts(TOKENS),
}
MEDIA = ("application/json", bodies.TEXT, CSV, RAW, *bodies.IMAGES, *bodies.AUDIO)


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)).save(file, kind)
    return file.getvalue()


def sound(form: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.arange(800, dtype=np.int16), 8000, format=form)
    return file.getvalue()


WHOLE: dict[str, list[bytes]] = {
    "application/json": [
        json.dumps({"inputs": [[[1, 2]] * 6]}).encode(),
        b'{"inputs":["a text"]}',
        json.dumps({"inputs": [[[0] * 5] * 4]}).encode(),
    ],
    bodies.TEXT: ["a t\u00e9xt".encode()],
    CSV: [b"a,b\n" + b"1,2.5\n" * 6, b'"1","2e3"\r\n' * 6],
    RAW: [bytes(60), np.ones((6, 2), "<f4").tobytes(), np.linspace(-1, 1, 400, dtype="<f4").tobytes()],
    **{f"image/{kind}": [picture(kind)] for kind in ("png", "jpeg", "bmp", "webp")},
    "audio/wav": [sound("WAV")],
    "audio/flac": [sound("FLAC")],
    "audio/ogg": [sound("OGG")],
    "audio/mpeg": [sound("MP3")],
}


def answered(kind: str, data: bytes, name: str) -> Any:
    """The samples, which a graph could be fed, or nothing for a body that was refused in a sentence."""
    model = MODELS[name]
    try:
        samples = bodies.read(kind, data, model)
    except (Invalid, UnsupportedMedia) as refused:
        assert 10 < len(refused.message) < 1000 and "\0" not in refused.message
        return None
    fed = model.feed(samples)["input"]
    assert len(fed) == len(samples) >= 1
    if fed.dtype == np.float32:
        assert np.isfinite(fed).all() or model.kind == "series"  # whose answer is looked at instead
    return samples


@pytest.mark.parametrize("kind", MEDIA)
def test_whole_bodies_are_read_by_some_model(kind: str) -> None:
    assert any(answered(kind, data, name) is not None for data in WHOLE[kind] for name in MODELS)


LIES = (b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4), b"1e99", b"NaN,")


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, bytes]:
    """A body of some kind that was cut, changed, repeated, or is of another kind."""
    kind = draw(st.sampled_from(MEDIA))
    data = bytearray(draw(st.sampled_from(WHOLE[draw(st.sampled_from(MEDIA))] if draw(st.booleans()) else WHOLE[kind])))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["cut", "change", "insert", "repeat", "number"])):
            case "cut":
                del data[at:]
            case "change":
                data[at : at + 1] = draw(st.binary(max_size=2))
            case "insert":
                data[at:at] = draw(st.binary(max_size=12))
            case "repeat":
                data += data[at : at + 2000]
            case "number":  # a size in a header that lies
                data[at : at + 4] = draw(st.sampled_from(LIES))
    return kind, bytes(data)


@settings(max_examples=150)
@given(spoilt(), st.sampled_from(sorted(MODELS)))
def test_spoilt_bodies(body: tuple[str, bytes], name: str) -> None:
    answered(*body, name)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from([1e308, -0.0, 255, 256, 32768, math.inf, math.nan]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["inputs", "a"]), inner, max_size=2),
    max_leaves=30,
)


@settings(max_examples=150)
@given(VALUES, st.booleans(), st.sampled_from(sorted(MODELS)))
def test_any_json(value: Any, wrapped: bool, name: str) -> None:
    answered("application/json", json.dumps({"inputs": value} if wrapped else value).encode(), name)


ITEMS = sorted({one for kind in ("text/plain", *bodies.IMAGES, *bodies.AUDIO) for one in WHOLE[kind]})


def tensor(name: str, datatype: str, shape: tuple[int, ...], items: Any) -> Tensor:
    """As a request's bytes become one: over a buffer that nobody may write to."""
    if datatype == BYTES:
        data = b"".join(len(one).to_bytes(4, "little") + one for one in items)
    else:
        data = np.asarray(items).astype(NUMBERS[datatype]).tobytes()
    return from_bytes(name, datatype, shape, memoryview(data))


def fed(inputs: dict[str, Tensor], name: str) -> Any:
    """The samples, finite and of a kind that a graph can be fed, or nothing for tensors that were refused."""
    model = MODELS[name]
    try:
        samples = tensors.read(inputs, model)
    except Invalid as refused:
        assert 10 < len(refused.message) < 1000 and "\0" not in refused.message
        return None
    assert len(samples) == len(inputs["input"].values)
    if "lengths" in inputs:
        assert [len(one) for one in samples] == inputs["lengths"].values.tolist()
    if model.tokens is None:
        assert all(np.isfinite(one).all() for one in samples)
    given = model.feed(samples)["input"]
    assert len(given) == len(samples) and np.isfinite(given).all()
    return samples


def whole(name: str) -> list[dict[str, Tensor]]:
    """Tensors that a model reads: of numbers, those of several lengths with and without their ends, and of files."""
    model = MODELS[name]
    if model.tokens is not None:
        return [{"input": tensor("input", BYTES, (2, 1), [b"a text", b""])}]
    shape = (3, *model.shape)
    numbers = {kind: {"input": tensor("input", kind, shape, np.ones(shape))} for kind in NUMBERS}
    found = list(numbers.values())
    if tensors.takes_lengths(model):
        found += [{**one, "lengths": tensor("lengths", "INT64", (3,), [1, 5, 6])} for one in found]
    if model.kind == "image":
        found.append({"input": tensor("input", BYTES, (1,), WHOLE["image/png"])})
    if model.kind == "audio":
        found.append({"input": tensor("input", BYTES, (2,), [*WHOLE["audio/wav"], *WHOLE["audio/flac"]])})
    return found


@pytest.mark.parametrize("name", MODELS)
def test_whole_tensors_are_read(name: str) -> None:
    assert all(fed(inputs, name) is not None for inputs in whole(name))


NEAR = (0, 1, 100, 255, 32_767, 3e38, -3e38)
"""What many a model reads, and numbers whose differences are too large."""


@st.composite
def any_tensors(draw: st.DrawFn, name: str) -> dict[str, Tensor]:
    """Of any kind and shape, often the model's own or almost, of items that it may read; with lengths that may lie."""
    model = MODELS[name]
    own = st.sampled_from([model.shape, model.shape, model.shape[:-1], (1,)])
    shape = draw(
        st.tuples(st.integers(1, 3), own).map(lambda pair: (pair[0], *pair[1]))
        if draw(st.sampled_from([True, True, False]))
        else arrays.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=6)
    )
    files = [BYTES] * 5 if model.kind in ("image", "audio") else [BYTES]
    datatype = BYTES if model.tokens is not None else draw(st.sampled_from([*files, "FP32", "FP64", *NUMBERS]))
    if datatype == BYTES:
        shape = draw(st.sampled_from([shape[:1], shape[:1], (shape[0], 1), (shape[0], 2)]))
        count = math.prod(shape)
        items = st.sampled_from(ITEMS) | st.binary(max_size=20) | st.text(max_size=20).map(str.encode)
        given = tensor("input", BYTES, shape, draw(st.lists(items, min_size=count, max_size=count)))
    else:
        kind = np.dtype(NUMBERS[datatype])
        most = 1 if datatype == "BOOL" else float((np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)).max)
        near = st.sampled_from([one for one in NEAR if abs(one) <= most]).map(kind.type)
        elements = near if datatype == "BOOL" else near | arrays.from_dtype(kind)
        values = draw(arrays.arrays(kind, shape, elements=elements, fill=near))
        given = from_bytes("input", datatype, shape, memoryview(values.tobytes()))
    if draw(st.integers(0, 9)) not in ((1, 2, 3) if tensors.takes_lengths(model) else (1,)):
        return {"input": given}
    ends = draw(st.lists(st.integers(-1 if draw(st.booleans()) else 1, 6), min_size=shape[0], max_size=shape[0] + 1))
    kind = draw(st.sampled_from(["INT64", "INT8", "UINT64", "FP32"]))
    return {"input": given, "lengths": tensor("lengths", kind, (len(ends),), ends)}


@settings(max_examples=100)
@pytest.mark.parametrize("name", MODELS)
@given(st.data())
def test_any_tensors(name: str, data: Any) -> None:
    fed(data.draw(any_tensors(name)), name)


COUNT = 2_000_000
HUGE: dict[str, tuple[str, bytes]] = {
    "numbers": ("pixels", b'{"inputs":[[' + b"0," * COUNT + b"0]]}"),
    "fractions": ("series", b'{"inputs":[[' + b"0.5," * COUNT + b"0]]}"),
    "empty lists": ("series", b'{"inputs":[' + b"[]," * COUNT + b"[]]}"),
    "lists in lists": ("column", b'{"inputs":[' + b"[[1]]," * COUNT + b"[]]}"),
    "lists for texts": ("texts", b'{"inputs":[' + b"[]," * COUNT + b"[]]}"),
    "texts": ("texts", b'{"inputs":[' + b'"a",' * COUNT + b'"a"]}'),
    "depth": ("varied", b'{"inputs":' + b"[" * COUNT),
    "commas": ("varied", b'{"inputs":[' + b"," * COUNT),
}


@pytest.mark.parametrize("case", HUGE)
def test_huge_json_takes_no_memory_to_speak_of(case: str) -> None:
    name, data = HUGE[case]
    tracemalloc.start()
    try:
        assert answered("application/json", data, name) is None
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_large_bodies_that_are_right_are_read() -> None:
    many = json.dumps({"inputs": [[[0.25, 1.5]] * 6] * bodies.MOST_INPUTS}).encode()
    assert len(many) > bodies.LARGE_BYTES
    assert len(answered("application/json", many, "series")) == bodies.MOST_INPUTS
    texts = json.dumps({"inputs": ['a "text", [' * 20] * bodies.MOST_INPUTS}).encode()
    assert len(answered("application/json", texts, "texts")) == bodies.MOST_INPUTS
    channels = json.dumps({"inputs": [[[[7]] * 5] * 4] * bodies.MOST_INPUTS}).encode()
    assert len(answered("application/json", channels, "pixels")) == bodies.MOST_INPUTS
