"""Pictures in folders: what becomes of them, and what is said of those that cannot be read."""

import io
from pathlib import Path

import numpy as np
import pytest
from ingesting import folders, ingested, packed_tar, packed_zip, picture, ts
from PIL import Image

from core.ingest import Refused
from core.plan import Sample


@pytest.mark.parametrize("pack", [packed_zip, packed_tar])
def test_a_folder_per_class_in_any_archive_gives_the_same_bytes(pack: object) -> None:
    files = folders(10)
    result = ingested({"pets.bin": pack(files)})  # type: ignore[operator]
    assert result.classes == ["cat", "dog"]
    assert result.ingested.manifest == {
        "kind": "image",
        "task": "classification",
        "shape": [4, 5, 1],
        "dtype": "uint8",
        "classes": ["cat", "dog"],
        "source": "a test",
    }
    assert result.ingested.splits == {"train": 16, "test": 4}
    assert result.findings["samples"] == {"train": {"cat": 8, "dog": 8}, "test": {"cat": 2, "dog": 2}}
    values = {int(image[0, 0, 0]) for split in ("train", "test") for image in result.tensors[f"{split}.inputs"]}
    assert values == {10 * number + index for number in range(10) for index in range(2)}
    for split in ("train", "test"):  # each picture kept its own label
        odd = result.tensors[f"{split}.inputs"][:, 0, 0, 0] % 2
        assert np.array_equal(odd, result.tensors[f"{split}.targets"])
    assert result.file == ingested(files).file
    shuffled = dict(sorted(files.items(), key=lambda one: one[1]))
    assert result.file == ingested({"x.zip": packed_zip(shuffled)}).file
    assert {"unpacking", "reading", "writing"} <= set(result.stages)


@pytest.mark.parametrize(
    ("files", "sample"),
    [
        (folders(10), Sample("image", (4, 5, 1), 2, None)),
        ({"a.ts": ts(*["1,2:3,4:a", "1:2:b"] * 5)}, Sample("series", (2, 2), 2, (1, 2))),
        ({"a.csv": b"label,text\n" + b"a,one\nb,three \xe7\x8c\xab\n" * 5}, Sample("text", (), 2, (3, 7))),
    ],
    ids=["images", "series", "texts"],
)
def test_training_reads_the_file(files: dict[str, bytes], sample: Sample, tmp_path: Path) -> None:
    from models.data.splits import load

    result = ingested(files, test=0.3)
    (tmp_path / "data.safetensors").write_bytes(result.file)
    dataset = load(tmp_path / "data.safetensors")
    assert dataset.sample == sample
    assert {"train": len(dataset.train), "test": len(dataset.test)} == result.ingested.splits
    if sample.kind == "text":
        assert dataset.train.inputs.tolist() == result.texts("train")


def test_the_seed_decides_which_samples_are_the_test() -> None:
    first, second = (ingested(folders(20), seed=seed) for seed in (1, 2))
    assert first.file == ingested(folders(20), seed=1).file
    assert not np.array_equal(first.tensors["test.inputs"], second.tensors["test.inputs"])
    assert ingested(folders(20), test=0.5).ingested.splits == {"train": 20, "test": 20}


def test_folders_for_splits_stand_above_the_classes() -> None:
    files = {
        f"set/{split}/{name}": data
        for split, count in (("train", 6), ("val", 3), ("Test", 2))
        for name, data in folders(count).items()
    }
    result = ingested({"set.tar.gz": packed_tar(files)})
    assert result.ingested.splits == {"train": 12, "validation": 6, "test": 4}
    assert result.findings["duplicates_across_splits"]["count"] == 10
    assert result.findings["duplicates_across_splits"]["examples"][0] == {
        "train": "set/train/cat/0.png",
        "validation": "set/val/cat/0.png",
    }


def test_splits_may_come_as_an_archive_each_and_repeat_their_name_inside() -> None:
    archives = {
        f"seg_{split}.zip": packed_zip({f"seg_{split}/{name}": data for name, data in folders(count).items()})
        for split, count in (("train", 6), ("test", 3))
    }
    assert ingested(archives).ingested.splits == {"train": 12, "test": 6}


def test_a_class_may_be_called_train() -> None:
    result = ingested(folders(5, ["car", "plane", "train"]))
    assert result.classes == ["car", "plane", "train"]


def test_a_folder_beside_train_and_test_is_not_taken_for_a_class() -> None:
    files = {f"{split}/{name}": data for split in ("train", "test", "set") for name, data in folders(3).items()}
    with pytest.raises(Refused, match="the folders test and train are splits, but set is beside them; send what"):
        ingested({"a.zip": packed_zip(files)})
    files = {f"{split}/{name}": data for split in ("train", "training", "test") for name, data in folders(3).items()}
    with pytest.raises(Refused, match="two of them are one"):
        ingested(files)
    files = {f"{split}/{name}": data for split in ("val", "test") for name, data in folders(3).items()}
    with pytest.raises(Refused, match="none to train on"):
        ingested(files)


