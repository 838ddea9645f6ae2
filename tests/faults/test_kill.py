"""kill -9 of every part in mid-training: the job ends as if nothing had happened, bit for bit."""

from typing import Any

import pytest
from long_job import SPEC, assert_as_undisturbed, assert_resumed, start
from stack import Stack, until


@pytest.fixture
def running(api_and_worker: Stack) -> tuple[Stack, str]:
    """A job in mid-training."""
    return api_and_worker, start(api_and_worker)


def test_the_child_is_killed(running: tuple[Stack, str], undisturbed: dict[str, Any]) -> None:
    stack, job_id = running
    stack.child(job_id).kill()
    assert_as_undisturbed(stack, job_id, undisturbed)
    assert_resumed(stack, job_id, undisturbed["steps"])
    retry = stack.events(job_id, "retry")[0]
    assert retry["data"]["error"]["detail"]["signal"] == "SIGKILL"


def test_the_worker_is_killed(running: tuple[Stack, str], undisturbed: dict[str, Any]) -> None:
    stack, job_id = running
    worker, process = stack.started[1], stack.child(job_id)
    worker.kill()
    until(lambda: not process.is_running(), "the child to die with its worker", 5)
    stack.start_worker()
    assert_as_undisturbed(stack, job_id, undisturbed)
    assert_resumed(stack, job_id, undisturbed["steps"])
    assert [event["type"] for event in stack.events(job_id, "lease_expired", "retry")] == ["lease_expired", "retry"]


def test_redis_is_killed(running: tuple[Stack, str], undisturbed: dict[str, Any]) -> None:
    stack, job_id = running
    stack.redis.kill()
    assert_as_undisturbed(stack, job_id, undisturbed)
    assert stack.job(job_id)["attempt"] == 1
    accepted = stack.submit({**SPEC, "hyperparameters": {"steps": 1}})  # with no broker at all
    assert stack.job(accepted)["status"] == "queued"
    stack.redis.start()
    assert stack.ended(accepted)["status"] == "succeeded"


def test_the_api_is_killed(running: tuple[Stack, str], undisturbed: dict[str, Any]) -> None:
    stack, job_id = running
    stack.started[0].kill()
    stack.start_api()
    assert_as_undisturbed(stack, job_id, undisturbed)
    assert stack.job(job_id)["attempt"] == 1
