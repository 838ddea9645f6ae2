"""The command line on versions: made of checkpoints, promoted, taken back, and taken along."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from stack import Stack

from epochd.cli import main

Run = Callable[..., tuple[int, list[Any]]]


@pytest.fixture(scope="module")
def trained(system: Stack) -> str:
    """A short training that named no model; its id."""
    spec = {"dataset": "digits", "network": {"family": "rnn", "hidden": 16}, "hyperparameters": {"epochs": 1}}
    ended = system.ended(system.submit(spec))
    assert ended["status"] == "succeeded"
    job_id: str = ended["id"]
    return job_id


def test_register_promote_roll_back_and_export(
    run: Run, trained: str, system: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, which in enumerate(("best", "last"), 1):
        status, lines = run("register", "mine", trained, "--checkpoint", which)
        assert (status, lines[-1]["status"], lines[-1]["model_version"]) == (0, "succeeded", number)
    assert run("promote", "mine:1", "--reason", "first")[1][0]["version"] == 1
    assert run("promote", "mine:2", "--reason", "newer")[1][0]["version"] == 2
    assert run("rollback", "mine", "--reason", "worse")[1][0]["version"] == 1
    assert run("promote", "mine@production", "--alias", "staging")[1][0]["version"] == 1
    history = run("history", "mine")[1][0]
    assert [(one["from"], one["to"], one["reason"]) for one in history] == [
        (2, 1, "worse"),
        (1, 2, "newer"),
        (None, 1, "first"),
    ]
    assert main(["history", "mine"]) == 0
    assert "worse" in capsys.readouterr().out

    for reference, version in (("mine", 1), ("mine:2", 2), ("mine@staging", 1)):
        folder = tmp_path / reference.replace(":", "-").replace("@", "-")
        status, [manifest] = run("export", reference, str(folder))
        assert (status, manifest["version"]) == (0, version)
        assert sorted(one.name for one in folder.iterdir()) == ["manifest.json", "model.onnx", "weights.safetensors"]
        assert json.loads((folder / "manifest.json").read_text())["weights"] == manifest["weights"]
    sample = system.http.get("/v1/datasets/digits/samples?limit=1").json()["data"][0]["values"]
    about = manifest["preprocessing"]
    inputs = (np.array(sample)[None, ..., None] - np.array(about["mean"])) / np.array(about["std"])
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"input": inputs.astype(np.float32)})
    (said,) = system.http.post("/v1/models/mine:predict", json={"inputs": [sample]}).json()["predictions"]
    assert manifest["classes"][int(logits.argmax())] == said["class"]


def test_what_is_not_there_is_a_sentence(run: Run, trained: str, tmp_path: Path) -> None:
    status, [refused] = run("register", "mine", trained, "--checkpoint", "ckpt_0")
    assert status == 1 and "no checkpoint 'ckpt_0'" in refused["error"]["message"]
    status, [refused] = run("export", "nothing", str(tmp_path / "none"))
    assert (status, refused["error"]["code"]) == (1, "not_found")
    assert run("promote", "mine")[0] == 2
    assert run("export", "mine:x", str(tmp_path / "none"))[0] == 1


def test_rows_of_a_csv(run: Run, system: Stack, tmp_path: Path) -> None:
    spec = {"dataset": "digits-rows", "model": "rows", "network": {"family": "rnn", "hidden": 8}}
    assert system.ended(system.submit({**spec, "hyperparameters": {"steps": 5}}))["status"] == "succeeded"
    sample = system.http.get("/v1/datasets/digits-rows/samples?limit=1").json()["data"][0]["values"]
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(",".join(map(str, row)) for row in sample))
    status, [answer] = run("predict", "rows", str(file))
    assert status == 0
    expected = system.http.post("/v1/models/rows:predict", json={"inputs": [sample]}).json()
    assert answer["predictions"] == expected["predictions"]
