"""Public data sets as they are handed out, where they lie beside the checkout."""

from pathlib import Path

import numpy as np
import pytest
from ingesting import ingested_files

from core.ingest import Upload

pytestmark = pytest.mark.sets
DATA = Path(__file__).parents[3] / "shared" / "data"
SETS = {
    "mnist": ("image", [28, 28, 1], {"train": 60_000, "test": 10_000}, 10),
    "cifar-10": ("image", [32, 32, 3], {"train": 50_000, "test": 10_000}, 10),
    "ecg5000": ("series", [140, 1], {"train": 500, "test": 4_499}, 5),
    "gunpoint": ("series", [150, 1], {"train": 50, "test": 150}, 2),
    "japanese-vowels": ("series", [29, 12], {"train": 270, "test": 370}, 9),
    "ag-news-7600": ("text", [], {"train": 6_080, "test": 1_520}, 4),
    "rt-polarity": ("text", [], {"train": 8_530, "test": 2_132}, 2),
    "sms-spam": ("text", [], {"train": 4_460, "test": 1_114}, 2),
    "names": ("text", [], {"train": 16_040, "test": 4_010}, 18),
}


def uploads(name: str) -> list[Upload]:
    if not (DATA / name).is_dir():
        pytest.skip(f"needs the data set {name} in {DATA.name}/ beside the checkout")
    return [Upload(path.name, path) for path in sorted((DATA / name).iterdir())]


def test_a_whole_text_is_a_corpus_as_it_lies_there(tmp_path: Path) -> None:
    result = ingested_files(uploads("tiny-shakespeare"), tmp_path)
    assert result.ingested.manifest["kind"] == "corpus" and result.ingested.manifest["task"] == "language"
    assert result.ingested.splits == {"train": 1_003_855, "test": 111_539}
    text = result.findings["text"]
    assert text["train"] == {"characters": 1_003_855, "distinct_characters": 65, "lines": 35_526}
    assert text["train"]["lines"] + text["test"]["lines"] == 40_000 + 1  # the cut is in the middle of a line


@pytest.mark.parametrize("name", SETS)
def test_a_public_set_is_read_as_it_is(name: str, tmp_path: Path) -> None:
    kind, shape, splits, classes = SETS[name]
    result = ingested_files(uploads(name), tmp_path, limit=2**30)
    assert (result.ingested.manifest["kind"], result.ingested.manifest["shape"]) == (kind, shape)
    assert result.ingested.splits == splits
    assert len(result.classes) == classes
    assert result.findings["skipped_total"] == 0
    counts = result.findings["samples"]
    for split, targets in ((split, result.tensors[f"{split}.targets"]) for split in splits):
        assert np.bincount(targets).tolist() == list(counts[split].values())
    match name:
        case "mnist":
            means = result.tensors["train.inputs"].mean() / 255, result.tensors["train.inputs"].std() / 255
            assert means == pytest.approx((0.1307, 0.3081), abs=1e-4)
        case "cifar-10":
            assert set(counts["train"].values()) == {5_000}
        case "ecg5000":
            assert counts["train"] == {"1": 292, "2": 177, "3": 10, "4": 19, "5": 2}
        case "japanese-vowels":
            assert result.ingested.manifest["lengths"] == [7, 29]
        case "sms-spam":
            across = result.findings["duplicates_across_splits"]
            texts = set(result.texts("train")) & set(result.texts("test"))
            assert len(texts) == 98 and across["count"] == sum(text in texts for text in result.texts("test"))
        case "names":
            assert counts["train"]["Russian"] + counts["test"]["Russian"] == 9_384
            assert "Górski" in result.texts("train") + result.texts("test")


def test_spoken_digits_are_read_with_two_speakers_held_out(tmp_path: Path) -> None:
    result = ingested_files(uploads("spoken-digits"), tmp_path, pattern="{label}_{rest}", test_pattern="*_[ty]*")
    assert result.ingested.manifest | {"source": ""} == {
        "kind": "audio",
        "task": "classification",
        "shape": [],
        "dtype": "int16",
        "rate": 8000,
        "lengths": [1148, 18262],
        "classes": list("0123456789"),
        "source": "",
    }
    assert result.findings["samples"] == {
        "train": dict.fromkeys("0123456789", 200),
        "test": dict.fromkeys("0123456789", 100),
    }
    assert result.findings["skipped_total"] == result.findings["duplicates_across_splits"]["count"] == 0
