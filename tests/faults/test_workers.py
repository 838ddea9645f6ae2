"""Workers that leave, fall silent, or cannot reach the database: the job goes on elsewhere, bit for bit."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import long_job
import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from stack import PATIENCE, Process, Stack, gone, until

from core.db import Database
from core.jobs.events import locked
from workers.supervisor import DRAIN_SECONDS

ENDLESS: dict[str, Any] = {
    "dataset": "digits",
    "network": {"family": "rnn", "hidden": 4},
    "hyperparameters": {"steps": 1_000_000},
    "checkpoint_seconds": 0,
}


def stopped(process: psutil.Process) -> bool:
    """Whether SIGSTOP has reached all threads of a process."""
    stats = [path.read_text() for path in Path(f"/proc/{process.pid}/task").glob("*/stat")]
    return all(stat.rpartition(") ")[2].startswith("T") for stat in stats)


def suspend(process: psutil.Process, database: Database, job_id: str) -> None:
    """SIGSTOP it at a moment when it holds no lock, since it would keep that as well."""
    row = text("SELECT 1 FROM jobs WHERE id = :id FOR UPDATE NOWAIT")
    while True:
        process.suspend()
        # one that still ran could take the lock after we looked
        until(lambda: stopped(process), "every thread to stop")
        try:
            if not database.is_sqlite:
                with database.transaction() as session:
                    session.execute(row, {"id": job_id})
                return
            with closing(sqlite3.connect(str(database.url.database), timeout=0.2)) as connection:
                connection.execute("BEGIN IMMEDIATE")
            return
        except (OperationalError, sqlite3.OperationalError):
            process.resume()


@pytest.fixture(scope="module")
def one_api(stack: Stack) -> Process:
    """The API for all tests of the module."""
    return stack.start_api()


@pytest.fixture
def api(stack: Stack, one_api: Process) -> Iterator[Stack]:
    """The stack with its API; the test starts workers. A job that a failed test left would take the next one's slot."""
    yield stack
    for job in stack.http.get("/v1/jobs", params={"status": ["queued", "running"]}).json()["data"]:
        stack.http.post(f"/v1/jobs/{job['id']}/cancel")
    for worker in stack.started[1:]:
        worker.stop()
    del stack.started[1:]


def test_a_worker_is_told_to_leave(api: Stack, undisturbed: dict[str, Any]) -> None:
    """One child writes its checkpoint, the other one cannot (it is stopped): both jobs go back to the line."""
    worker = api.start_worker(EPOCHD_WORKER_SLOTS="2")
    stuck_id = api.submit(ENDLESS)
    until(lambda: api.events(stuck_id, "first_step"), "the first step")
    job_id, child = long_job.start(api)
    children = stuck, _ = [api.child(stuck_id), child]
    stuck.suspend()
    child.resume()
    took = [seconds_to_leave(worker)]
    assert [child.as_dict(["pid", "name", "status", "ppid"]) for child in children if not gone(child)] == []
    for one in (stuck_id, job_id):
        assert api.job(one)["status"] == "queued"
        assert api.events(one)[-1]["type"] == "handed_back"
        assert api.events(one, "retry") == []  # not counted as a failed attempt
    handed_back_at = max(step for step, _ in api.metrics(job_id)["train_loss"])
    assert next(one["step"] for one in api.checkpoints(job_id) if one["last"]) >= handed_back_at
    assert "online" not in [one["status"] for one in api.http.get("/v1/workers").json()["data"]]
    api.http.post(f"/v1/jobs/{stuck_id}/pause").raise_for_status()  # or it would take the other one's slot
    api.start_worker()
    long_job.assert_as_undisturbed(api, job_id, undisturbed)
    long_job.assert_resumed(api, job_id, undisturbed["steps"])
    assert api.events(job_id, "rewound") == []
    api.http.post(f"/v1/jobs/{stuck_id}/resume").raise_for_status()
    while min(took) >= 10 and len(took) < 3:  # a busy machine may hold anything up once
        api.child(stuck_id).suspend()
        took.append(seconds_to_leave(api.started[-1]))
        api.start_worker()
    assert min(took) < 10, took


def seconds_to_leave(worker: Process) -> float:
    told = time.monotonic()
    worker.popen.terminate()
    assert worker.popen.wait(PATIENCE) == 0, worker.log.read_text()[-4000:]
    return time.monotonic() - told


