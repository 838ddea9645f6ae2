"""kill -9 in the middle of an augmented fine-tuning: it ends with the weights of one that nobody disturbed."""

from typing import Any

from long_job import SPEC, start
from stack import Stack

AUGMENT = {"shift": 2, "rotate": 10.0, "cutout": 4, "contrast": 0.2, "noise": 0.1}
BODY: dict[str, Any] = {**SPEC, "data": {"resize": [20, 20], "augment": AUGMENT}, "fine_tune_from": "start"}


def test_the_child_is_killed(api_and_worker: Stack) -> None:
    stack = api_and_worker
    first = stack.ended(stack.submit({**SPEC, "model": "start", "hyperparameters": {"epochs": 1}}))
    assert first["status"] == "succeeded", first["error"]
    whole = stack.ended(stack.submit(BODY))
    job_id, child = start(stack, **BODY)
    child.kill()
    killed = stack.ended(job_id)
    assert (killed["status"], killed["attempt"], killed["resume"]) == ("succeeded", 2, "exact"), killed["error"]
    assert stack.events(job_id, "claimed")[1]["data"]["resumed_from"] > 0
    assert killed["fine_tune_from"] == whole["fine_tune_from"] == "start:1"
    measured = ("weights_sha256", "test", "validation", "per_class", "confusion_matrix", "best_step", "steps")
    assert {name: killed["result"][name] for name in measured} == {name: whole["result"][name] for name in measured}
    assert stack.metrics(job_id) == stack.metrics(whole["id"])
