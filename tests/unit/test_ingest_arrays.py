"""IDX files, NumPy archives and .ts files: how parts are told from one another, and what is refused."""

import gzip
import io
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ingesting import Files, idx, images, ingested, npz, packed_zip, ts

from core.ingest import Refused

GENERATOR = np.random.default_rng(3)


def refused(files: Files, message: str, **options: object) -> None:
    with pytest.raises(Refused, match=message):
        ingested(files, **options)  # type: ignore[arg-type]


ROOT = Path(__file__).parents[2]
TARGETS = np.arange(20) % 3


def test_idx_pairs_are_matched_by_their_names() -> None:
    train, test = images(20, 5, 4), images(6, 5, 4)
    files = {
        "train-images-idx3-ubyte": idx(train),
        "train-labels-idx1-ubyte.gz": gzip.compress(idx(TARGETS)),
        "t10k-images-idx3-ubyte": idx(test),
        "t10k-labels-idx1-ubyte": idx(TARGETS[:6]),
    }
    for upload in (files, {"mnist.zip": packed_zip(files)}):
        result = ingested(upload)
        assert np.array_equal(result.tensors["train.inputs"], train[..., None])
        assert np.array_equal(result.tensors["test.inputs"], test[..., None])
        assert np.array_equal(result.tensors["train.targets"], TARGETS)
        assert result.classes == ["0", "1", "2"]


def test_one_idx_pair_is_cut_whatever_its_name_and_resized_if_asked() -> None:
    pair = {"t10k-images.idx3-ubyte": idx(images(20, 5, 4, 3)), "t10k-labels.idx1-ubyte": idx(TARGETS)}
    result = ingested(pair, height=10, width=8, channels=1)
    assert result.ingested.splits == {"train": 16, "test": 4}
    assert result.ingested.manifest["shape"] == [10, 8, 1]
    assert result.findings["converted"] == {"colour made grey": 20, "resized to 10x8": 20}


