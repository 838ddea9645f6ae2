"""A whole data set answered: what ``:predict`` says of each row, in every format, however often it is broken off."""

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import holed
import numpy as np
import onnxruntime
import pytest
from answering import Trained, as_json, trained
from safetensors import safe_open
from safetensors.numpy import save_file

from core.explain.answer import softmax
from core.predictions import AT_ONCE
from core.predictions.layout import Layout
from core.predictions.scores import Scores
from core.specs import TrainSpec
from models.data.splits import load
from models.events import Finished
from models.export import export
from models.predict import Answering
from models.training import fit
from workers import predict

KINDS = ("images", "series", "texts", "recordings", "numbers", "forecasts")
FORMATS = ("csv", "jsonl", "npz")


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory: pytest.TempPathFactory, digits_path: Path) -> dict[str, Trained]:
    return {kind: trained(tmp_path_factory.mktemp(kind), kind, digits_path) for kind in KINDS}


def asked(found: Trained, scratch: Path, *splits: str) -> Answering:
    return Answering(found.graph, found.preprocessing, load(found.path, scratch), splits)


def served(found: Trained, rows: list[Any]) -> Any:
    """What the runtime of ``:predict`` says of samples as a client sends them."""
    session: Any = onnxruntime.InferenceSession(str(found.graph), providers=["CPUExecutionProvider"])
    values = []
    for first in range(0, len(rows), AT_ONCE):
        samples = found.preprocessing.from_rows(rows[first : first + AT_ONCE])
        outputs = session.run(["logits"], found.preprocessing.feed(samples))[0]
        targets = found.preprocessing.targets
        values.append(softmax(outputs) if targets is None else targets.restore(outputs, samples))
    return np.concatenate(values)


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_has_the_answer_of_predict_and_the_score_of_the_training(
    all_kinds: dict[str, Trained], kind: str, tmp_path: Path
) -> None:
    found = all_kinds[kind]
    answering, scores = asked(found, tmp_path, "test"), Scores(found.layout)
    parts = list(answering.run(0, threads=3))
    for part in parts:
        scores.add(part)
    values = np.concatenate([part.values for part in parts])
    assert (len(values), [part.first for part in parts]) == (answering.count, list(range(0, answering.count, AT_ONCE)))
    assert np.array_equal(values, served(found, as_json(found, "test")))
    result, test = scores.result(), found.end.test
    assert result["scores_reason"] is None
    assert result["scores"] == pytest.approx({name: test[name] for name in result["scores"]}, rel=1e-5)
    assert result["scores"].keys() == ({"accuracy"} if found.layout.classifies else {"mae", "rmse"})
    assert result["confusion_matrix"] == found.end.confusion_matrix


def task(found: Trained, scratch: Path, form: str, layout: dict[str, Any], done: int, state: Any) -> dict[str, Any]:
    """What a child is told."""
    return {
        "scratch": str(scratch),
        "written": str(scratch / "answers"),
        "dataset": str(found.path),
        "graph": str(found.graph),
        "layout": json.loads(json.dumps(layout)),
        "preprocessing": found.preprocessing.as_dict(),
        "splits": ["train", "test"],
        "format": form,
        "done": done,
        "state": state,
        "threads": 2,
        "checkpoint_seconds": 3600,
    }


def run(found: Trained, folder: Path, form: str, interrupted: bool, top: int | None = None) -> tuple[bytes, Any, int]:
    """The file, the result and the number of attempts of the child's work; if interrupted, each ends with one batch."""
    layout = {**found.layout.as_dict(), "top": top}
    written, done, state, attempts = b"", 0, None, 0
    while True:
        scratch = folder / f"{form}-{interrupted}-{top}-{attempts}"
        scratch.mkdir()
        (scratch / "answers").write_bytes(written)
        said: list[dict[str, Any]] = []
        control = SimpleNamespace(storing=False, pausing=interrupted)
        asked_for = task(found, scratch, form, layout, done, state)
        predict.run(asked_for, control, lambda said=said, **told: said.append(told))
        attempts += 1
        end = json.loads(json.dumps(said[-1]))
        if end["type"] == "predicted":
            path = Path(end.pop("path"))
            return path.read_bytes(), end, attempts
        part = said[-2]
        assert (end["type"], part["type"], end["step"]) == ("paused", "part", part["done"])
        written, done, state = (
            written + Path(part["path"]).read_bytes(),
            part["done"],
            json.loads(json.dumps(part["state"])),
        )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["series", "forecasts"])
