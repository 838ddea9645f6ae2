"""The workers: who is there, what they can run, and whether anybody could ever run a job."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Need:
    """What a job needs of a slot: so many ``devices`` of a class (``auto``: of any one), and memory."""

    device: str
    devices: int
    memory_bytes: int


def misfit(worker: Worker, need: Need) -> str | None:
    """Why a slot of this worker cannot run such a job; none if it can."""
    kinds = {one["kind"] for one in worker.devices}
    slot = slot_bytes(worker)
    if need.device not in ("auto", *kinds):
        return f"it needs {need.device} and worker {worker.name} has {', '.join(sorted(kinds))}"
    most = max(offered(worker, kind) for kind in kinds if need.device in ("auto", kind))
    if need.devices > most:
        return f"it needs {need.devices} devices and a slot of worker {worker.name} offers at most {most}"
    if need.memory_bytes > slot:
        return f"it needs about {_size(need.memory_bytes)} and a slot of worker {worker.name} has {_size(slot)}"
    return None


def offered(worker: Worker, kind: str) -> int:
    """Devices of a class that one job may have: each GPU is one, and so is each of the threads that a slot has."""
    return worker.threads if kind == "cpu" else sum(one["kind"] == kind for one in worker.devices)


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def known(session: Session, at: datetime) -> list[Worker]:
    """The workers seen within a day of a time of the database's clock."""
    return list(session.scalars(select(Worker).where(Worker.seen_at >= at - REMEMBERED_FOR)))


def largest(known: Sequence[Worker], need: Need) -> Worker | None:
    """The worker whose slots have the most memory, among those with such devices; none if no worker has them."""
    able = [worker for worker in known if misfit(worker, replace(need, memory_bytes=0)) is None]
    return max(able, key=slot_bytes, default=None)


def slot_bytes(worker: Worker) -> int:
    """Memory of one slot of a worker."""
    return worker.memory_bytes // worker.slots


def refuse_if_nobody_fits(known: Sequence[Worker], need: Need, largest_batch: Callable[[int], int | None]) -> None:
    """Refuse a job that none of the known workers could ever run. With no worker known, it may wait for one.

    ``largest_batch`` tells the batch that would fit into so many bytes, if there is one.

    Raises:
        Invalid: names the field to change, and the batch_size that would do.
    """
    if not known:
        return
    best = largest(known, need)
    if best is None:
        alone = largest(known, replace(need, devices=1))  # then their number is what is wrong
        reason, field = misfit(alone or known[0], need), "device" if alone is None else "devices"
        raise Invalid(f"no worker can run this job: {reason}", f"#/{field}")
    reason = misfit(best, need)
    if reason is None:
        return
    batch = largest_batch(slot_bytes(best))
    if batch is None:
        message = f"no worker can run this job: {reason}, and no other batch_size helps; use a smaller network"
        raise Invalid(message, "#/network")
    message = f"no worker can run this job: {reason}; use a batch_size of at most {batch:,}, or a smaller network"
    raise Invalid(message, "#/hyperparameters/batch_size")
