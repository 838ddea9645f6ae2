"""The line: the place of each waiting job, when it may start, and what it waits for."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from core import fleet
from core.db import now
from core.jobs.lanes import LANES, slots
from core.tables import Job, Worker

HISTORY = 20
HISTORY_NEEDED = 3
SETTLED_STEPS, SETTLED_SECONDS = 20, 30.0
NO_HISTORY = f"fewer than {HISTORY_NEEDED} jobs have finished here, so there is no history to judge by"


@dataclass(frozen=True)
class Place:
    """``position`` 1 is next. ``expected_start`` is null for ``reason``; ``waiting_for``: why no worker takes it."""

    position: int
    expected_start: datetime | None
    reason: str | None
    waiting_for: str | None


def places(session: Session, jobs: Sequence[Job], workers: Sequence[Worker] | None = None) -> dict[str, Place]:
    """The places of those of the jobs that are queued, by id. ``workers`` are all those online, if they are known."""
    wanted = [job for job in jobs if job.state == "queued"]
    if not wanted:
        return {}
    at = now(session)
    workers = fleet.online(session) if workers is None else workers
    found: dict[str, Place] = {}
    for lane, kinds in LANES.items():
        if standing := [job for job in wanted if job.kind in kinds]:
            found |= _places(session, standing, kinds, slots(lane, workers), workers, at)
    return found


def _places(
    session: Session, wanted: list[Job], kinds: Sequence[str], free: int, workers: Sequence[Worker], at: datetime
) -> dict[str, Place]:
    """The places of jobs that stand in one line, that of these kinds."""
    positions = _positions(session, wanted, kinds)
    starts = _starts(session, positions.values(), kinds, free, at)
    found = {}
    for job in wanted:
        position = positions.get(job.id)
        if position is None:
            continue  # it was taken a moment ago
        waiting_for = _waiting_for(job, workers, at)
        if waiting_for is not None:
            found[job.id] = Place(position, None, waiting_for, waiting_for)
        elif starts is None:
            found[job.id] = Place(position, None, NO_HISTORY, None)
        else:
            found[job.id] = Place(position, starts[position], None, None)
    return found


def _waiting_for(job: Job, workers: Sequence[Worker], at: datetime) -> str | None:
    if not workers:
        return "no worker is online"
    misfits = [fleet.misfit(worker, fleet.Need(job.device, job.devices, job.memory_bytes)) for worker in workers]
    if None not in misfits:
        return f"no worker that is online can run it: {misfits[0]}"
    if job.not_before is not None and job.not_before > at:
        return f"it is tried again at {job.not_before:%H:%M:%S} UTC"
    return None


def _positions(session: Session, jobs: Sequence[Job], kinds: Sequence[str]) -> dict[str, int]:
    """Counts the jobs ahead of the first of these, then goes through the line up to the last of them."""
    in_line = sorted(jobs, key=lambda job: (-job.priority, job.created_at, job.id))
    first, last = in_line[0], in_line[-1]
    waiting = (Job.state == "queued", Job.kind.in_(kinds))
    ahead = session.scalar(select(func.count()).where(*waiting, _before(first))) or 0
    if first is last:
        return {first.id: ahead + 1}
    part = select(Job.id).where(*waiting, ~_before(first), or_(_before(last), Job.id == last.id))
    line = session.scalars(part.order_by(Job.priority.desc(), Job.created_at, Job.id))
    return {job_id: position for position, job_id in enumerate(line, ahead + 1)}


def _before(job: Job) -> ColumnElement[bool]:
    """What comes before this job in the line's order."""
    same_moment = and_(Job.created_at == job.created_at, Job.id < job.id)
    sooner = and_(Job.priority == job.priority, or_(Job.created_at < job.created_at, same_moment))
    return or_(Job.priority > job.priority, sooner)


def _starts(
    session: Session, positions: Iterable[int], kinds: Sequence[str], slots: int, at: datetime
) -> dict[int, datetime] | None:
    """When the jobs at these positions may start; null without history.

    It plays the line forward: each slot frees up when its job ends, and the jobs ahead take the usual time.
    """
    usual = _usual_seconds(session, kinds)
    if usual is None:
        return None
    running = [remaining_seconds(job, at) or usual for job in _running(session, kinds)]
    free = [0.0] * max(0, slots - len(running)) + running
    heapq.heapify(free)
    found, wanted = {}, set(positions)
    for position in range(1, max(wanted, default=0) + 1 if free else 0):
        if position in wanted:
            found[position] = at + timedelta(seconds=free[0])
        heapq.heapreplace(free, free[0] + usual)
    return found


def _running(session: Session, kinds: Sequence[str]) -> list[Job]:
    return list(session.scalars(select(Job).where(Job.state == "running", Job.kind.in_(kinds))))


def _usual_seconds(session: Session, kinds: Sequence[str]) -> float | None:
    """Mean running time of the last jobs that succeeded."""
    ended = (Job.state == "succeeded", Job.kind.in_(kinds))
    recent = select(Job.ran_seconds).where(*ended).order_by(Job.finished_at.desc()).limit(HISTORY)
    seconds = list(session.scalars(recent))
    return sum(seconds) / len(seconds) if len(seconds) >= HISTORY_NEEDED else None


def remaining_seconds(job: Job, at: datetime) -> float | None:
    """Seconds that a running job still needs, from the pace of this attempt; null while that is unknown."""
    progress = job.progress
    if job.state != "running" or not progress or job.claimed_at is None or job.progress_at is None:
        return None
    step: int = progress["step"]
    total: int | None = progress.get("total_steps")
    done = step - job.claimed_step
    took = (job.progress_at - job.claimed_at).total_seconds()
    if total is None or done <= 0 or (done < SETTLED_STEPS and took < SETTLED_SECONDS):
        return None  # the first steps carry the start of the process with them
    since = (at - job.progress_at).total_seconds()
    return max(0.0, (total - step) * took / done - since)
