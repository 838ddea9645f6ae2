"""Images and rows to arrays, and the built-in digits."""

import hashlib
import io
import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load

from core.encode import Preprocessing, digits, image, series
from core.encode.splits import permutation, stratified

if TYPE_CHECKING:
    from models.data.splits import Dataset

GENERATOR = np.random.default_rng(7)


def picture(*shape: int) -> NDArray[np.uint8]:
    return GENERATOR.integers(0, 256, shape, dtype=np.uint8)


def encoded(pixels: NDArray[np.uint8], name: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, name)
    return file.getvalue()


@settings(max_examples=40, deadline=None)
@given(*[st.integers(1, 50)] * 4, st.sampled_from([1, 3]))
def test_resize_is_pillows_bilinear(height: int, width: int, new_height: int, new_width: int, channels: int) -> None:
    pixels = picture(2, height, width, channels)
    resized = image.resize(pixels, (new_height, new_width))
    for before, after in zip(pixels, resized, strict=True):
        wanted = Image.fromarray(before.squeeze(2) if channels == 1 else before).resize(
            (new_width, new_height), Image.Resampling.BILINEAR
        )
        # Pillow rounds after each of the two directions
        difference = after.astype(int) - np.asarray(wanted, int).reshape(after.shape)
        assert np.abs(difference).max() <= 1


def test_decode_gives_the_pixels_of_the_file() -> None:
    pixels = picture(9, 7, 3)
    assert np.array_equal(image.decode(encoded(pixels), (9, 7, 3)), pixels)
    assert np.array_equal(image.decode(encoded(pixels, "BMP"), (9, 7, 3)), pixels)


def test_probe_reads_the_header_alone() -> None:
    assert image.probe(encoded(picture(9, 7, 3))) == (9, 7, 3)
    assert image.probe(encoded(picture(9, 7))[:60]) == (9, 7, 1)
    assert image.probe(encoded(picture(9, 7, 4))) == (9, 7, 4)
    with pytest.raises(ValueError, match="known format"):
        image.probe(b"no image")


def test_sixteen_bits_of_grey_keep_their_upper_half() -> None:
    deep = np.array([[0, 255, 256], [40_000, 65_279, 65_535]], np.uint16)
    assert image.decode(encoded(deep), (2, 3, 1))[..., 0].tolist() == (deep >> 8).tolist()


@pytest.mark.parametrize("before", [1, 3, 4])
@pytest.mark.parametrize("after", [1, 3, 4])
def test_recolour_is_what_decode_does(before: int, after: int) -> None:
    pixels = picture(2, 5, 6, before)
    files = [encoded(one.squeeze(2) if before == 1 else one) for one in pixels]
    decoded = np.stack([image.decode(file, (5, 6, after)) for file in files])
    assert np.array_equal(image.recolour(pixels, after), decoded)


def test_decode_converts_colours_and_size() -> None:
    grey = np.full((40, 40), 200, np.uint8)
    assert image.decode(encoded(grey), (8, 8, 3)).tolist() == np.full((8, 8, 3), 200).tolist()
    clear = np.zeros((4, 4, 4), np.uint8)  # fully transparent: a white page
    assert image.decode(encoded(clear), (4, 4, 1)).tolist() == np.full((4, 4, 1), 255).tolist()


def test_decode_turns_a_photo_upright() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    pixels = np.zeros((2, 4), np.uint8)
    pixels[:, 0] = 255
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    assert image.decode(file.getvalue(), (4, 2, 1))[0, :, 0].tolist() == [255, 255]


