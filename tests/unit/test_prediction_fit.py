"""Which data sets a model version can answer, and which rows of them."""

from dataclasses import replace
from typing import Any

import pytest

from core.encode import Preprocessing
from core.encode.audio import Frames
from core.encode.targets import Targets
from core.errors import Invalid
from core.predictions.fit import Described, Rows, check, chosen, rows

IMAGE = Described("pictures@1", "image", "classification", (8, 8, 1), None, None, None, None, {"train": 9, "test": 4})
SERIES = replace(IMAGE, name="series@1", kind="series", shape=(20, 2), lengths=(3, 20))
TONES = replace(IMAGE, name="tones@1", kind="audio", shape=(), lengths=(100, 900), rate=8000)
TABLE = replace(
    IMAGE, name="table@1", kind="series", task="forecast", shape=(90, 2), columns=["load", "heat"], targets=["heat"]
)
PLAIN = (None, "none", (0.0,), (1.0,))
READS_IMAGES = Preprocessing("image", (8, 8, 1), *PLAIN)
READS_SERIES = Preprocessing("series", (20, 2), *PLAIN, variable=True)
READS_TONES = Preprocessing(
    "audio", (900,), *PLAIN, variable=True, frames=Frames(rate=8000, window=200, hop=80, mels=12)
)
FORETELLS = Preprocessing("series", (10, 2), *PLAIN, targets=Targets(("heat",), (0.0,), (1.0,), horizon=3, places=(1,)))
CASES: list[tuple[Preprocessing, Described, dict[str, Any], str]] = [
    (READS_IMAGES, IMAGE, {"shape": (9, 8, 1)}, "its samples are 9x8x1, and the model reads 8x8x1"),
    (
        READS_IMAGES,
        IMAGE,
        {"kind": "series"},
        "reads image data for classification, and pictures@1 is series",
    ),
    (READS_IMAGES, IMAGE, {"task": "regression"}, "is image for regression"),
    (READS_SERIES, SERIES, {"shape": (20, 3)}, "its steps have 3 numbers, and the model reads 2"),
    (READS_SERIES, SERIES, {"lengths": (3, 81)}, "a sample has the length 81, and the model reads at most 80"),
    (READS_SERIES, SERIES, {"shape": (81, 2), "lengths": None}, "a sample has the length 81"),
    (replace(READS_SERIES, variable=False), SERIES, {}, "its samples are of several lengths, and the model reads 20x2"),
    (READS_TONES, TONES, {"rate": 16000}, "its recordings have 16000 Hz, and the model reads 8000 Hz"),
    (READS_TONES, TONES, {"lengths": (100, 3601)}, "a sample has the length 3,601"),
    (FORETELLS, TABLE, {"columns": ["heat", "load"]}, "its columns are heat, load, and the model reads load, heat"),
    (FORETELLS, TABLE, {"targets": ["load"]}, "its targets are load, and the model reads heat"),
]


@pytest.mark.parametrize(("preprocessing", "dataset", "change", "sentence"), CASES, ids=lambda value: str(value)[-40:])
def test_what_does_not_fit_is_said(
    preprocessing: Preprocessing, dataset: Described, change: dict[str, Any], sentence: str
) -> None:
    if change:
        check(preprocessing, dataset, dataset)
    with pytest.raises(Invalid) as refused:
        check(preprocessing, dataset, replace(dataset, **change))
    assert sentence in refused.value.message
    assert refused.value.errors[0][0] == "#/dataset"


def test_a_language_model_has_no_rows() -> None:
    with pytest.raises(Invalid, match="language model") as refused:
        check(Preprocessing("corpus", (32,), *PLAIN), IMAGE, IMAGE)
    assert refused.value.errors[0][0] == "#/model"


def test_splits_come_in_their_order() -> None:
    splits = {"test": 4, "train": 9, "validation": 2}
    assert chosen(splits, "all") == ["train", "validation", "test"]
    assert rows(READS_IMAGES, splits, ["train", "test"]) == [Rows("train", 0, 9), Rows("test", 0, 4)]
    with pytest.raises(Invalid, match="no validation split of its own; it has train, test"):
        chosen({"train": 1, "test": 1}, "validation")


def test_windows_foretell_in_their_own_split() -> None:
    splits = {"train": 50, "validation": 2, "test": 20}
    # the first window of test sees the ten rows before it; two rows are too few to foretell three
    assert rows(FORETELLS, splits, ["train", "validation", "test"]) == [
        Rows("train", 0, 50 - 10 - 3 + 1),
        Rows("validation", 40, 0),
        Rows("test", 42, 20 - 3 + 1),
    ]
    assert rows(FORETELLS, {"train": 4, "test": 20}, ["test"]) == [Rows("test", 0, 24 - 10 - 3 + 1)]