def test_memory_does_not_grow_with_the_pictures(tmp_path: Path) -> None:
    """90 MB of pictures, read and written by a process that may not grow by as much as that."""
    with (tmp_path / "train-images-idx3-ubyte").open("wb") as file:
        file.write(bytes([0, 0, 8, 3]) + struct.pack(">3I", 1000, 300, 300))
        file.truncate(16 + 1000 * 300 * 300)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(1000) % 10))
    (tmp_path / "scratch").mkdir()
    program = """
import re, sys
from pathlib import Path
from PIL import Image
from core.ingest import Upload, ingest
from core.specs import IngestOptions
peak = lambda: int(re.search("VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
folder, before = Path(sys.argv[1]), peak()
uploads = [Upload(path.name, path) for path in folder.glob("*ubyte")]
options = {"scratch": folder / "scratch", "limit_bytes": 10**8, "source": "", "report": lambda *_: None}
ingest(uploads, IngestOptions(), folder / "data", **options)
print(peak() - before)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (tmp_path / "data").stat().st_size > 90_000_000
    assert int(done.stdout) * 1024 < 60_000_000


def test_idx_of_a_file_without_a_telling_name() -> None:
    assert ingested({"pictures": idx(images(20, 5, 4)), "answers": idx(TARGETS)}).classes == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("pictures", "labels", "message"),
    [
        (
            idx(images(20, 5, 4)),
            idx(TARGETS[:19]),
            r"train-images-idx3-ubyte has 20 images, train-labels.* has 19 labels",
        ),
        (
            idx(images(20, 5, 4))[:-1],
            idx(TARGETS),
            r"train-images-idx3-ubyte says 20 x 5 x 4 bytes, .* 400, and holds 399",
        ),
        (idx(images(20, 5, 4)) + b"x", idx(TARGETS), "which is 400, and holds 401"),
        (idx(images(20, 5, 4), kind=0x0D), idx(TARGETS), "holds IDX type 0x0D; only 0x08"),
        (idx(images(20, 5)), idx(TARGETS), "has 2 dimensions; images have 3 or 4, labels have 1"),
        (idx(images(20, 5, 4, 2)), idx(TARGETS), "has images of 2 channels"),
        (idx(images(0, 5, 4)), idx(TARGETS[:0]), "is empty: its dimensions are 0 x 5 x 4"),
        (b"\x89PNG no idx at all", idx(TARGETS), "is no IDX file: it begins with"),
        (b"", idx(TARGETS), "is no IDX file"),
        (idx(TARGETS), idx(TARGETS), "0 IDX files of images and 2 of labels make no pairs"),
        (b"\0\0\x08\x03" + b"\xff" * 12, idx(TARGETS), "and holds 0"),
    ],
)
def test_idx_that_is_none(pictures: bytes, labels: bytes, message: str) -> None:
    refused({"train-images-idx3-ubyte": pictures, "train-labels-idx1-ubyte": labels}, message)


def test_idx_pairs_that_do_not_fit() -> None:
    train = {"train-images-idx3-ubyte": idx(images(20, 5, 4)), "train-labels-idx1-ubyte": idx(TARGETS)}
    refused(
        train | {"test-images-idx3-ubyte": idx(images(3, 5, 4))}, "2 IDX files of images and 1 of labels make no pairs"
    )
    more = {"a-images-idx3-ubyte": idx(images(3, 5, 4)), "a-labels-idx1-ubyte": idx(TARGETS[:3])}
    refused(train | more, "a-images-idx3-ubyte says neither train nor test")
    test = {"test-images-idx3-ubyte": idx(images(3, 5, 5)), "test-labels-idx1-ubyte": idx(TARGETS[:3])}
    refused(
        train | test, "test-images-idx3-ubyte has images of 5x5, train-images-idx3-ubyte of 5x4; give height and width"
    )
    assert ingested(train | test, height=3, width=3).ingested.splits == {"train": 20, "test": 3}


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npz_of_images_as_keras_has_them(compressed: bool, order: Any) -> None:
    train, test = images(20, 5, 4), images(6, 5, 4)
    content = npz(
        compressed, x_train=np.asarray(train, order=order), y_train=TARGETS[:, None], x_test=test, y_test=TARGETS[:6]
    )
    result = ingested({"mnist.npz": content})
    assert np.array_equal(result.tensors["train.inputs"], train[..., None])
    assert np.array_equal(result.tensors["train.targets"], TARGETS)
    assert result.ingested.splits == {"train": 20, "test": 6}
    assert ingested({"set.zip": packed_zip({"mnist.npz": content})}).tensors.keys() == result.tensors.keys()


def test_arrays_by_column_have_to_fit_into_memory_and_those_by_row_have_not() -> None:
    by_row, by_column = (npz(x=np.asarray(images(20, 5, 4), order=order), y=TARGETS) for order in "CF")
    assert ingested({"a.npz": by_row}, memory=100).classes == ["0", "1", "2"]
    assert ingested({"a.npz": by_column}, memory=400).classes == ["0", "1", "2"]
    refused({"a.npz": by_column}, r"a\.npz: x \(uint8, 20 x 5 x 4\) is stored column by column.*100 bytes", memory=100)


def test_npz_names_and_types() -> None:
    values = images(20, 5, 4, 3)
    words = np.array(["cat", "dog", "猫"])[TARGETS]
    named = npz(**{"train.inputs": values, "train.targets": words, "val_images": values[:6], "val_labels": words[:6]})
    result = ingested({"a.npz": named})
    assert result.classes == ["cat", "dog", "猫"]
    assert result.ingested.splits == {"train": 16, "validation": 6, "test": 4}
    wide = ingested({"a.npz": npz(x=values.astype(np.int64), y=TARGETS.astype(np.float32))})
    assert wide.classes == ["0", "1", "2"]
    assert wide.ingested.manifest["kind"] == "image"


def test_npz_of_series() -> None:
    values = GENERATOR.normal(size=(20, 7))
    result = ingested({"a.npz": npz(x=values, y=TARGETS)}, test=0.1)
    assert result.ingested.manifest["shape"] == [7, 1]
    rows = np.concatenate([result.tensors["train.inputs"], result.tensors["test.inputs"]])[..., 0]
    assert sorted(map(tuple, rows)) == sorted(map(tuple, values.astype(np.float32)))
    assert ingested({"a.npz": npz(x=values.reshape(4, 5, 7), y=TARGETS[:4])}).ingested.manifest["shape"] == [5, 7]
    assert ingested({"a.npz": npz(x=images(20, 5), y=TARGETS)}, kind="series").ingested.manifest["shape"] == [5, 1]
    values[3, 2], values[4, 0] = np.nan, 1e300
    refused({"a.npz": npz(x=values, y=TARGETS)}, r"2 of 20 samples.*a\.npz/x, row 4: a number is not finite")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x": np.array([{}, 1], object), "y": TARGETS[:2]},
            r"a\.npz: x holds Python objects, which are never unpickled",
        ),
        ({"x": images(20, 5, 4), "y": TARGETS[:19]}, "must have equally many samples"),
        ({"x": images(20, 5, 4)}, r"x \(uint8, 20 x 5 x 4\) has no counterpart; name them x_train"),
        ({"a": images(20, 5, 4)}, r"a\.npz holds a \(uint8, 20 x 5 x 4\); name them x_train"),
        ({"x": images(20, 5, 4), "inputs": images(20, 5, 4), "y": TARGETS}, "are both inputs of one split"),
        ({"x": images(20, 5, 4), "y": np.eye(20)}, r"y .* are no labels; give one class per sample"),
        ({"x": images(20, 5), "y": TARGETS}, "are no samples.*the option kind says which"),
        ({"x": images(20, 3, 5, 6), "y": TARGETS}, "the last axis must be 1, 3 or 4 channels"),
        ({"x": np.zeros((20, 5, 4, 3)), "y": TARGETS}, "are no samples. Images are whole numbers 0-255"),
        ({"x": images(20, 5, 4) * 1j, "y": TARGETS}, "are no samples"),
        ({"x": np.zeros((20, 0)), "y": TARGETS}, "has samples without numbers"),
        ({"x": np.float64(1), "y": TARGETS}, "must have equally many samples"),
        ({"x": np.zeros((0, 5)), "y": TARGETS[:0]}, "is empty"),
        (
            {"x_train": np.zeros((20, 5)), "y_train": TARGETS, "x_test": np.zeros((20, 6)), "y_test": TARGETS},
            "of one shape",
        ),
        ({}, r"a\.npz holds nothing"),
        ({"x": images(20, 5, 4, 3).astype(np.int16) * 9, "y": TARGETS}, "pixels must be from 0 to 255"),
    ],
)
def test_npz_that_is_none(arrays: dict[str, Any], message: str) -> None:
    refused({"a.npz": npz(**arrays)}, message)


def test_npz_with_another_content() -> None:
    assert ingested({"a.npz.gz": gzip.compress(npz(x=images(20, 5, 4), y=TARGETS))}).classes == ["0", "1", "2"]
    refused({"a.npz": b"no zip"}, r"a\.npz is no npz file")
    refused({"a.npz": npz(x=images(20, 5, 4), y=TARGETS)[:-30]}, r"a\.npz is damaged")
    refused({"a.npz": packed_zip({"x.npy": b"no array"})}, r"a\.npz: x is no npy array")
    pair = npz(x=images(20, 5, 4), y=TARGETS)
    refused({"a.npz": pair, "b.npz": pair}, r"there are 2 npz files, a\.npz and b\.npz; send one")
    grey = {"x": np.full((20, 5, 4, 3), 999, np.int16), "y": TARGETS}
    refused({"a.npz": npz(**grey)}, "20 of 20 samples.*pixels must be from 0 to 255", channels=1)
    cut = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(pair)) as before, zipfile.ZipFile(cut, "w") as after:
        after.writestr("x.npy", before.read("x.npy")[:-7])
        after.writestr("y.npy", before.read("y.npy"))
    refused({"a.npz": cut.getvalue()}, r"a\.npz is cut off")
    huge = io.BytesIO()
    with zipfile.ZipFile(huge, "w") as after:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**20)})
        after.writestr("x.npy", header.getvalue())
        np.lib.format.write_array_header_1_0(
            header := io.BytesIO(), {"descr": "<i8", "fortran_order": False, "shape": (2**40,)}
        )
        after.writestr("y.npy", header.getvalue())
    refused({"a.npz": huge.getvalue()}, r"a\.npz unpacks to [\d,]+ bytes; the limit is")


def test_ts_of_several_channels_and_lengths() -> None:
    train = ts("1,2,3:4,5,6:a", "1.5:-2e1:b", "# between", "", "7,8:9,10:b")
    result = ingested({"Made_TRAIN.ts": train, "Made_TEST.ts": ts("1,1:2,2:a")})
    manifest = result.ingested.manifest
    assert (manifest["kind"], manifest["shape"], manifest["lengths"]) == ("series", [3, 2], [1, 3])
    assert result.tensors["train.inputs"].tolist() == [
        [[1, 4], [2, 5], [3, 6]],
        [[1.5, -20], [0, 0], [0, 0]],
        [[7, 9], [8, 10], [0, 0]],
    ]
    assert result.tensors["train.lengths"].tolist() == [3, 1, 2]
    assert result.tensors["test.lengths"].tolist() == [2]
    assert result.findings["lengths"] == {"min": 1, "median": 2, "max": 3}
    assert result.labels("train") == ["a", "b", "b"]


def test_ts_lines_that_are_none_are_named() -> None:
    bad = ["1,2:3,4", "1,2:3:a", "1,?:3,4:a", "1,2:3,4:c", "1,2:3,4:5,6:a", "1,2:3,nan:b", "a", "1,:3,4:a"]
    good = [f"{number},2:3,{number}:{'ab'[number % 2]}" for number in range(100)]
    found = ingested({"a.ts": ts(*good, *bad)}).findings["skipped"]
    assert [one["row"] for one in found] == list(range(106, 114))
    assert [one["reason"] for one in found] == [
        "the class '3,4' is not among those that @classLabel names",
        "the channels have 1 to 2 values; those of a series must be equally long",
        "channel 1, value 2: '?' is not a number",
        "the class 'c' is not among those that @classLabel names",
        "the series has 3 channels, @dimensions says 2",
        "channel 2, value 2: nan is not finite, or too large for float32",
        "the line has no colon between values and class",
        "channel 1, value 2 is empty",
    ]


def test_ts_files_that_are_none() -> None:
    refused({"a.ts": b"export const a = 1;\n"}, r"a\.ts, row 1: 'export const a = 1;' stands before @data")
    refused({"a.ts": b"@problemName x\n"}, r"a\.ts has no line @data")
    assert ingested({"a.ts": ts("1:a", "2:b", "3:b", head="@\n@ data is below\n")}).classes == ["a", "b"]
    refused({"a.ts": b""}, r"a\.ts has no line @data")
    refused({"a.ts": ts()}, "the files hold no samples")
    refused({"a.ts": ts("(0,1):a", head="@timeStamps true\n")}, r"a\.ts, row 3: series with time stamps are not read")
    refused({"a.ts": ts("1:0.5", head="@targetLabel true\n")}, r"a\.ts, row 3: the targets are numbers")
    refused({"a.ts": ts("1:0.5", head="@classLabel false\n")}, r"a\.ts, row 3: the series have no classes")
    other = {"a_TRAIN.ts": ts("1:a", "2:b", head=""), "a_TEST.ts": ts("1:2:a", head="")}
    refused(other, r"1 of 3 samples.*a_TEST\.ts, row 4: the series has 2 channels, the first has 1")


def test_a_class_that_a_ts_header_names_may_be_empty() -> None:
    result = ingested({"a.ts": ts("1:2:a", "2:3:b", "3:4:a", head="@classLabel true a b c\n")})
    assert result.classes == ["a", "b"]
    assert result.findings["empty_classes"] == ["c"]


def test_padding_cannot_grow_without_limit() -> None:
    long = ",".join(["1"] * 50_000)
    series = [f"{long}:a", *[f"{number}:b" for number in range(2000)]]
    refused({"a.ts": ts(*series, head="")}, r"take 400,200,000 bytes when all are padded to the longest, 50,000 steps")
