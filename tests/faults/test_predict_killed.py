"""kill -9, pause and TERM in the middle of a prediction, on both databases: every row once, the same bytes."""

from typing import Any

import pytest
from halted import inch
from sqlalchemy import select
from stack import Stack, until

from core.db import Database
from core.tables import JobOutput

ASKED: dict[str, Any] = {"kind": "predict", "model": "names", "dataset": "languages", "split": "all"}
NAMES = 8007


@pytest.fixture(scope="module")
def undisturbed(service: Stack) -> dict[str, Any]:
    """The result of a prediction that nothing happened to, by a network that takes its time."""
    network = {"family": "rnn", "cell": "lstm", "hidden": 96, "bidirectional": True}
    spec = {"dataset": "languages", "model": "names", "network": network, "hyperparameters": {"steps": 2}}
    assert service.ended(service.submit(spec))["status"] == "succeeded"
    job = service.ended(service.submit(ASKED))
    assert job["status"] == "succeeded", job["error"]
    assert (job["result"]["rows"], job["attempt"]) == (NAMES, 1)
    found: dict[str, Any] = job["result"]
    return found


def in_the_middle(service: Stack) -> tuple[str, Any]:
    """A prediction of which some parts are stored, and its child, which is stopped."""
    job_id = service.submit({**ASKED, "checkpoint_seconds": 0})
    child = service.child(job_id)
    until(lambda: inch(child) or len(service.events(job_id, "part")) >= 2, "two parts")
    assert service.job(job_id)["status"] == "running", "it is too fast to be caught in the middle"
    return job_id, child


def stored(service: Stack, job_id: str) -> list[int]:
    """Up to which row each part that is kept of a job goes."""
    database = Database(service.database_url)
    with database.reading() as session:
        rows = select(JobOutput.done).where(JobOutput.job_id == job_id).order_by(JobOutput.position)
        found = list(session.scalars(rows))
    database.close()
    return found


def assert_same(service: Stack, job_id: str, undisturbed: dict[str, Any]) -> None:
    job = service.ended(job_id)
    assert job["status"] == "succeeded", job["error"]
    assert job["attempt"] == 2
    went_on = service.events(job_id, "claimed")[1]["data"]["resumed_from"]
    parts = service.events(job_id, "part")
    assert went_on == max(one["data"]["done"] for one in parts if one["attempt"] == 1) > 0
    assert [one["data"]["done"] for one in parts] == sorted({one["data"]["done"] for one in parts})
    assert {**job["result"], "seconds": 0} == {**undisturbed, "seconds": 0}
    lines = service.http.get(f"/v1/jobs/{job_id}/predictions").text.splitlines()
    assert len(lines) == NAMES + 1 == len(set(lines))
    assert stored(service, job_id) == [NAMES]


def test_the_child_is_killed(service: Stack, undisturbed: dict[str, Any]) -> None:
    job_id, child = in_the_middle(service)
    child.kill()
    assert_same(service, job_id, undisturbed)


def test_it_is_paused(service: Stack, undisturbed: dict[str, Any]) -> None:
    job_id, child = in_the_middle(service)
    assert service.http.post(f"/v1/jobs/{job_id}/pause").status_code == 202
    until(lambda: inch(child) or service.job(job_id)["status"] == "paused", "the pause")
    shown = service.job(job_id)["progress"]
    assert (shown["stage"], 0 < shown["ratio"] < 1) == ("Predicting", True)
    assert service.http.post(f"/v1/jobs/{job_id}/resume").status_code == 202
    assert_same(service, job_id, undisturbed)


def test_it_is_cancelled(service: Stack, undisturbed: dict[str, Any]) -> None:
    job_id, child = in_the_middle(service)
    assert len(stored(service, job_id)) >= 2
    assert service.http.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    assert service.ended(job_id)["status"] == "cancelled"
    assert not child.is_running() or child.status() == "zombie"
    assert stored(service, job_id) == []
    assert service.http.delete(f"/v1/jobs/{job_id}").status_code == 204


def test_the_worker_leaves_and_another_goes_on(service: Stack, undisturbed: dict[str, Any]) -> None:
    job_id, child = in_the_middle(service)
    worker = service.started[-1].popen
    worker.terminate()
    until(lambda: inch(child) or worker.poll() is not None, "the worker to leave")
    assert [one["type"] for one in service.events(job_id)][-1] == "handed_back"
    service.start_worker()
    assert_same(service, job_id, undisturbed)
