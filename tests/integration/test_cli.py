"""The command line against the running service."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from PIL import Image
from stack import PATIENCE

from epochd import Client
from epochd.cli import main

SHORT = {
    "dataset": "digits",
    "model": "command-line",
    "network": {"family": "rnn", "hidden": 16},
    "hyperparameters": {"steps": 60, "batch_size": 32},
}
Run = Callable[..., tuple[int, list[Any]]]


class System(Protocol):
    url: str


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., str]:
    """Write a spec file."""

    def write(**changes: Any) -> str:
        file = tmp_path / "spec.json"
        file.write_text(json.dumps({**SHORT, **changes}))
        return str(file)

    return write


@pytest.fixture
def endless(spec: Callable[..., str]) -> str:
    """A job that ends only when it is told to."""
    return spec(model=None, hyperparameters={"steps": 100_000_000, "batch_size": 8})


def test_train_watch_download_predict(run: Run, spec: Callable[..., str], tmp_path: Path, system: System) -> None:
    status, lines = run("train", spec(), "--set", "hyperparameters.steps=80", "--watch")
    assert status == 0
    job = lines[-1]
    assert job["status"] == "succeeded" and job["result"]["steps"] == 80
    seen = [line["seq"] for line in lines[1:-1]]
    assert seen == sorted(seen) and seen[-1] == job["last_seq"]
    kinds = [line["type"] for line in lines[1:-1] if line["object"] == "event"]
    assert kinds[0] == "queued" and kinds[-1] == "succeeded"
    with Client(system.url) as client:
        stored = {s["name"]: dict(s["points"]) for s in client.metrics(job["id"], max_points=5000)["data"]}
        sample = next(client.samples("digits"))
    streamed: dict[str, dict[int, float]] = {}
    for line in lines[1:-1]:
        for point in line.get("points", []):
            streamed.setdefault(point["name"], {})[point["step"]] = point["value"]
    assert streamed == stored

    assert [each["id"] for each in run("jobs", "--model", "command-line", "--limit", "1")[1][0]] == [job["id"]]
    assert run("jobs", job["id"])[1][0]["layers"]
    status, [got] = run("checkpoints", "get", job["id"], str(tmp_path / "weights.safetensors"))
    assert status == 0
    assert hashlib.sha256((tmp_path / "weights.safetensors").read_bytes()).hexdigest() == got["weights_sha256"]
    assert got["weights_sha256"] == job["result"]["weights_sha256"]

    model = f"command-line:{job['model_version']}"
    (tmp_path / "rows.json").write_text(json.dumps([sample["values"]]))
    status, [by_rows] = run("predict", model, str(tmp_path / "rows.json"), "--top", "2")
    assert status == 0 and len(by_rows["predictions"][0]["probabilities"]) == 2
    image = Image.new("L", (8, 8))
    image.putdata([pixel for row in sample["values"] for pixel in row])
    image.save(tmp_path / "digit.png")
    assert run("predict", model, str(tmp_path / "digit.png"), "--top", "2") == (0, [by_rows])
    picture = tmp_path / "why.png"
    status, [why] = run(
        "explain", model, str(tmp_path / "digit.png"), "--method", "occlusion", "--grid", "4", "--picture", str(picture)
    )
    assert (status, len(why["players"]), why["target"]) == (0, 16, by_rows["predictions"][0]["class"])
    with Image.open(picture) as drawn:
        assert drawn.size == (320, 320)
    status, [refused] = run("explain", model, str(tmp_path / "digit.png"), "--segments", "4")
    assert (status, refused["error"]["errors"][0]["pointer"]) == (1, "#/query/segments")
    (tmp_path / "note.txt").write_text("a seven, I think")
    status, [answer] = run("predict", model, str(tmp_path / "note.txt"))
    assert status == 1 and answer["error"]["errors"][0]["pointer"] == "#/inputs/0"
    assert "command-line" in [each["name"] for each in run("models")[1][0]]
    assert run("models", "command-line")[1][0][0]["job"] == job["id"]


def test_an_estimate_is_a_table_or_json_and_queues_nothing(
    run: Run, spec: Callable[..., str], capsys: pytest.CaptureFixture[str], system: System
) -> None:
    with Client(system.url) as client:
        before = next(client.jobs(), None)
        seed = {"dataset": "digits", "network": {"family": "cnn"}, "data": {"resize": [28, 28]}}
        estimate = client.estimate(seed)
        assert estimate["parameters"] == 225_034 and estimate["verdict"]["fits"] is True
        file = spec(network={"family": "cnn"}, data={"resize": [28, 28]})
        status, [answer] = run("estimate", file, "--set", "hyperparameters.steps=80")
        assert (status, answer["total_steps"], answer["parameters"]) == (0, 80, 225_034)
        assert next(client.jobs(), None) == before
    assert main(["estimate", file]) == 0
    shown = capsys.readouterr().out
    assert "225,034" in shown and "max_pool" in shown and "13x13x32" in shown and "fits" in shown
    assert main(["estimate", file, "--set", "device=cuda"]) == 1
    assert "refused: no worker can run this job: it needs cuda" in capsys.readouterr().out
    assert main(["estimate", file, "--set", "seed=-1"]) == 1
    assert "seed" in capsys.readouterr().err


def test_a_refused_spec_names_the_field(run: Run, spec: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    wrong = spec(hyperparameters={"batch_size": "many"})
    status, [answer] = run("train", wrong)
    assert status == 1
    assert answer["error"]["errors"][0]["pointer"] == "#/hyperparameters/batch_size"
    assert main(["train", wrong]) == 1
    assert "hyperparameters.batch_size" in capsys.readouterr().err


def test_cancel_pause_resume_and_their_statuses(run: Run, endless: str, system: System) -> None:
    _, [job] = run("train", endless)
    with Client(system.url) as client:
        next(u for u in client.follow(job["id"]) if u.event and u.event["type"] == "first_step")
        assert run("watch", job["id"], "--timeout", "0.5")[0] == 5
        assert run("pause", job["id"])[0] == 0
        next(u for u in client.follow(job["id"]) if u.event and u.event["type"] == "paused")
        assert client.job(job["id"])["status"] == "paused"
        assert run("resume", job["id"])[0] == 0
        assert run("cancel", job["id"])[0] == 0
        assert client.wait(job["id"], timeout=PATIENCE)["status"] == "cancelled"
    assert run("watch", job["id"])[0] == 4
    assert run("resume", job["id"])[0] == 1
    assert run("jobs", "job_" + "0" * 32)[0] == 1


def test_ctrl_c_on_watch_leaves_the_job_running(run: Run, endless: str, system: System) -> None:
    _, [job] = run("train", endless)
    watching = subprocess.Popen(
        [sys.executable, "-m", "epochd", "watch", job["id"]],
        env={**os.environ, "EPOCHD_URL": system.url},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stderr is not None
    with Client(system.url) as client:
        next(u for u in client.follow(job["id"]) if u.event and u.event["type"] == "first_step")
        assert watching.stderr.readline()  # of the first epoch: the command follows the job
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=PATIENCE)
        assert watching.returncode == 130
        assert f"{job['id']} goes on without you" in errors and "Traceback" not in errors
        assert client.job(job["id"])["status"] == "running"
        client.cancel(job["id"])
        client.wait(job["id"], timeout=PATIENCE)


def test_keys_and_workers(run: Run, system: System) -> None:
    status, [key] = run("keys", "create", "laptop")
    assert status == 0 and key["secret"].startswith("ep_")
    with Client(system.url, key=key["secret"]) as client:
        assert [worker["status"] for worker in client.workers()].count("online") >= 1
    assert run("keys", "revoke", key["id"])[0] == 0
    listed = {each["id"]: each for each in run("keys", "list")[1][0]}
    assert listed[key["id"]]["revoked_at"] and "secret" not in listed[key["id"]]
    assert run("workers")[0] == 0
    assert run("version")[1][0]["server"]


def test_aliases_move_and_roll_back(run: Run, spec: Callable[..., str], system: System) -> None:
    with Client(system.url) as client:
        file = spec(model="aliased", hyperparameters={"steps": 2, "batch_size": 8})
        first, second = (run("train", file, "--watch")[1][-1]["model_version"] for _ in range(2))
        assert client.model("aliased")["serves"] == second
        client.promote("aliased", first, reason="the one we trust")
        client.promote("aliased", second)
        assert client.rollback("aliased")["version"] == first
        assert client.model("aliased")["serves"] == first
        moves = list(client.alias_history("aliased"))
        assert [(move["from"], move["to"]) for move in reversed(moves)] == [
            (None, first),
            (first, second),
            (second, first),
        ]
