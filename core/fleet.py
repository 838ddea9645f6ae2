"""The workers: who is there, what they can run, and whether anybody could ever run a job."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.db import now
from core.errors import Invalid
from core.tables import Job, Worker

ONLINE_WITHIN = timedelta(seconds=15)
REMEMBERED_FOR = timedelta(hours=24)


def register(session: Session, worker: Worker) -> Worker:
    """Add a worker process to the fleet, and forget those unseen for a day that hold nothing."""
    at = now(session)
    worker.state, worker.started_at, worker.seen_at = "online", at, at
    held = select(Job.worker_id).where(Job.worker_id.is_not(None))
    session.execute(delete(Worker).where(Worker.seen_at < at - REMEMBERED_FOR, Worker.id.not_in(held)))
    session.add(worker)
    return worker


def seen(session: Session, worker_id: str, state: str) -> bool:
    """A heartbeat: the worker is ``online``, ``stopping`` or ``stopped``. False if it was forgotten meanwhile."""
    mine = update(Worker).where(Worker.id == worker_id).values(seen_at=now(session), state=state)
    return session.scalar(mine.returning(Worker.id).execution_options(synchronize_session=False)) is not None


def status(worker: Worker, at: Any) -> str:
    """``online``, ``stopping`` or ``offline`` at a time of the database's clock."""
    if worker.state == "stopped" or worker.seen_at < at - ONLINE_WITHIN:
        return "offline"
    return worker.state


def online(session: Session) -> list[Worker]:
    """The workers that would take a job now."""
    fresh = now(session) - ONLINE_WITHIN
    return list(session.scalars(select(Worker).where(Worker.state == "online", Worker.seen_at >= fresh)))


def misfit(worker: Worker, device: str, memory_bytes: int) -> str | None:
    """Why a slot of this worker cannot run such a job; none if it can."""
    kinds = {one["kind"] for one in worker.devices}
    slot = worker.memory_bytes // worker.slots
    if device not in ("auto", *kinds):
        return f"it needs {device} and worker {worker.name} has {', '.join(sorted(kinds))}"
    if memory_bytes > slot:
        return f"it needs about {_size(memory_bytes)} and a slot of worker {worker.name} has {_size(slot)}"
    return None


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def known(session: Session, at: datetime) -> list[Worker]:
    """The workers seen within a day of a time of the database's clock."""
    return list(session.scalars(select(Worker).where(Worker.seen_at >= at - REMEMBERED_FOR)))


def refuse_if_nobody_fits(known: list[Worker], device: str, memory_bytes: int) -> None:
    """Refuse a job that none of the known workers could ever run. With no worker known, it may wait for one.

    Raises:
        Invalid: names the field to change.
    """
    reasons = [misfit(worker, device, memory_bytes) for worker in known]
    if not known or None in reasons:
        return
    if all(misfit(worker, device, 0) for worker in known):
        raise Invalid(f"no worker can run this job: {reasons[0]}", "#/device")
    message = f"no worker can run this job: {reasons[0]}; use a smaller batch_size or a smaller network"
    raise Invalid(message, "#/hyperparameters/batch_size")
