"""A training long enough to be disturbed in the middle, and what must be true of it after any disturbance."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from halted import heard
from stack import PATIENCE, Stack, until

from core.encode import digits

EPOCHS = 30  # a few seconds of training, with one thread
SPEC: dict[str, Any] = {
    "dataset": "digits",
    "network": {"family": "cnn", "dropout": 0.3},
    "data": {"resize": [20, 20]},
    "hyperparameters": {"epochs": EPOCHS, "log_every": 5, "schedule": {"name": "cosine", "warmup_steps": 20}},
    "seed": 7,
    "checkpoint_seconds": 0,
}


def undisturbed(folder: Path, body: dict[str, Any]) -> dict[str, Any]:
    """What a job's weights are when nothing happens, from a process of its own."""
    dataset = folder / "digits.safetensors"
    dataset.write_bytes(digits.build())
    script = Path(__file__).parent / "faults" / "undisturbed.py"
    command = [sys.executable, str(script), str(dataset), json.dumps(body)]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=3 * PATIENCE)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def start(stack: Stack, **fields: Any) -> tuple[str, psutil.Process]:
    """Submit it; the job's id, and its child.

    The child is stopped (SIGSTOP) in mid-training, at a step after its second checkpoint or a later one, and all that
    it has said is recorded: it cannot end before the test goes on.
    """
    job_id = stack.submit(SPEC | fields)
    child = stack.child(job_id)
    until(lambda: len(stack.events(job_id, "checkpoint")) >= 2, "two checkpoints")

    def between_checkpoints() -> bool:
        child.suspend()
        heard(stack, job_id, child)
        last = max(one["step"] for one in stack.checkpoints(job_id))
        if max(step for step, _ in stack.metrics(job_id)["train_loss"]) > last:
            return True
        child.resume()
        return False

    until(between_checkpoints, "a step between two checkpoints")
    assert stack.job(job_id)["status"] == "running"
    return job_id, child


def assert_as_undisturbed(stack: Stack, job_id: str, undisturbed: dict[str, Any]) -> None:
    """The same weights, and each point of each curve exactly once."""
    job = stack.ended(job_id)
    assert job["status"] == "succeeded", job["error"]
    assert job["result"]["steps"] == undisturbed["steps"]
    assert job["result"]["weights_sha256"] == undisturbed["best"]
    last = next(one for one in stack.checkpoints(job_id) if one["last"])
    assert last["weights_sha256"] == undisturbed["last"]
    assert job["resume"] == "exact"
    per_epoch = undisturbed["steps"] // EPOCHS
    logged, epoch_ends = expected_steps(undisturbed["steps"]), [per_epoch * n for n in range(1, EPOCHS + 1)]
    # All of them: a point may be lost or come twice in one of them and in no other.
    assert {name: [step for step, _ in points] for name, points in stack.metrics(job_id).items()} == {
        "train_loss": logged,
        "train_accuracy": logged,
        "learning_rate": logged,
        "validation_loss": epoch_ends,
        "validation_accuracy": epoch_ends,
    }


def assert_resumed(stack: Stack, job_id: str, total: int) -> None:
    """The second attempt went on from a checkpoint k > 0 and did exactly the steps after it."""
    again = [event for event in stack.events(job_id) if event["attempt"] == 2]
    assert again[0]["type"] == "claimed"
    resumed_from = again[0]["data"]["resumed_from"]
    assert resumed_from > 0
    first = next(event for event in again if event["type"] == "first_step")
    assert first["data"]["step"] == resumed_from + 1
    assert stack.job(job_id)["progress"]["step"] == total
    # By the stream's one order: what was measured after the second claim is what lies after the checkpoint.
    done = [step for seq, step in measured(stack, job_id) if seq > again[0]["seq"]]
    assert done == [step for step in expected_steps(total) if step > resumed_from]


def expected_steps(total: int) -> list[int]:
    """The steps at which the training's own metrics are logged."""
    return sorted({*range(5, total + 1, 5), total})


def measured(stack: Stack, job_id: str) -> list[tuple[int, int]]:
    """(seq, step) of every point of the training loss, from the job's stream."""
    points, event = [], ""
    for line in stack.http.get(f"/v1/jobs/{job_id}/stream").text.splitlines():
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "data" and event == "metrics":
            batch = json.loads(value)
            points += [(batch["seq"], one["step"]) for one in batch["points"] if one["name"] == "train_loss"]
    return points
