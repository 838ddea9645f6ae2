"""Leases: a stale token writes nothing by any path, and claims follow the line exactly, however many there are."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core import blobs, db, jobs
from core.catalog.models import NewVersion
from core.db import Database, now
from core.errors import LeaseLost
from core.jobs import CheckpointEntry, Claim, Event, Lease, Points, lease
from core.specs import TrainJob
from core.tables import Base, Dataset, Job, JobEvent, Metric, Worker

BODY: dict[str, Any] = {"dataset": "digits", "network": {"family": "rnn", "hidden": 4}, "model": "m"}
ERROR: dict[str, Any] = {"code": "crashed", "message": "It crashed.", "param": None, "detail": {}}


def submit(database: Database, **fields: Any) -> str:
    with database.transaction() as session:
        return jobs.submit(session, "default", TrainJob.model_validate({**BODY, **fields})).id


def claim(database: Database, worker: Worker, seconds: float = 3600) -> Claim:
    with database.transaction() as session:
        found = jobs.claim(session, worker, seconds, {"cpu"})
    assert found is not None
    return found


def let_expire(database: Database, job_id: str) -> None:
    """End the lease, take the job back, and do not wait for the back-off."""
    with database.transaction() as session:
        session.execute(
            update(Job).where(Job.id == job_id).values(lease_expires_at=now(session) - timedelta(seconds=1))
        )
    with database.transaction() as session:
        assert jobs.requeue_expired(session) == [job_id]
        session.execute(update(Job).where(Job.id == job_id).values(not_before=None))


def checkpoint(session: Session, lease: Lease) -> object:
    sha256 = session.scalar(select(Dataset.sha256).limit(1))
    assert sha256 is not None
    entry: dict[str, Any] = {"step": 9, "epoch": 1, "best": True, "last": True, "metrics": {}}
    return jobs.checkpoint(session, lease, CheckpointEntry(**entry, weights_sha256=sha256, state_sha256=sha256))


def succeed(session: Session, lease: Lease) -> object:
    dataset = session.scalars(select(Dataset).limit(1)).one()
    version = NewVersion(
        job_id=lease.job_id,
        dataset_id=dataset.id,
        checkpoint_step=9,
        weights_sha256=dataset.sha256,
        onnx_sha256=dataset.sha256,
        reason=None,
        parameters=1,
        preprocessing={},
        metrics={},
        spec={},
    )
    return jobs.succeed(session, lease, {"test": None}, version)


WRITES: dict[str, Callable[[Session, Lease], object]] = {
    "an event and metrics": lambda session, lease: jobs.record(
        session, lease, [Event("log", "late"), Points([("train_loss", 9, 1.0)])], progress={"step": 9, "epoch": 1}
    ),
    "a checkpoint": checkpoint,
    "a renewal": lambda session, lease: jobs.renew(session, lease, 60),
    "a success": succeed,
    "a failure": lambda session, lease: jobs.fail(session, lease, {**ERROR, "retryable": False}),
    "a failure to retry": lambda session, lease: jobs.fail(session, lease, {**ERROR, "retryable": True}),
    "a cancellation": jobs.cancelled,
    "a pause": lambda session, lease: jobs.paused(session, lease, 9),
    "a hand-back": lambda session, lease: jobs.hand_back(session, lease, "it is late"),
}


def everything(database: Database) -> dict[str, list[Any]]:
    """Every row of every table."""
    with database.reading() as session:
        tables = [table for table in Base.metadata.sorted_tables if table.name not in ("blobs", "blob_chunks")]
        return {table.name: sorted(map(repr, session.execute(select(table)))) for table in tables}


@pytest.mark.parametrize("kind", WRITES)
def test_a_stale_token_writes_nothing(database: Database, worker: Worker, kind: str) -> None:
    def refused() -> None:
        before = everything(database)
        with pytest.raises(LeaseLost), database.transaction() as session:
            WRITES[kind](session, stale)
        assert everything(database) == before

    job_id = submit(database)
    stale = claim(database, worker).lease
    let_expire(database, job_id)
    refused()  # it waits in the line again
    fresh = claim(database, worker).lease
    assert (fresh.job_id, fresh.attempt) == (job_id, 2)
    refused()  # another attempt runs
    with database.transaction() as session:
        jobs.paused(session, fresh, 1)
    refused()
    with database.transaction() as session:
        jobs.cancel(session, "default", job_id)
    refused()
    stale = fresh  # the newest token of all, but the job has ended
    refused()


def test_a_lease_that_holds_writes_by_every_path(database: Database, worker: Worker) -> None:
    """The control of the test above: the same calls, with the token of the attempt that runs."""
    for kind, write in WRITES.items():
        submit(database)
        held = claim(database, worker).lease
        before = everything(database)
        with database.transaction() as session:
            write(session, held)
        assert everything(database) != before, kind
        with database.transaction() as session:
            session.execute(update(Job).where(Job.state == "queued").values(not_before=None))
            for waiting in session.scalars(select(Job.id).where(Job.state.in_(["queued", "paused"]))):
                jobs.cancel(session, "default", waiting)


def test_claims_take_the_head_of_the_line(database: Database, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four slots claim at once while tickets are sent again all the time: in order, each once, none missed."""
    monkeypatch.setattr(lease, "TICKET_AGAIN_AFTER", timedelta(seconds=-1))
    priorities = [number * 37 % 21 - 10 for number in range(120)]
    line = {submit(database, priority=priority): (-priority, place) for place, priority in enumerate(priorities)}
    with database.transaction() as session:
        session.execute(update(Worker).values(slots=200))  # so that tickets are sent while the four work
    done, found, failed = threading.Event(), [list[str]() for _ in range(4)], list[BaseException]()

    def send_tickets() -> None:
        with_own = Database(database.url.render_as_string(hide_password=False))
        while not done.is_set():
            with with_own.transaction() as session:
                jobs.take_unsent(session)
        with_own.close()

    def take(mine: list[str]) -> None:
        with_own = Database(database.url.render_as_string(hide_password=False))
        try:
            while True:
                with with_own.transaction() as session:
                    claimed = jobs.claim(session, worker, 3600, {"cpu"})
                if claimed is None:
                    return
                mine.append(claimed.lease.job_id)
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            with_own.close()

    sender = threading.Thread(target=send_tickets)
    slots = [threading.Thread(target=take, args=(mine,)) for mine in found]
    for thread in (sender, *slots):
        thread.start()
    for thread in slots:
        thread.join()
    done.set()
    sender.join()
    assert failed == []
    assert sorted(job_id for mine in found for job_id in mine) == sorted(line)
    for mine in found:
        assert [line[job_id] for job_id in mine] == sorted(line[job_id] for job_id in mine)


