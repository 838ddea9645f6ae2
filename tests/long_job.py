"""A training long enough to be disturbed in the middle, and what must be true of it after any disturbance."""

from typing import Any

from stack import Stack, until

EPOCHS = 10
SPEC: dict[str, Any] = {
    "dataset": "digits",
    "network": {"family": "cnn", "dropout": 0.3},
    "data": {"resize": [20, 20]},
    "hyperparameters": {"epochs": EPOCHS, "log_every": 5, "schedule": {"name": "cosine", "warmup_steps": 20}},
    "seed": 7,
    "checkpoint_seconds": 0,
}


def start(stack: Stack) -> str:
    """Submit it, and wait until two checkpoints are listed and steps after the last one are recorded."""
    job_id = stack.submit(SPEC)

    def well_under_way() -> bool:
        checkpoints = stack.events(job_id, "checkpoint")
        if len(checkpoints) < 2:
            return False
        steps = [step for step, _ in stack.metrics(job_id).get("train_loss", [])]
        return max(steps) > checkpoints[-1]["data"]["step"]

    until(well_under_way, "steps after the second checkpoint")
    assert stack.job(job_id)["status"] == "running"
    return job_id


def assert_as_undisturbed(stack: Stack, job_id: str, undisturbed: dict[str, Any]) -> None:
    """The same weights, and each point of the curves exactly once."""
    job = stack.ended(job_id, 90)
    assert job["status"] == "succeeded", job["error"]
    assert job["result"]["steps"] == undisturbed["steps"]
    assert job["result"]["weights_sha256"] == undisturbed["best"]
    last = next(one for one in stack.checkpoints(job_id) if one["last"])
    assert last["weights_sha256"] == undisturbed["last"]
    assert job["resume"] == "exact"
    per_epoch = undisturbed["steps"] // EPOCHS
    expected = sorted({*range(5, undisturbed["steps"] + 1, 5), undisturbed["steps"]})
    metrics = stack.metrics(job_id)
    assert [step for step, _ in metrics["train_loss"]] == expected
    assert [step for step, _ in metrics["validation_loss"]] == [per_epoch * n for n in range(1, EPOCHS + 1)]


def assert_resumed(stack: Stack, job_id: str, total: int) -> None:
    """The second attempt went on from a checkpoint k > 0 and did exactly the steps after it."""
    again = [event for event in stack.events(job_id) if event["attempt"] == 2]
    assert again[0]["type"] == "claimed"
    resumed_from = again[0]["data"]["resumed_from"]
    assert resumed_from > 0
    first = next(event for event in again if event["type"] == "first_step")
    assert first["data"]["step"] == resumed_from + 1
    assert stack.job(job_id)["progress"]["step"] == total