def test_splits_may_stand_below_the_classes() -> None:
    files = {
        f"top/{label}/{split}/{number}.png": picture(number)
        for label in ("cat", "dog")
        for split, count in (("train", 5), ("test", 2))
        for number in range(count)
    }
    result = ingested(files)
    assert result.ingested.splits == {"train": 10, "test": 4}
    assert result.classes == ["cat", "dog"]


def test_folders_below_a_class_are_of_that_class() -> None:
    files = {f"{label}/{sub}/{number}.png": picture(number) for label in "ab" for sub in "xy" for number in range(3)}
    result = ingested(files)
    assert result.classes == ["a", "b"]
    assert any("are of that class" in note for note in result.findings["notes"])


def test_classes_are_sorted_as_numbers_when_all_are_integers() -> None:
    assert ingested(folders(3, ["10", "9", "-1", "2"])).classes == ["-1", "2", "9", "10"]
    assert ingested(folders(3, ["10", "9", "x"])).classes == ["10", "9", "x"]


def test_names_may_be_of_any_language_and_are_composed() -> None:
    result = ingested({"a.zip": packed_zip(folders(3, ["猫", "cafe\u0301"]))})
    assert result.classes == ["caf\u00e9", "猫"]


def test_a_zip_of_macos_has_utf8_names_without_saying_so() -> None:
    archive = bytearray(packed_zip(folders(3, ["über", "unter"])))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := archive.find(signature, start + 1)) >= 0:
            archive[start + place + 1] &= ~0x08
    assert ingested({"a.zip": bytes(archive)}).classes == ["unter", "über"]


def test_the_class_may_be_part_of_the_files_name() -> None:
    files = {f"{label}_jackson_{number}.png": picture(number) for label in "01" for number in range(5)}
    result = ingested({"flat.zip": packed_zip(files)}, pattern="{label}_{rest}")
    assert result.classes == ["0", "1"]
    inner = {f"img-{number:03}-{label}-x.png": picture(number) for label in ("a", "b-c") for number in range(5)}
    assert ingested(inner, pattern="img-{number}-{label}-x").classes == ["a", "b-c"]
    with pytest.raises(Refused, match=r"10 of 10 samples.*0_jackson_0\.png: the name does not match the pattern"):
        ingested(files, pattern="{label}-{rest}")
    with pytest.raises(Refused, match="some text between"):
        ingested(files, pattern="{label}{rest}")


def test_files_without_a_class_are_told_what_would_help() -> None:
    files = {f"{number}.png": picture(number) for number in range(5)}
    with pytest.raises(Refused, match=r"0\.png: it is in no class's folder; put it into one, or give a pattern"):
        ingested({"a.zip": packed_zip(files)})


def test_hidden_and_other_files_are_ignored_and_counted() -> None:
    extra = {
        "set/.DS_Store": b"x",
        "__MACOSX/set/cat/._0.png": b"x",
        "set/cat/._0.png": b"x",
        "set/cat/Thumbs.db": b"x",
        "set/README.txt": b"about",
        "set/labels.csv": b"a,b",
    }
    files = {f"set/{name}": data for name, data in folders().items()}
    result = ingested({"a.zip": packed_zip({**extra, **files})})
    assert result.findings["ignored_files_total"] == 6
    assert set(result.findings["ignored_files"]) == set(extra)
    assert result.findings["skipped_total"] == 0


def test_empty_folders_and_single_samples_are_named() -> None:
    files = {**folders(5), "bird/": b"", "fish/0.png": picture(99)}
    result = ingested({"a.zip": packed_zip({f"top/{name}": data for name, data in files.items()})})
    assert result.classes == ["cat", "dog", "fish"]
    assert result.findings["empty_classes"] == ["bird"]
    assert result.findings["single_sample_classes"] == ["fish"]
    assert result.findings["samples"]["test"]["fish"] == 0


def test_damaged_pictures_are_skipped_and_named_while_they_are_few() -> None:
    cut = picture(np.arange(400, dtype=np.uint8).reshape(20, 20), form="JPEG")[:-60]
    bad = {"cat/cut.jpg": cut, "dog/empty.png": b"", "dog/text.png": b"no picture", "dog/x.gif": b"GIF89a"}
    result = ingested({**folders(25, size=(20, 20)), **bad})
    assert result.findings["skipped_total"] == 4
    reasons = {one["file"]: one["reason"] for one in result.findings["skipped"]}
    assert set(reasons) == set(bad)
    assert "truncated" in reasons["cat/cut.jpg"]
    assert reasons["dog/empty.png"] == "the file is empty"
    assert "known format" in reasons["dog/text.png"]
    assert sum(result.ingested.splits.values()) == 50
    with pytest.raises(
        Refused, match=r"4 of 34 samples cannot be read .*10%.*dog/empty\.png: the file is empty"
    ) as refused:
        ingested({**folders(15, size=(20, 20)), **bad})
    assert refused.value.detail["skipped_total"] == 4