def test_a_new_attempt_measures_from_its_checkpoint(database: Database, worker: Worker) -> None:
    """The claim removes the metrics after the checkpoint, and says so."""
    sha256, _ = blobs.write(database, [b"state"])
    job_id = submit(database)
    first = claim(database, worker).lease
    with database.transaction() as session:
        entry = CheckpointEntry(4, 1, best=True, last=True, metrics={}, weights_sha256=sha256, state_sha256=sha256)
        jobs.record(session, first, [Points([("train_loss", step, 1.0)]) for step in range(1, 5)])
        jobs.checkpoint(session, first, entry)
        jobs.record(session, first, [Points([("train_loss", step, 2.0)]) for step in range(5, 8)])
    let_expire(database, job_id)
    second = claim(database, worker)
    assert second.resume is not None
    assert second.resume.step == 4
    with database.transaction() as session:
        jobs.record(session, second.lease, [Points([("train_loss", step, 3.0)]) for step in range(5, 8)])
    with database.reading() as session:
        values = list(session.scalars(select(Metric.value).where(Metric.job_id == job_id).order_by(Metric.step)))
        events = list(session.scalars(select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.seq)))
    assert values == [1.0] * 4 + [3.0] * 3
    assert [event.data for event in events if event.type == "rewound"] == [{"step": 4}]
    assert len({event.seq for event in events}) == len(events)


def test_a_client_that_vanishes_in_a_transaction_lets_go(
    new_postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL only: the lock of a client that says nothing more, as when its machine loses power, is taken away."""
    monkeypatch.setattr(db, "IDLE_IN_TRANSACTION_SECONDS", 1)
    url = new_postgres()
    vanished, other = Database(url), Database(url)
    lock = select(func.pg_advisory_xact_lock(1))
    with pytest.raises(DBAPIError), vanished.transaction() as first:
        first.execute(lock)
        with other.transaction() as second:
            second.execute(lock)  # waits until the first one's connection is ended
        first.execute(lock)
    vanished.close()
    other.close()