WHOLE = encoded(picture(30, 30))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not an image"),
        (b"GIF89a" + bytes(100), "not an image"),
        (WHOLE[:60], "damaged"),
        (WHOLE[:-40], "damaged"),
        (bytes(image.MAX_BYTES + 1), "limit"),
        (encoded(np.zeros((8001, 8000), np.uint8)), "limit"),
    ],
)
def test_decode_refuses_in_a_sentence(data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        image.decode(data, (8, 8, 1))


def test_rows_become_pixels() -> None:
    rows = [[[0, 255], [1.4, 1.6]]]
    assert image.from_rows(rows, (2, 2, 1)).tolist() == [[[[0], [255]], [[1], [2]]]]
    assert image.from_rows([[[[1, 2, 3]]]], (1, 1, 3)).shape == (1, 1, 1, 3)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "2x2x1"),
        (None, "numbers only"),
        ({"a": 1}, "numbers only"),
        (5, "a single number"),
        ([[1, 2], [3, 4]], "2x2x1"),
        ([[[1, 2], [3]]], "same length"),
        ([[["1", "2"], ["3", "4"]]], "numbers only"),
        ([[[True, False], [True, False]]], "numbers only"),
        ([[[10**30, 1], [1, 1]]], "numbers"),
        ([[[float("nan"), 1], [1, 1]]], "0 to 255"),
        ([[[float("inf"), 1], [1, 1]]], "0 to 255"),
        ([[[-1, 1], [1, 1]]], "0 to 255"),
        ([[[256, 1], [1, 1]]], "0 to 255"),
    ],
)
def test_rows_are_refused_in_a_sentence(rows: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        image.from_rows(rows, (2, 2, 1))


def test_standard_means_zero_mean_and_unit_deviation_of_each_channel() -> None:
    samples = picture(50, 6, 5, 3)
    samples[..., 2] = 9  # constant: must not divide by zero
    inputs = Preprocessing.fit(samples, None, "standard").apply(samples)
    assert np.allclose(inputs.mean((0, 1, 2)), 0, atol=1e-5)
    assert np.allclose(inputs[..., :2].std((0, 1, 2)), 1, atol=1e-5)
    assert not inputs[..., 2].any()


def test_unit_none_and_resize() -> None:
    samples = picture(4, 6, 5, 1)
    assert np.array_equal(Preprocessing.fit(samples, None, "none").apply(samples), samples.astype(np.float32))
    scaled = Preprocessing.fit(samples, (12, 10), "unit")
    assert scaled.output_shape == (12, 10, 1)
    assert np.allclose(scaled.apply(samples), image.resize(samples, (12, 10)) / 255)
    with pytest.raises(ValueError, match="reads"):
        scaled.apply(picture(4, 5, 6, 1))


def test_sequences_are_read_as_numbers() -> None:
    read = series.from_rows([[[1, -2.5], [3, 1e9]]], (2, 2))
    assert (read.dtype, read.tolist()) == (np.float32, [[[1.0, -2.5], [3.0, 1e9]]])
    assert series.from_rows([[1, 2, 3]], (3, 1)).tolist() == [[[1.0], [2.0], [3.0]]]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([[[1, 2], [3]]], "not all of the same length"),
        ([[["a", "b"], ["c", "d"]]], "numbers only"),
        ([[[1, 2]]], r"must be 2x2 \(time, features\) and is 1x2"),
        ([[[1, 2], [3, float("nan")]]], "finite"),
        ([[[1, 2], [3, 1e39]]], "finite"),
    ],
)
def test_sequences_are_refused_in_a_sentence(rows: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        series.from_rows(rows, (2, 2))


def test_series_are_normalised_feature_by_feature() -> None:
    samples = (GENERATOR.normal(size=(40, 7, 3)) * [1, 50, 0] + [0, 1000, 7]).astype(np.float32)
    fitted = Preprocessing.fit(samples, None, "standard")
    inputs = fitted.apply(samples)
    assert (fitted.kind, fitted.output_shape) == ("series", (7, 3))
    assert np.allclose(inputs.mean((0, 1)), 0, atol=1e-4)
    assert np.allclose(inputs[..., :2].std((0, 1)), 1, atol=1e-4)
    assert not inputs[..., 2].any()
    shuffled = Preprocessing.fit(samples[GENERATOR.permutation(40)], None, "standard")
    assert shuffled == fitted  # to the bit, in whatever order the numbers are added


def test_preprocessing_travels_as_json() -> None:
    fitted = Preprocessing.fit(picture(4, 6, 5, 3), (7, 9), "standard")
    assert Preprocessing.from_dict(json.loads(json.dumps(fitted.as_dict()))) == fitted


def test_training_and_serving_normalise_to_the_same_bits(few_digits: "Dataset") -> None:
    import torch

    from models.data.resident import Resident

    rows = few_digits.train.inputs[..., 0].astype(np.float32)
    for size, split in (((13, 11), few_digits.train), (None, replace(few_digits.train, inputs=rows))):
        fitted = Preprocessing.fit(split.inputs, size, "standard")
        resident = Resident(split, fitted, torch.device("cpu"))
        for _ in range(2):  # the data set itself is not changed
            assert np.array_equal(resident.prepare(resident.inputs).numpy(), fitted.apply(split.inputs))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.floats(0, 1), st.integers(0, 2**63 - 1))
