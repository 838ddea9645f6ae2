"""Samples as rows of JSON, as CSV and as bare bytes."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from PIL import Image

from api.serving import bodies
from api.serving.numbers import CSV, RAW
from core.encode import Preprocessing
from core.encode.audio import Frames
from core.errors import Invalid, UnsupportedMedia

JSON = "application/json"
DATA = Path(__file__).parents[3] / "shared" / "data"
RANDOM = np.random.default_rng(7)
WINDOW = RANDOM.normal(size=(6, 3)).astype(np.float32)
IMAGES = RANDOM.integers(0, 256, (2, 4, 5, 3), np.uint8)


def series(steps: int, features: int, variable: bool = False) -> Preprocessing:
    numbers = (0.0,) * features, (1.0,) * features
    return Preprocessing("series", (steps, features), None, "standard", *numbers, variable=variable)


PIXELS = Preprocessing("image", (4, 5, 3), None, "unit", (0.0,) * 3, (255.0,) * 3)


def csv(rows: Any, header: str = "", end: str = "\n") -> bytes:
    lines = [",".join(repr(float(one)) for one in row) for row in rows]
    return end.join([*([header] if header else []), *lines]).encode()


@pytest.mark.parametrize("body", [csv(WINDOW), csv(WINDOW, "a,b,c"), csv(WINDOW, '"a, b",c,', "\r\n") + b"\r\n\r\n"])
def test_rows_are_steps(body: bytes) -> None:
    for preprocessing in (series(6, 3), series(2, 3, variable=True)):
        (read,) = bodies.read(CSV, body, preprocessing)
        np.testing.assert_array_equal(read, WINDOW)


def test_rows_of_one_number_a_step_are_samples_and_a_column_is_one() -> None:
    line, column = WINDOW[:, :1].T, WINDOW[:, :1]
    np.testing.assert_array_equal(bodies.read(CSV, csv([*line, *line]), series(6, 1)), [column, column])
    np.testing.assert_array_equal(bodies.read(CSV, csv(column, "value"), series(6, 1)), [column])
    short, long = bodies.read(CSV, b"1,2\n3,4,5\n", series(2, 1, variable=True))
    assert (short.tolist(), long.tolist()) == ([[1], [2]], [[3], [4], [5]])


def test_bytes_are_the_tensor() -> None:
    np.testing.assert_array_equal(bodies.read(RAW, IMAGES.tobytes(), PIXELS), IMAGES)
    np.testing.assert_array_equal(
        bodies.read(RAW, WINDOW.astype("<f4").tobytes(), series(3, 3)), WINDOW.reshape(2, 3, 3)
    )
    (one,) = bodies.read(RAW, WINDOW.astype("<f4").tobytes(), series(2, 3, variable=True))
    np.testing.assert_array_equal(one, WINDOW)


SOUND = Preprocessing(
    "audio", (800,), None, "none", (0.0,) * 8, (1.0,) * 8, variable=True, frames=Frames(8000, 8, 200, 80)
)


@pytest.mark.sets
def test_the_bytes_of_a_signal_are_the_recording() -> None:
    """Of real recordings, as a program that has decoded them itself would send them."""
    archive = DATA / "spoken-digits" / "spoken-digits.zip"
    if not archive.is_file():
        pytest.skip(f"needs the data set spoken-digits in {DATA.name}/ beside the checkout")
    preprocessing = replace(SOUND, shape=(20_000,))
    with zipfile.ZipFile(archive) as opened:
        for name in sorted(one for one in opened.namelist() if one.endswith(".wav"))[::100]:
            file = opened.read(name)
            signal, rate = soundfile.read(io.BytesIO(file), dtype="float32")
            assert rate == 8000
            (read,) = bodies.read(RAW, signal.astype("<f4").tobytes(), preprocessing)
            (expected,) = bodies.read("audio/wav", file, preprocessing)
            np.testing.assert_array_equal(read, expected)
    (loudest,) = bodies.read(RAW, np.array([1, -1, 0], "<f4").tobytes(), preprocessing)
    assert loudest.tolist() == [32_767, -32_768, 0]


HOSTILE: dict[str, tuple[str, bytes, Preprocessing, str]] = {
    "nothing": (CSV, b"", series(6, 3), "no row of numbers"),
    "a header alone": (CSV, b"a,b,c\n", series(6, 3), "no row of numbers"),
    "NaN": (CSV, csv(WINDOW) + b"\nnan,1,2", series(7, 3), "line 7, column 1: 'nan' is no number"),
    "an infinity": (CSV, b"1,2,inf", series(1, 3), "line 1, column 3: 'inf' is no number"),
    "too large": (CSV, b"1,2,1e999", series(1, 3), "finite"),
    "an underscore": (CSV, b"1,2,3_0", series(1, 3), "'3_0' is no number"),
    "a hole": (CSV, b"1,,3", series(1, 3), "line 1, column 2: '' is no number"),
    "a step too many": (CSV, csv(WINDOW), series(5, 3), "must be 5x3"),
    "a number too few": (CSV, b"1,2,3\n1,2", series(2, 3), "line 2 has 2 numbers"),
    "rows of two lengths": (CSV, b"1,2\n1,2,3", series(2, 1), "not all of the same length"),
    "no UTF-8": (CSV, b"\xff\xfe1", series(1, 1), "not UTF-8"),
    "an open quote": (CSV, b'"1,2', series(2, 1), "cannot be read"),
    "more numbers than fit": (CSV, b"1," * 1000, series(6, 3), "more numbers than the 18"),
    "empty lines without end": (CSV, b"\n" * 100_000, series(6, 3), "more numbers than the 18"),
    "one huge field": (CSV, b"1" * 200_000, series(6, 3), "cannot be read"),
    "too many samples": (CSV, b"1,2\n" * 4097, series(2, 1), "4,097 samples"),
    "no bytes": (RAW, b"", PIXELS, "the body has 0 bytes; a sample of 4x5x3 uint8 has 60"),
    "a byte too few": (RAW, bytes(59), PIXELS, "the body has 59 bytes"),
    "a byte too many": (RAW, bytes(61), PIXELS, "the body has 61 bytes"),
    "half a step": (RAW, bytes(18), series(2, 3, variable=True), "a step of 3 float32 has 12"),
    "too long": (RAW, bytes(12 * 9), series(2, 3, variable=True), "1 to 8 steps"),
    "too many images": (RAW, bytes(60 * 4097), PIXELS, "4,097 samples"),
    "bytes of NaN": (RAW, np.full((6, 3), np.nan, "<f4").tobytes(), series(6, 3), "finite"),
    "no samples": (RAW, b"", SOUND, "the body has 0 bytes; a recording has 4"),
    "half a sample of sound": (RAW, bytes(6), SOUND, "the body has 6 bytes"),
    "sound of 16 bits": (RAW, np.full(9, 12_000, "<f4").tobytes(), SOUND, "from -1 to 1, .* one is 12000"),
    "sound of NaN": (RAW, np.full(9, np.nan, "<f4").tobytes(), SOUND, "from -1 to 1, .* one is nan"),
    "too long a sound": (RAW, bytes(4 * 3201), SOUND, "may be 0.40 s long"),
    "bytes of infinity": (RAW, np.full((6, 3), -np.inf, "<f4").tobytes(), series(6, 3), "finite"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_does_not_fit_is_a_sentence(case: str) -> None:
    kind, body, preprocessing, words = HOSTILE[case]
    with pytest.raises(Invalid, match=words.replace("(", r"\(")):
        bodies.read(kind, body, preprocessing)


@pytest.mark.parametrize(("kind", "preprocessing"), [(CSV, PIXELS), ("image/png", series(6, 3))])
def test_a_model_that_reads_none_says_what_it_reads(kind: str, preprocessing: Preprocessing) -> None:
    with pytest.raises(UnsupportedMedia, match=r"this model reads .*application/octet-stream"):
        bodies.read(kind, b"1", preprocessing)


def test_files_that_are_none_cost_nothing() -> None:
    """A picture of 100 megapixels is refused by its head, a recording that breaks off by its length."""
    file = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(file, "png")
    with pytest.raises(Invalid, match=r"too many pixels; the limit is 64,000,000"):
        bodies.read("image/png", file.getvalue(), PIXELS)
    whole = io.BytesIO()
    soundfile.write(whole, np.zeros(8000, np.int16), 8000, format="wav")
    frames = Frames(rate=8000, mels=16, window=256, hop=128)
    spoken = Preprocessing("audio", (8000,), None, "none", (0.0,) * 16, (1.0,) * 16, variable=True, frames=frames)
    assert [len(one) for one in bodies.read("audio/wav", whole.getvalue(), spoken)] == [8000]
    for cut in (0, 4, 20, 43, 44 + 8000):
        with pytest.raises(Invalid):
            bodies.read("audio/wav", whole.getvalue()[:cut], spoken)
    with pytest.raises(UnsupportedMedia, match="this model reads recordings"):
        bodies.read(CSV, bytes(16_000), spoken)


def json(rows: Any) -> bytes:
    return msgspec.json.encode({"inputs": rows})


GREY = Preprocessing("image", (4, 5, 1), None, "unit", (0.0,), (255.0,))


@pytest.mark.parametrize("fractions", [False, True])
def test_rows_of_json_are_the_numbers_that_they_say(fractions: bool) -> None:
    """In the common form, which is read fast, and in others, which are not."""
    grey, rows = IMAGES[..., :1], IMAGES.tolist()
    if fractions:  # which are rounded
        rows[0][0][0][0] += 0.25 if rows[0][0][0][0] < 255 else -0.25
    np.testing.assert_array_equal(bodies.read(JSON, json(rows), PIXELS), IMAGES)
    for given in (grey, grey[..., 0], grey / 1, grey.clip(0, 254) + 0.25):
        np.testing.assert_array_equal(bodies.read(JSON, json(given.tolist()), GREY), np.rint(given).reshape(grey.shape))
    numbers = (WINDOW * (1.0 if fractions else 10.0)).round(2 if fractions else 0)
    for given in (numbers, numbers.astype(int)) if not fractions else (numbers,):
        np.testing.assert_array_equal(bodies.read(JSON, json([given.tolist()] * 2), series(6, 3)), [numbers] * 2)
        short, long = bodies.read(JSON, json([given[:2].tolist(), given.tolist()]), series(2, 3, variable=True))
        np.testing.assert_array_equal(short, numbers[:2])
        np.testing.assert_array_equal(long, numbers)
    for given in (numbers[:, 0], numbers[:, :1]):
        np.testing.assert_array_equal(bodies.read(JSON, json([given.tolist()]), series(6, 1)), [numbers[:, :1]])
        (one,) = bodies.read(JSON, json([given.tolist()]), series(2, 1, variable=True))
        np.testing.assert_array_equal(one, numbers[:, :1])
    assert bodies.read(JSON, json([[1, 2.5, 1e-3]]), series(3, 1)).dtype == np.float32


WRONG: dict[str, tuple[Any, Preprocessing, str, str]] = {
    "above a byte": ([[[0] * 5] * 4, [[256] * 5] * 4], GREY, "from 0 to 255", "#/inputs/1"),
    "below a byte": ([[[-1] * 5] * 4], GREY, "from 0 to 255", "#/inputs/0"),
    "beyond 64 bits": ([[[2**70] * 5] * 4], GREY, "from 0 to 255", "#/inputs/0"),
    "a row too few": ([[[0] * 5] * 4, [[0] * 5] * 3], GREY, "must be 4x5x1", "#/inputs/1"),
    "a ragged row": ([[[0] * 5] * 4, [[0] * 5] * 3 + [[0] * 4]], GREY, "same length", "#/inputs/1"),
    "as many in other rows": ([[[0] * 4] * 5], GREY, "must be 4x5x1", "#/inputs/0"),
    "a hole": ([[[0] * 5] * 3 + [[0] * 4 + [None]]], GREY, "null", "#/inputs/0/3/4"),
    "a truth": ([[True, 2.0, 3.0]], series(3, 1), "bool", "#/inputs/0/0"),
    "no samples": ([], series(3, 1), "length", "#/inputs"),
    "too many samples": ([[1.0, 2.0, 3.0]] * 4097, series(3, 1), "length", "#/inputs"),
    "an empty series": ([[[1, 2, 3]], []], series(2, 3, variable=True), "1 to 8 steps", "#/inputs/1"),
    "beyond float32": ([[1, 2, 3], [1, 2, 1e39]], series(3, 1), "finite", "#/inputs/1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_rows_of_json_that_do_not_fit_are_named(case: str) -> None:
    rows, preprocessing, words, pointer = WRONG[case]
    with pytest.raises(Invalid, match=words) as refused:
        bodies.read(JSON, json(rows), preprocessing)
    assert [where for where, _ in refused.value.errors] == [pointer]


def test_json_has_no_other_numbers_and_no_other_fields() -> None:
    for body in (
        b'{"inputs": [[1, 2, NaN]]}',
        b'{"inputs": [[1, 2, 1e999]]}',
        b'{"inputs": [[1, 2, 3]], "a": 1}',
        b"[",
    ):
        with pytest.raises(Invalid):
            bodies.read(JSON, body, series(3, 1))