def test_an_attempt_goes_on_to_the_very_bytes(
    all_kinds: dict[str, Trained], kind: str, form: str, tmp_path: Path
) -> None:
    whole, result, attempts = run(all_kinds[kind], tmp_path, form, False)
    broken, same, more = run(all_kinds[kind], tmp_path, form, True)
    assert (attempts, more > 3) == (1, True)
    assert broken == whole
    assert same == result


def test_the_formats_say_the_same_of_classes(all_kinds: dict[str, Trained], tmp_path: Path) -> None:
    found = all_kinds["series"]
    table = list(csv.DictReader(io.StringIO(run(found, tmp_path, "csv", False)[0].decode())))
    lines = [json.loads(line) for line in run(found, tmp_path, "jsonl", False)[0].decode().splitlines()]
    arrays = np.load(io.BytesIO(run(found, tmp_path, "npz", False)[0]), allow_pickle=False)
    assert len(table) == len(lines) == len(arrays["row"]) == 250
    assert [(one["split"], one["row"]) for one in lines] == [
        *(("train", row) for row in range(150)),
        *(("test", row) for row in range(100)),
    ]
    assert set(lines[0]) == {"split", "row", "label", "class", "index", "probability", "probabilities"}
    classes = arrays["classes"].tolist()
    assert classes == ["a", "b", "c"]
    for number, (row, line) in enumerate(zip(table, lines, strict=True)):
        assert (row["split"], int(row["row"])) == (line["split"], line["row"])
        assert (arrays["split"][number], arrays["row"][number]) == (line["split"], line["row"])
        assert row["label"] == line["label"] == classes[arrays["label"][number]]
        assert row["class"] == line["class"] == classes[arrays["index"][number]]
        assert float(row["probability"]) == line["probability"] == arrays["probability"][number]
        assert [float(row[f"probability_{name}"]) for name in classes] == list(line["probabilities"].values())
        assert arrays["probabilities"][number].tolist() == list(line["probabilities"].values())


def test_only_the_likeliest_classes_are_kept(all_kinds: dict[str, Trained], tmp_path: Path) -> None:
    found = all_kinds["images"]
    lines = [json.loads(line) for line in run(found, tmp_path, "jsonl", False, 3)[0].decode().splitlines()]
    arrays = np.load(io.BytesIO(run(found, tmp_path, "npz", False, 3)[0]), allow_pickle=False)
    table = list(csv.DictReader(io.StringIO(run(found, tmp_path, "csv", False, 3)[0].decode())))
    assert list(table[0]) == [
        "split",
        "row",
        "label",
        *(f"{name}_{rank}" for rank in (1, 2, 3) for name in ("class", "probability")),
    ]
    for number in range(0, len(lines), 50):
        ranked = lines[number]["probabilities"]
        assert list(ranked.values()) == sorted(ranked.values(), reverse=True) and len(ranked) == 3
        assert next(iter(ranked)) == lines[number]["class"] == table[number]["class_1"]
        assert [table[number][f"class_{rank}"] for rank in (1, 2, 3)] == list(ranked)
        assert arrays["probabilities"][number].tolist() == list(ranked.values())
        assert arrays["classes"][arrays["top_indices"][number]].tolist() == list(ranked)