def test_stratified_draws_in_proportion(sizes: list[int], share: float, seed: int) -> None:
    targets = np.repeat(np.arange(len(sizes)), sizes)
    count = max(1, round(share * len(targets)))
    if count > len(targets) - len(sizes):
        with pytest.raises(ValueError, match="cannot hold out"):
            stratified(targets, count, seed)
        return
    rest, drawn = stratified(targets, count, seed)
    assert len(drawn) == count
    assert sorted([*rest, *drawn]) == list(range(len(targets)))
    left, taken = np.bincount(targets[rest], minlength=len(sizes)), np.bincount(targets[drawn], minlength=len(sizes))
    assert (left >= 1).all()
    fair = count * np.asarray(sizes) / len(targets)
    if (fair <= np.asarray(sizes) - 1).all():  # no class was at its limit
        assert (np.abs(taken - fair) < 1).all()
    shuffled = permutation(len(targets), seed)
    for label, number in enumerate(taken):  # which ones is promised: a data set that is made again is the same
        assert set(drawn) & set(np.flatnonzero(targets == label)) == set(shuffled[targets[shuffled] == label][:number])


def test_permutations_are_decided_by_their_seeds() -> None:
    first = permutation(100, 3, 0)
    assert sorted(first) == list(range(100))
    assert np.array_equal(first, permutation(100, 3, 0))
    assert not np.array_equal(first, permutation(100, 3, 1))
    assert not np.array_equal(first, permutation(100, 4, 0))


def test_the_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    content = digits.build()
    tensors, source = load(content), load_digits()
    assert [len(tensors[f"{split}.targets"]) for split in ("train", "test")] == [1437, 360]
    ours = {
        (pixels.tobytes(), int(target))
        for split in ("train", "test")
        for pixels, target in zip(tensors[f"{split}.inputs"], tensors[f"{split}.targets"], strict=True)
    }
    pixels = np.rint(source.images * 255 / 16).astype(np.uint8)
    assert ours == {(image.tobytes(), int(target)) for image, target in zip(pixels, source.target, strict=True)}
    assert np.bincount(tensors["test.targets"]).min() >= 34
    as_rows = load(digits.build("digits-rows"))
    for split in ("train", "test"):
        assert np.array_equal(as_rows[f"{split}.targets"], tensors[f"{split}.targets"])
        scaled = np.rint(as_rows[f"{split}.inputs"] * 255 / 16).astype(np.uint8)
        assert np.array_equal(scaled, tensors[f"{split}.inputs"][..., 0])


def test_the_digits_are_the_same_bytes_in_every_process_and_need_no_import_of_sklearn() -> None:
    code = (
        "import hashlib, sys; from core.encode.digits import build;"
        "print(hashlib.sha256(build()).hexdigest(), 'sklearn' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [hashlib.sha256(digits.build()).hexdigest(), "False", "False"]