def test_a_picture_of_a_hundred_megapixels_is_refused_from_its_header() -> None:
    file = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(file, "PNG")
    huge = {"cat/huge.png": file.getvalue()}
    result = ingested({**folders(6), **huge})
    assert result.findings["skipped"][0]["file"] == "cat/huge.png"
    assert "pixels" in result.findings["skipped"][0]["reason"]
    with pytest.raises(Refused, match=r"huge\.png.*pixels"):
        ingested({**folders(4), **huge})


def test_pictures_of_one_pixel_are_pictures() -> None:
    assert ingested(folders(5, size=(1, 1))).ingested.manifest["shape"] == [1, 1, 1]


def test_mixed_sizes_need_a_size() -> None:
    files = {**folders(5), "dog/tall.png": picture(7, (9, 5))}
    with pytest.raises(Refused, match=r"10 of 11 are 4x5 .*dog/tall\.png is 9x5; give height and width"):
        ingested(files)
    result = ingested(files, height=3, width=2)
    assert result.ingested.manifest["shape"] == [3, 2, 1]
    assert result.findings["converted"] == {"resized to 3x2": 11}


def test_all_pictures_get_the_most_channels_that_one_has() -> None:
    files = {**folders(5), "dog/red.png": picture((255, 0, 0), mode="RGB")}
    result = ingested(files)
    assert result.ingested.manifest["shape"] == [4, 5, 3]
    assert result.findings["converted"] == {"grey made colour": 10}
    grey = ingested(files, channels=1)
    assert grey.ingested.manifest["shape"] == [4, 5, 1]
    assert grey.findings["converted"] == {"colour made grey": 1}
    clear = {**folders(5), "dog/clear.png": picture((255, 0, 0, 0), mode="RGBA")}
    assert ingested(clear).ingested.manifest["shape"] == [4, 5, 4]
    white = ingested(clear, channels=3)
    images = np.concatenate([white.tensors["train.inputs"], white.tensors["test.inputs"]])
    assert [255, 255, 255] in images[:, 0, 0].tolist()  # transparency shows a white page


def test_a_picture_on_its_side_is_turned_before_sizes_are_compared() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    turned = picture(np.arange(20, dtype=np.uint8).reshape(5, 4) * 10, form="JPEG", exif=exif)
    result = ingested({**folders(5), "dog/turned.jpg": turned})
    assert result.ingested.manifest["shape"] == [4, 5, 1]


def test_sixteen_bits_keep_their_upper_half() -> None:
    ramp = (np.arange(20).reshape(4, 5) * 3000).astype(np.uint16)
    result = ingested({**folders(5), "dog/deep.png": picture(ramp)}, test=0.1)
    assert (ramp >> 8).tolist() in result.tensors["train.inputs"][..., 0].tolist()


def test_the_limit_counts_decoded_pixels() -> None:
    files = folders(5, size=(100, 100))
    with pytest.raises(Refused, match=r"10 images of 100x100x1 take 100,000 bytes; the limit is 99,999"):
        ingested(files, limit=99_999)
    assert sum(ingested(files, limit=100_000).ingested.splits.values()) == 10


def test_duplicates_are_found() -> None:
    files = {**folders(5), "cat/again.png": picture(0), "dog/again.png": picture(0)}
    for number in range(20):
        result = ingested(files, seed=number)
        across = result.findings["duplicates_across_splits"]
        assert result.findings["duplicates_within_train"] + across["count"] in (1, 2)
        assert len(across["examples"]) == across["count"]


def test_one_class_is_refused_and_ten_thousand_are_not() -> None:
    with pytest.raises(Refused, match="all samples are of one class, 'cat'"):
        ingested(folders(5, ["cat"]))
    rows = "".join(f"c{number},{number}\n" * 2 for number in range(10_001))
    with pytest.raises(Refused, match="10,001 classes"):
        ingested({"a.csv": f"label,text\n{rows}".encode()})
    most = "".join(f"c{number},{number}\n" * 2 for number in range(10_000))
    assert len(ingested({"a.csv": f"label,text\n{most}".encode()}, kind="text").classes) == 10_000


def test_train_must_have_every_class_of_test() -> None:
    files = {f"train/{name}": data for name, data in folders(3).items()}
    files |= {f"test/{name}": data for name, data in folders(3, ["cat", "bird"]).items()}
    with pytest.raises(Refused, match="test has samples of classes that train lacks: bird"):
        ingested(files)


def test_too_few_samples_for_a_test_split() -> None:
    with pytest.raises(Refused, match="no test split can be cut"):
        ingested(folders(1))