def test_the_formats_say_the_same_of_forecasts(all_kinds: dict[str, Trained], tmp_path: Path) -> None:
    found = all_kinds["forecasts"]
    table = list(csv.DictReader(io.StringIO(run(found, tmp_path, "csv", False)[0].decode())))
    lines = [json.loads(line) for line in run(found, tmp_path, "jsonl", False)[0].decode().splitlines()]
    arrays = np.load(io.BytesIO(run(found, tmp_path, "npz", False)[0]), allow_pickle=False)
    steps = [f"{name}_{step}" for name in ("heat", "load") for step in (1, 2, 3)]
    labels, predicted = ([f"{word}_{one}" for one in steps] for word in ("label", "predicted"))
    assert list(table[0]) == ["split", "row", *labels, *predicted]
    assert arrays["targets"].tolist() == ["heat", "load"] and arrays["values"].shape == (len(lines), 3, 2)
    rows = load(found.path).train.inputs[:, [1, 0]]  # of heat and load
    for number, (row, line) in enumerate(zip(table, lines, strict=True)):
        assert [float(row[f"predicted_heat_{step}"]) for step in (1, 2, 3)] == line["values"]["heat"]
        assert arrays["values"][number].T.tolist() == list(line["values"].values())
        assert arrays["label"][number].T.tolist() == list(line["label"].values())
        if line["split"] == "train":
            assert np.array_equal(arrays["label"][number], rows[line["row"] + 20 : line["row"] + 23])


def test_a_row_without_a_finite_answer_is_named(all_kinds: dict[str, Trained], tmp_path: Path) -> None:
    found = all_kinds["series"]
    with safe_open(found.path, "numpy") as file:
        tensors, manifest = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
    tensors["test.inputs"][70, ::2] = np.inf
    tensors["test.inputs"][70, 1::2] = -np.inf
    save_file(tensors, tmp_path / "wrong", manifest)
    answering = asked(replace(found, path=tmp_path / "wrong"), tmp_path, "test")
    with pytest.raises(ValueError, match=r"row 70 of test: its numbers are too large"):
        list(answering.run(0, 1))


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (Layout("classification", ("a", "b"), ("a", "c", "d"), None, None), "does not know the class 'c' and 1 more"),
        (
            Layout("regression", ("price",), ("cost",), None, None),
            "has cost and the model foretells price",
        ),
    ],
)
def test_answers_that_cannot_be_compared_are_not_scored(layout: Layout, reason: str) -> None:
    scores = Scores(layout)
    result = scores.result()
    assert (result["scores"], result["confusion_matrix"], scores.state) == (None, None, {})
    assert reason in result["scores_reason"]


ANSWERS_WITHIN_A_LIMIT = """
import json, resource, sys
from pathlib import Path
from types import SimpleNamespace
from workers import predict
task = json.load(sys.stdin)
used = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line)
resource.setrlimit(resource.RLIMIT_DATA, ((used + 200 * 1024) * 1024,) * 2)
predict.run(task, SimpleNamespace(storing=False, pausing=False), lambda **told: None)
"""


def test_a_data_set_larger_than_the_memory_is_answered(tmp_path: Path) -> None:
    """The process may have 200 MiB beside what its libraries take; the data set has 270."""
    small, large = tmp_path / "small", tmp_path / "large"
    holed.images(small, 40, 10)
    holed.images(large, 4000, 300)
    network = {"family": "cnn", "stages": [{"channels": 2, "stride": 8}], "hidden": []}
    spec = {"network": network, "data": {"normalise": "unit"}, "hyperparameters": {"steps": 1, "batch_size": 16}}
    *_, end = fit(TrainSpec.model_validate(spec), load(small), threads=1)
    assert isinstance(end, Finished)
    graph = tmp_path / "model.onnx"
    graph.write_bytes(export(end.plan, end.best.weights))
    layout = Layout("classification", ("a", "b"), ("a", "b"), None, None)
    found = Trained(large, graph, end.preprocessing, layout, end)
    (tmp_path / "answers").touch()
    done = subprocess.run(
        [sys.executable, "-c", ANSWERS_WITHIN_A_LIMIT],
        input=json.dumps(task(found, tmp_path, "npz", layout.as_dict(), 0, None)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(np.load(tmp_path / "predictions")["row"]) == 4300