def test_a_worker_stops_answering(api: Stack) -> None:
    """Its child stops by itself, another worker takes the job, and the first one writes nothing when it wakes."""
    first = api.start_worker(EPOCHD_LEASE_SECONDS="4")
    job_id = api.submit(ENDLESS)
    until(lambda: len(api.events(job_id, "checkpoint")) > 2, "checkpoints")
    child, process = api.child(job_id), psutil.Process(first.pid)
    second = api.start_worker()
    assert len(api.scratch_folders()) == 2
    database = Database(api.database_url)
    suspend(process, database, job_id)
    database.close()
    try:
        until(lambda: len(api.events(job_id, "claimed")) == 2, "another worker to take the job")
        assert gone(child)  # by itself, and before anybody could take the job
        until(lambda: len(api.events(job_id, "first_step")) == 2, "the second attempt")
    finally:
        process.resume()
    until(lambda: "lease_lost" in first.log.read_text(), "the first worker to notice")
    assert second.popen.poll() is first.popen.poll() is None
    events = api.events(job_id)
    taken = next(place for place, event in enumerate(events) if event["type"] == "lease_expired")
    assert [event["type"] for event in events[taken : taken + 3]] == ["lease_expired", "retry", "claimed"]
    assert {event["attempt"] for event in events[taken + 2 :]} == {2}
    claimed_by = [event["data"]["worker"] for event in api.events(job_id, "claimed")]
    assert claimed_by[0] != claimed_by[1]
    assert api.job(job_id)["status"] == "running"
    assert api.http.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    assert api.ended(job_id)["status"] == "cancelled"
    steps = [step for step, _ in api.metrics(job_id)["train_loss"]]
    assert steps == list(range(10, int(steps[-1]) + 1, 10))


def test_a_worker_without_torch_leaves_and_says_why(api: Stack, tmp_path: Path) -> None:
    """Its forkserver's imports fail; were it to stay, it would take tickets and train every job seconds late."""
    broken = tmp_path / "onnx.py"
    broken.write_text("raise ImportError('broken on purpose')")
    worker = api.start_worker(wait=False, PYTHONPATH=str(tmp_path))
    assert worker.popen.wait(PATIENCE) == 1
    assert worker.log.read_text().splitlines()[-1] == (
        "the worker cannot start: the forkserver could not import torch; is the worker extra installed?"
    )


def test_only_the_child_holds_torch(api: Stack) -> None:
    worker = api.start_worker()
    job_id = api.submit(ENDLESS)
    child = api.child(job_id)
    assert "libtorch" in Path(f"/proc/{child.pid}/maps").read_text()
    assert "libtorch" not in Path(f"/proc/{worker.pid}/maps").read_text()
    assert api.http.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    assert api.ended(job_id)["status"] == "cancelled"


def held(session: Session) -> bool:
    """Whether a transaction is still there; PostgreSQL ends one that is idle for long."""
    return bool(session.scalar(text("SELECT 1")))


def test_the_database_does_not_answer(api: Stack) -> None:
    """A worker that cannot renew its lease kills its child; the job is taken again."""
    api.start_worker(EPOCHD_LEASE_SECONDS="4")
    job_id = api.submit(ENDLESS)
    until(lambda: len(api.events(job_id, "checkpoint")) > 2, "checkpoints")
    child, database = api.child(job_id), Database(api.database_url)
    with database.transaction() as session:
        locked(session, job_id)  # PostgreSQL: this row; SQLite: every writer waits
        until(lambda: held(session) and gone(child), "the child to be killed")
    database.close()
    until(lambda: len(api.events(job_id, "first_step")) == 2, "the second attempt")
    assert [event["type"] for event in api.events(job_id, "lease_expired", "retry")] == ["lease_expired", "retry"]
    assert api.events(job_id, "claimed")[1]["data"]["resumed_from"] > 0
    assert api.http.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    assert api.ended(job_id)["status"] == "cancelled"


def test_the_database_stalls_while_the_child_ends(api: Stack) -> None:
    """What the child said last waits in its pipe until it can be written; none of it is lost."""
    api.start_worker()
    rules = {"steps": 400, "log_every": 1}
    job_id = api.submit({**ENDLESS, "hyperparameters": rules, "checkpoint_seconds": 3600})
    child, database = api.child(job_id), Database(api.database_url)
    child.suspend()  # it is to begin, and end, while the database stalls
    with database.transaction() as session:
        locked(session, job_id)
        child.resume()
        until(lambda: held(session) and gone(child), "the child to end")
        time.sleep(2 * DRAIN_SECONDS)  # longer than is waited for output that nobody ends
    database.close()
    job = api.ended(job_id)
    assert (job["status"], job["attempt"]) == ("succeeded", 1), job["error"]
    assert [step for step, _ in api.metrics(job_id)["train_loss"]] == list(range(1, 401))
