"""kill -9 of every part in mid-training: the job ends as if nothing had happened, bit for bit."""

from typing import Any

import psutil
import pytest
from halted import end_lease
from long_job import SPEC, assert_as_undisturbed, assert_resumed, start
from stack import Stack, gone, until


@pytest.fixture
def running(api_and_worker: Stack) -> tuple[Stack, str, psutil.Process]:
    """A job in mid-training whose child is stopped at a step that is not its last checkpoint's."""
    return api_and_worker, *start(api_and_worker)


def assert_rewound(stack: Stack, job_id: str) -> None:
    """Steps that had been recorded were lost, and taken back to the very checkpoint."""
    resumed_from = stack.events(job_id, "claimed")[1]["data"]["resumed_from"]
    assert [event["data"]["step"] for event in stack.events(job_id, "rewound")] == [resumed_from]


def test_the_child_is_killed(running: tuple[Stack, str, psutil.Process], undisturbed: dict[str, Any]) -> None:
    stack, job_id, child = running
    child.kill()
    assert_as_undisturbed(stack, job_id, undisturbed)
    assert_resumed(stack, job_id, undisturbed["steps"])
    assert_rewound(stack, job_id)
    retry = stack.events(job_id, "retry")[0]
    assert retry["data"]["error"]["detail"]["signal"] == "SIGKILL"


def test_the_worker_is_killed(running: tuple[Stack, str, psutil.Process], undisturbed: dict[str, Any]) -> None:
    stack, job_id, child = running
    stack.started[1].kill()
    until(lambda: gone(child), "the child to die with its worker")
    end_lease(stack, job_id)
    (left,) = stack.scratch_folders()
    stack.start_worker()
    assert left not in stack.scratch_folders()
    assert_as_undisturbed(stack, job_id, undisturbed)
    assert_resumed(stack, job_id, undisturbed["steps"])
    assert_rewound(stack, job_id)
    assert [event["type"] for event in stack.events(job_id, "lease_expired", "retry")] == ["lease_expired", "retry"]


def test_redis_is_killed(running: tuple[Stack, str, psutil.Process], undisturbed: dict[str, Any]) -> None:
    stack, job_id, child = running
    stack.redis.kill()
    child.resume()
    assert_as_undisturbed(stack, job_id, undisturbed)
    assert stack.job(job_id)["attempt"] == 1
    accepted = stack.submit({**SPEC, "hyperparameters": {"steps": 1}})  # with no broker at all
    assert stack.job(accepted)["status"] == "queued"
    stack.redis.start()
    assert stack.ended(accepted)["status"] == "succeeded"


def test_the_api_is_killed(running: tuple[Stack, str, psutil.Process], undisturbed: dict[str, Any]) -> None:
    stack, job_id, child = running
    stack.started[0].kill()
    child.resume()
    stack.start_api()
    assert_as_undisturbed(stack, job_id, undisturbed)
    assert stack.job(job_id)["attempt"] == 1
