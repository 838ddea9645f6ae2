"""Storing what a running attempt reports, fenced by its lease."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.orm import Session

from core import blobs, ids
from core.db import now
from core.jobs.events import Entry, Event, Lease, advance, store
from core.tables import Checkpoint, Job


@dataclass(frozen=True)
class CheckpointEntry:
    """A checkpoint whose blobs are already stored. ``state_sha256`` is null for one that only holds weights."""

    step: int
    epoch: int
    best: bool
    last: bool
    metrics: dict[str, Any]
    weights_sha256: str
    state_sha256: str | None


def record(session: Session, lease: Lease, entries: Sequence[Entry], **changes: object) -> None:
    """Store events and metrics; ``changes`` are columns of the job that the report sets (progress, threads, ...).

    Raises:
        LeaseLost: nothing was written, the attempt must stop.
    """
    at = now(session)
    if "progress" in changes:
        changes["progress_at"] = at
    first = advance(session, lease, len(entries), **changes)
    store(session, lease.job_id, lease.attempt, first, entries, at)


def checkpoint(session: Session, lease: Lease, entry: CheckpointEntry) -> list[str]:
    """Store a checkpoint as the best, the last, or both; returns the hashes of blobs that it replaced.

    Raises:
        LeaseLost: nothing was written, the attempt must stop.
    """
    kind = "best and last" if entry.best and entry.last else "best" if entry.best else "last"
    data = {"step": entry.step, "epoch": entry.epoch, "best": entry.best}
    event = Event("checkpoint", f"Checkpoint at step {entry.step} ({kind}).", data)
    at = now(session)
    first = advance(session, lease, 1)
    store(session, lease.job_id, lease.attempt, first, [event], at)
    for sha256 in {entry.weights_sha256, entry.state_sha256} - {None}:
        blobs.touch(session, str(sha256))
    return _keep(session, lease, entry)


def _keep(session: Session, lease: Lease, entry: CheckpointEntry) -> list[str]:
    """Insert the checkpoint and drop those that are neither best nor last any more."""
    rows = list(session.scalars(select(Checkpoint).where(Checkpoint.job_id == lease.job_id)))
    before = _hashes(rows)
    row = next((row for row in rows if row.step == entry.step), None)
    kept = []
    for other in (other for other in rows if other is not row):
        other.is_best, other.is_last = other.is_best and not entry.best, other.is_last and not entry.last
        if not other.is_last:  # nobody resumes from it
            other.state_sha256 = None
        if other.is_best or other.is_last:
            kept.append(other)
        else:
            session.delete(other)
    session.flush()  # first, since no job may have two that are the last, or the best
    if row is None:
        at = now(session)
        row = Checkpoint(id=ids.new("ckpt"), job_id=lease.job_id, step=entry.step, created_at=at, is_last=False)
        session.add(row)
    row.attempt, row.epoch, row.weights_sha256 = lease.attempt, entry.epoch, entry.weights_sha256
    row.is_best, row.is_last, row.metrics = entry.best, entry.last or row.is_last, entry.metrics
    row.state_sha256 = entry.state_sha256 or row.state_sha256 if row.is_last else None
    kept.append(row)
    session.flush()
    return sorted(before - _hashes(kept))


def _hashes(rows: Sequence[Checkpoint]) -> set[str]:
    return {sha256 for row in rows for sha256 in (row.weights_sha256, row.state_sha256) if sha256}


_REQUESTED = select(Job.requested).where(
    Job.id == bindparam("id"), Job.attempt == bindparam("number"), Job.state == "running"
)
"""Built once: it is asked up to four times a second, beside a training."""


def requested(connection: Connection, lease: Lease) -> str | None:
    """What the user asks of the running job, without renewing the lease; ``lost`` when the lease is."""
    row = connection.execute(_REQUESTED, {"id": lease.job_id, "number": lease.attempt}).one_or_none()
    return "lost" if row is None else row[0]
