"""The examples for sequences, on the real sets where these lie beside the checkout, reach the accuracy they are for."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ingesting import ingested_files
from numpy.typing import NDArray
from safetensors.numpy import save_file

from core.ingest import Upload
from core.specs import TrainJob
from models.data.splits import Dataset, load
from models.events import Finished
from models.export import export, verify
from models.networks import build
from models.training import fit

EXAMPLES = Path(__file__).parents[2] / "examples"
DATA = Path(__file__).parents[3] / "shared" / "data"
PARTS = ("train", "test")


def folder(name: str) -> Path:
    """A set's files; without them its test is skipped by name."""
    found = DATA / name
    if not found.is_dir():
        pytest.skip(f"the data set {name} is not in {DATA}")
    return found


def japanese_vowels(path: Path) -> None:
    """Twelve channels, 7 to 29 steps, nine speakers: ``channel:channel:...:label`` a line."""
    tensors: dict[str, NDArray[Any]] = {}
    for part in PARTS:
        lines = (folder("japanese-vowels") / f"JapaneseVowels_{part.upper()}.ts").read_text().splitlines()
        rows = [line.split(":") for line in lines if line and line[0] not in "#@"]
        series = [np.array([channel.split(",") for channel in row[:-1]], np.float32).T for row in rows]
        lengths = np.array([len(one) for one in series])
        padded = [np.pad(one, ((0, 29 - len(one)), (0, 0))) for one in series]
        # safetensors writes the memory as it lies, so it must lie in C order
        tensors |= {f"{part}.inputs": np.ascontiguousarray(np.stack(padded)), f"{part}.lengths": lengths}
        tensors[f"{part}.targets"] = np.array([int(row[-1]) - 1 for row in rows])
    manifest = {"kind": "series", "shape": [29, 12], "dtype": "float32", "classes": list("123456789")}
    save_file(tensors, path, metadata={"manifest": json.dumps({**manifest, "lengths": [7, 29]})})


def rt_polarity(path: Path) -> None:
    """Film reviews of one sentence, positive or negative: ``label,text`` a row."""
    tensors: dict[str, NDArray[Any]] = {}
    lengths: list[int] = []
    for part in PARTS:
        with gzip.open(folder("rt-polarity") / f"{part}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        encoded = [row["text"].encode() for row in rows]
        lengths += [len(row["text"]) for row in rows]
        tensors[f"{part}.text"] = np.frombuffer(b"".join(encoded), np.uint8)
        tensors[f"{part}.offsets"] = np.cumsum([0, *map(len, encoded)])
        tensors[f"{part}.targets"] = np.array([row["label"] == "positive" for row in rows]).astype(np.int64)
    manifest = {"kind": "text", "shape": [], "dtype": "utf8", "classes": ["negative", "positive"]}
    save_file(tensors, path, metadata={"manifest": json.dumps({**manifest, "lengths": [min(lengths), max(lengths)]})})


@pytest.mark.parametrize(
    ("name", "write", "goal"), [("japanese-vowels", japanese_vowels, 0.95), ("rt-polarity", rt_polarity, 0.74)]
)
def test_the_examples_for_sequences_reach_their_accuracy(name: str, write: Any, goal: float, tmp_path: Path) -> None:
    write(tmp_path / "set.safetensors")
    dataset: Dataset = load(tmp_path / "set.safetensors")
    job = TrainJob.model_validate_json((EXAMPLES / f"{name}.json").read_text())
    assert (job.dataset, job.model) == (name, name)
    *_, end = fit(job.training, dataset, threads=1)
    assert isinstance(end, Finished)
    assert end.test["accuracy"] >= goal
    network = build(end.plan)
    network.load_state_dict(end.best.weights)
    assert verify(export(end.plan, end.best.weights), network, end.plan) is None


@pytest.mark.sets
@pytest.mark.parametrize("family", ["rnn", "cnn"])
def test_spoken_digits_of_speakers_that_training_has_not_met_are_understood(family: str, tmp_path: Path) -> None:
    archive = folder("spoken-digits") / "spoken-digits.zip"
    options = {"pattern": "{label}_{rest}", "test_pattern": "*_[ty]*"}  # theo and yweweler
    read = ingested_files([Upload(archive.name, archive)], tmp_path, **options)
    assert read.ingested.splits == {"train": 2000, "test": 1000}
    job = TrainJob.model_validate_json((EXAMPLES / f"spoken-digits-{family}.json").read_text())
    *_, end = fit(job.training, load(tmp_path / "output" / "data.safetensors"), threads=1)
    assert isinstance(end, Finished)
    assert end.test["accuracy"] >= 0.8


@pytest.mark.parametrize("name", ["names", "ag-news-7600", "japanese-vowels", "rt-polarity"])
def test_the_examples_are_jobs(name: str) -> None:
    assert TrainJob.model_validate_json((EXAMPLES / f"{name}.json").read_text()).dataset == name
