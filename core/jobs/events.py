"""What is written about a job, and the two ways to write it: on a locked row, or fenced by a lease."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, cast

from sqlalchemy import Table, Update, bindparam, insert, select, update
from sqlalchemy.orm import Session

from core.db import now
from core.errors import LeaseLost, NotFound
from core.tables import Job, JobEvent, Metric


@dataclass(frozen=True)
class Lease:
    """A worker's claim on a job; ``attempt`` is the fencing token."""

    job_id: str
    attempt: int


@dataclass(frozen=True)
class Event:
    """One row of a job's history, before it has a number."""

    type: str
    message: str
    data: dict[str, Any] = field(default_factory=dict)
    level: Literal["info", "warning", "error"] = "info"


@dataclass(frozen=True)
class Points:
    """Metric values measured together: (name, step, value) each. They share one ``seq``."""

    points: list[tuple[str, int, float]]


Entry = Event | Points
# Statements built once, without the ORM: a running job writes every second, beside its training.
_JOBS = cast(Table, Job.__table__)
_INSERT_POINTS, _INSERT_EVENTS = insert(cast(Table, Metric.__table__)), insert(cast(Table, JobEvent.__table__))


@lru_cache(64)
def _advance(names: tuple[str, ...]) -> Update:
    mine = (_JOBS.c.id == bindparam("job_id"), _JOBS.c.attempt == bindparam("number"), _JOBS.c.state == "running")
    values = {"last_seq": _JOBS.c.last_seq + bindparam("count"), **{name: bindparam(f"new_{name}") for name in names}}
    return update(_JOBS).where(*mine).values(values).returning(_JOBS.c.last_seq)


def locked(session: Session, job_id: str, tenant: str | None = None) -> Job:
    """The job's row, locked until the transaction ends.

    Raises:
        NotFound: no such job, or it is another tenant's.
    """
    statement = select(Job).where(Job.id == job_id).with_for_update().execution_options(populate_existing=True)
    job = session.scalar(statement)
    if job is None or tenant not in (None, job.tenant):
        raise NotFound(f"there is no job {job_id}")
    return job


def append(session: Session, job: Job, *entries: Entry) -> None:
    """Number the entries and store them; the job's row must be locked."""
    first = job.last_seq + 1
    job.last_seq += len(entries)
    store(session, job.id, job.attempt, first, entries, now(session))


def store(session: Session, job_id: str, attempt: int, first: int, entries: Iterable[Entry], at: datetime) -> None:
    """Insert entries with consecutive numbers from ``first``."""
    session.flush()  # what is not of the ORM does not do so by itself
    points, events = [], []
    for seq, entry in enumerate(entries, first):
        if isinstance(entry, Points):
            points += [{"job_id": job_id, "name": n, "step": s, "value": v, "seq": seq} for n, s, v in entry.points]
        else:
            events.append({"job_id": job_id, "seq": seq, "attempt": attempt, "created_at": at, **vars(entry)})
    for statement, rows in ((_INSERT_POINTS, points), (_INSERT_EVENTS, events)):
        if rows:
            session.connection().execute(statement, rows)


def advance(session: Session, lease: Lease, count: int, **changes: object) -> int:
    """Reserve ``count`` numbers under the lease (this takes the row's lock); returns the first of them.

    Raises:
        LeaseLost: the lease was given to another attempt, or the job is no longer running.
    """
    given = {"job_id": lease.job_id, "number": lease.attempt, "count": count}
    given |= {f"new_{name}": value for name, value in changes.items()}
    session.flush()
    last: int | None = session.connection().scalar(_advance(tuple(changes)), given)
    if last is None:
        raise LeaseLost(f"attempt {lease.attempt} no longer holds job {lease.job_id}")
    return last - count + 1
