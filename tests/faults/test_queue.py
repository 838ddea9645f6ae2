"""The line: no job is lost, none runs twice, the order is kept, and a job that waits says why."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from stack import PATIENCE, Stack, until

from core import fleet, ids, jobs
from core.broker import QUEUES, Tickets
from core.db import Database, now
from core.jobs.lease import TICKET_AGAIN_AFTER
from core.specs import TrainJob
from core.tables import Job, JobEvent, Worker

TINY: dict[str, Any] = {
    "dataset": "digits",
    "network": {"family": "rnn", "hidden": 4},
    "hyperparameters": {"steps": 1},
}
AGAIN_AFTER = 2 * TICKET_AGAIN_AFTER
LONG: dict[str, Any] = {**TINY, "hyperparameters": {"steps": 1_000_000}, "checkpoint_seconds": 3600}


def claims(stack: Stack, job_id: str) -> int:
    return len(stack.events(job_id, "claimed"))


def cancel(stack: Stack, job_id: str) -> None:
    assert stack.http.post(f"/v1/jobs/{job_id}/cancel").status_code in (200, 202)
    assert stack.ended(job_id)["status"] == "cancelled"


def running(stack: Stack, job_id: str) -> bool:
    return bool(stack.job(job_id)["status"] == "running")


def test_duplicate_tickets_start_a_job_once(service: Stack) -> None:
    blocker = service.submit(LONG)
    until(lambda: running(service, blocker), "the only slot to be taken")
    waiting = service.submit(TINY)
    tickets = Tickets(service.redis.url)
    for _ in range(20):
        tickets.send(waiting, QUEUES["cpu"])
    cancel(service, blocker)
    done = service.ended(waiting)
    for _ in range(20):
        tickets.send(waiting, QUEUES["cpu"])
    tickets.close()
    after = service.submit(TINY)
    assert service.ended(after)["status"] == "succeeded"
    assert (done["status"], done["attempt"], claims(service, waiting)) == ("succeeded", 1, 1)
    assert service.job(waiting)["finished_at"] == done["finished_at"]


def ten_seconds_pass(database: Database) -> None:
    """As far as tickets are concerned."""
    with database.transaction() as session:
        session.execute(update(Job).where(Job.state == "queued").values(ticket_sent_at=now(session) - AGAIN_AFTER))


def test_a_lost_ticket_is_sent_again(service: Stack) -> None:
    database = Database(service.database_url)
    with database.transaction() as session:  # as POST /v1/jobs does, but nobody sends a ticket
        job_id = jobs.submit(session, "default", TrainJob.model_validate(TINY)).id
    ten_seconds_pass(database)
    database.close()
    assert service.ended(job_id)["status"] == "succeeded"


def test_redis_is_wiped(service: Stack) -> None:
    """With nobody waiting, and with jobs in the line and no worker."""
    service.redis.wipe()
    assert service.ended(service.submit(TINY))["status"] == "succeeded"
    service.started.pop().stop()
    waiting = [service.submit(TINY) for _ in range(3)]
    until(lambda: service.job(waiting[0])["waiting_for"], "the worker to be offline")
    assert service.job(waiting[0])["waiting_for"] == {"reason": "no worker is online"}
    service.redis.wipe()
    database = Database(service.database_url)
    ten_seconds_pass(database)
    database.close()
    service.start_worker()
    assert [service.ended(job_id)["status"] for job_id in waiting] == ["succeeded"] * 3


def test_higher_priority_goes_first(service: Stack) -> None:
    blocker = service.submit(LONG)
    until(lambda: running(service, blocker), "the only slot to be taken")
    priorities = [0, -100, 7, 100, 7]
    waiting = [service.submit({**TINY, "priority": priority}) for priority in priorities]
    assert [service.job(job_id)["queue"]["position"] for job_id in waiting] == [4, 5, 2, 1, 3]
    cancel(service, blocker)
    started = [service.ended(job_id)["started_at"] for job_id in waiting]
    assert [priorities[place] for place in sorted(range(5), key=started.__getitem__)] == [100, 7, 7, 0, -100]
    assert started[2] < started[4]


def test_a_job_that_fits_no_online_worker_waits_and_says_why(service: Stack) -> None:
    """A worker with a GPU was here an hour ago: such a job may wait. Once it is forgotten, nobody could ever run it."""
    database, cuda = Database(service.database_url), {**TINY, "device": "cuda"}
    gpu = {"kind": "cuda", "name": "a GPU", "memory_bytes": 2**33}
    versions: dict[str, str] = {}
    away = Worker(
        id=ids.new("wrk"),
        name="away",
        host="there",
        pid=1,
        slots=1,
        threads=1,
        memory_bytes=2**33,
        devices=[gpu],
        versions=versions,
    )
    with database.transaction() as session:
        fleet.register(session, away)
    with database.transaction() as session:
        hour_ago = now(session) - timedelta(hours=1)
        session.execute(update(Worker).where(Worker.id == away.id).values(seen_at=hour_ago))
    job_id = service.submit(cuda)
    later = service.submit(TINY)  # what fits goes past it
    assert service.ended(later)["status"] == "succeeded"
    job = service.job(job_id)
    assert job["status"] == "queued"
    assert "it needs cuda and worker" in job["waiting_for"]["reason"]
    assert job["queue"]["expected_start"] is None
    cancel(service, job_id)
    with database.transaction() as session:
        session.execute(delete(Worker).where(Worker.id == away.id))
    database.close()
    huge = {"family": "rnn", "cell": "lstm", "hidden": 16384, "layers": 16, "bidirectional": True}
    for body, pointer in ((cuda, "#/device"), ({**TINY, "network": huge}, "#/network")):
        before = service.http.get("/v1/jobs").json()["data"]
        refused = service.http.post("/v1/jobs", json=body)
        assert refused.status_code == 422, refused.text
        (error,) = refused.json()["errors"]
        assert error["pointer"] == pointer
        assert "no worker can run this job" in error["detail"]
        assert service.http.get("/v1/jobs").json()["data"] == before


def test_the_same_key_at_once_makes_one_job(service: Stack) -> None:
    key, body = ids.new("key"), {**TINY, "metadata": {"test": "idempotency"}}

    def post(_: int) -> tuple[int, str]:
        answer = service.http.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})
        return answer.status_code, answer.headers["Location"]

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(post, range(8)))
    assert len(answers) == 1
    assert answers.pop()[0] == 202
    found = service.http.get("/v1/jobs", params={"metadata[test]": "idempotency"}).json()["data"]
    assert len(found) == 1
    other = service.http.post("/v1/jobs", json={**body, "seed": 1}, headers={"Idempotency-Key": key})
    assert other.status_code == 422
    assert service.ended(found[0]["id"])["status"] == "succeeded"


@pytest.fixture
def three_workers(service: Stack) -> Iterator[Stack]:
    """Two more than there are."""
    more = [service.start_worker(wait=False) for _ in range(2)]
    until(lambda: all("worker_ready" in one.log.read_text() for one in more), "the workers to be ready")
    yield service
    for process in more:
        process.stop()
        service.started.remove(process)


def test_three_workers_never_run_one_job_twice(three_workers: Stack) -> None:
    """A hundred jobs, one attempt and one claim each; no worker had nothing to do."""
    stack = three_workers
    waiting = [stack.submit(TINY) for _ in range(100)]
    unfinished: dict[str, Any] = {"status": ["queued", "running"], "limit": 1}
    until(lambda: not stack.http.get("/v1/jobs", params=unfinished).json()["data"], "all jobs to end", 2 * PATIENCE)
    database = Database(stack.database_url)
    with database.reading() as session:
        found = list(session.scalars(select(Job).where(Job.id.in_(waiting))))
        written = select(JobEvent.job_id, JobEvent.type, JobEvent.data).where(JobEvent.job_id.in_(waiting))
        events = list(session.execute(written))
    database.close()
    assert [event for event in events if event.type in ("retry", "lease_expired", "failed")] == []
    assert [(job.state, job.attempt, job.failures) for job in found] == [("succeeded", 1, 0)] * 100
    took = [event for event in events if event.type == "claimed"]
    assert sorted(event.job_id for event in took) == sorted(waiting)
    assert len({event.data["worker"] for event in took}) == 3


def test_a_busy_worker_passes_tickets_on(three_workers: Stack) -> None:
    """It takes them with the slot that it keeps for short jobs; none waits for its ticket to be sent again."""
    stack = three_workers
    blockers = [stack.submit(LONG) for _ in range(2)]
    for one in blockers:
        until(lambda one=one: running(stack, one), "two of three slots to be taken")
    for _ in range(8):
        job = stack.ended(stack.submit(TINY))
        waited = datetime.fromisoformat(job["started_at"]) - datetime.fromisoformat(job["created_at"])
        assert waited < TICKET_AGAIN_AFTER  # no ticket is sent again sooner
    for one in blockers:
        cancel(stack, one)
