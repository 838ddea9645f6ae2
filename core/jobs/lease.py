"""Giving a job to a worker, keeping it there, and taking it back when the worker falls silent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from core import fleet
from core.catalog.models import refer
from core.db import now
from core.errors import LeaseLost
from core.jobs import needs
from core.jobs.events import Entry, Event, Lease, append
from core.jobs.finish import lost
from core.jobs.lanes import LANES, Lane, lane_of, neighbours, slots
from core.jobs.prediction import Part, parts
from core.jobs.submit import make_plan
from core.specs import TrainJob
from core.tables import Checkpoint, Dataset, Job, JobInput, Metric, Worker

TICKET_AGAIN_AFTER = timedelta(seconds=10)
_AT = bindparam("at", type_=Job.created_at.type)
_SENT_BEFORE = bindparam("sent_before", type_=Job.created_at.type)
_LEFT = select(
    exists().where(Job.state == "running", Job.lease_expires_at < _AT)
    | exists().where(
        Job.state == "queued",
        or_(Job.not_before.is_(None), Job.not_before <= _AT),
        or_(Job.ticket_sent_at.is_(None), Job.ticket_sent_at < _SENT_BEFORE),
    )
)
"""Built once: every process asks every two seconds, beside a training."""

_LINE_LOCK = 7_035_002  # any number that only the line uses


def _see_whole_line(session: Session, *, shared: bool) -> None:
    """Keep a claim, which skips locked rows, from skipping those that :func:`take_unsent` is marking.

    Claims share the lock among themselves. SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        session.execute(select(take(_LINE_LOCK)))


@dataclass(frozen=True)
class Input:
    """An uploaded file: its name as the client gave it, its size in bytes, and its blob."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Start:
    """The weights that a fine-tuning starts from. ``keep_head``: its classes or targets are those of their training.

    ``tokens``: how the texts of their training became ids, as the version's preprocessing has it; else null.
    """

    weights_sha256: str
    keep_head: bool
    tokens: dict[str, Any] | None


@dataclass(frozen=True)
class Claim:
    """All that a worker needs to run one attempt.

    ``resume`` is the checkpoint to go on from, if there is one, and ``parts`` is what a prediction has answered. A
    training and a prediction have a dataset, an ingest has ``inputs``, an evaluation both.
    ``in_memory_bytes``: what the job needs to hold its whole dataset in memory; with less its samples stay on disk.
    """

    lease: Lease
    kind: str
    tenant: str
    spec: dict[str, Any]
    model: str | None
    dataset_sha256: str | None
    in_memory_bytes: int
    inputs: list[Input]
    threads: int
    stop_step: int | None
    checkpoint_seconds: float
    seconds_left: float | None
    resume: Checkpoint | None
    start: Start | None
    parts: list[Part]


def claim(
    session: Session, worker: Worker, lease_seconds: float, devices: set[str], lane: Lane = "long", gpus: int = 1
) -> Claim | None:
    """Take the head of the line among the jobs that fit a slot with these kinds of device; none if nothing waits.

    ``gpus`` are those that are free, where there are some.

    The metrics after the checkpoint that the attempt starts from go in this transaction, with a ``rewound`` event, so
    that a curve has no gap and no double point.
    """
    _see_whole_line(session, shared=True)
    at = now(session)
    waiting = (
        select(Job)
        .where(Job.state == "queued", or_(Job.not_before.is_(None), Job.not_before <= at))
        .where(Job.kind.in_(LANES[lane]))
        .where(or_(*(_enough(kind, gpus if kind == "cuda" else fleet.offered(worker, kind)) for kind in devices)))
        .where(Job.memory_bytes <= worker.memory_bytes // worker.slots)
        .order_by(Job.priority.desc(), Job.created_at, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    job = session.scalar(waiting)
    if job is None:
        return None
    resume = session.scalar(select(Checkpoint).where(Checkpoint.job_id == job.id, Checkpoint.is_last))
    answered = parts(session, job.id) if job.kind == "predict" else []
    step = resume.step if resume else answered[-1].done if answered else 0
    job.state, job.worker_id, job.lease_expires_at = "running", worker.id, at + timedelta(seconds=lease_seconds)
    job.attempt += 1
    job.started_at = job.started_at or at
    job.claimed_at, job.claimed_step, job.not_before = at, step, None
    job.threads = job.threads or worker.threads
    entries: list[Entry] = [_claimed(worker, job.kind, step if resume or answered else None)]
    removed = session.execute(delete(Metric).where(Metric.job_id == job.id, Metric.step > step))
    if removed.rowcount:  # type: ignore[attr-defined]  # a DELETE gives a CursorResult
        entries.append(Event("rewound", f"Metrics after step {step} will be measured again.", {"step": step}))
    if job.kind not in ("train", "predict"):
        job.progress = None  # it begins anew
    elif job.progress:
        epoch = {"epoch": resume.epoch if resume else 0} if job.kind == "train" else {}
        job.progress = {**job.progress, "step": step, **epoch}
    append(session, job, *entries)
    dataset = session.get(Dataset, job.dataset_id) if job.kind in ("train", "predict", "evaluate") else None
    uploaded = select(JobInput).where(JobInput.job_id == job.id).order_by(JobInput.position)
    return Claim(
        lease=Lease(job.id, job.attempt),
        kind=job.kind,
        tenant=job.tenant,
        spec=job.spec,
        model=job.model,
        dataset_sha256=None if dataset is None else dataset.sha256,
        in_memory_bytes=_in_memory(job, dataset, job.threads),
        inputs=[Input(one.name, one.size, one.sha256) for one in session.scalars(uploaded)],
        threads=job.threads,
        stop_step=job.stop_step,
        checkpoint_seconds=job.checkpoint_seconds,
        seconds_left=None if job.timeout_seconds is None else job.timeout_seconds - job.ran_seconds,
        resume=resume,
        start=_start(session, job),
        parts=answered,
    )


def _enough(kind: str, count: int) -> ColumnElement[bool]:
    """Whether so many devices of a class are what a job needs."""
    return and_(Job.device.in_(["auto", kind]), Job.devices <= count)


def _in_memory(job: Job, dataset: Dataset | None, threads: int) -> int:
    if dataset is None or job.kind != "train":
        return job.memory_bytes
    request = TrainJob.model_validate(job.spec)
    return needs.memory(request, dataset, make_plan(request, dataset, job.vocabulary), threads).total_bytes


def _start(session: Session, job: Job) -> Start | None:
    """The version that the job named when it was accepted; versions are immutable, and so are datasets."""
    reference = job.spec.get("fine_tune_from")
    if reference is None:
        return None
    _, version = refer(session, job.tenant, reference)
    before, now_read = (session.get_one(Dataset, one) for one in (version.dataset_id, job.dataset_id))
    learnt = [(one.task, one.classes, one.targets) for one in (before, now_read)]
    return Start(version.weights_sha256, learnt[0] == learnt[1], version.preprocessing.get("tokens"))


def _claimed(worker: Worker, kind: str, step: int | None) -> Event:
    data = {"worker": worker.id, "resumed_from": step}
    behind = f"behind row {step}" if kind == "predict" else f"from the checkpoint at step {step}"
    start = "from the beginning" if step is None else behind
    return Event("claimed", f"Worker {worker.name} took the job; it starts {start}.", data)


def renew(session: Session, lease: Lease, lease_seconds: float) -> str | None:
    """Extend a lease; returns what the user asks for meanwhile (``cancel``, ``pause`` or none).

    Raises:
        LeaseLost: the lease was given to another attempt, or the job is no longer running.
    """
    mine = (Job.id == lease.job_id, Job.attempt == lease.attempt, Job.state == "running")
    until = now(session) + timedelta(seconds=lease_seconds)
    statement = update(Job).where(*mine).values(lease_expires_at=until).returning(Job.requested)
    row = session.execute(statement.execution_options(synchronize_session=False)).one_or_none()
    if row is None:
        raise LeaseLost(f"attempt {lease.attempt} no longer holds job {lease.job_id}")
    requested: str | None = row[0]
    return requested


def any_left(session: Session) -> bool:
    """Whether there may be anything for :func:`requeue_expired` or :func:`take_unsent`; they write, this only looks."""
    at = now(session)
    return bool(session.scalar(_LEFT, {"at": at, "sent_before": at - TICKET_AGAIN_AFTER}))


def requeue_expired(session: Session) -> list[str]:
    """Take back the jobs whose worker did not renew in time; returns their ids."""
    silent = (
        select(Job)
        .where(Job.state == "running", Job.lease_expires_at < now(session))
        .limit(100)
        .with_for_update(skip_locked=True)
    )
    jobs = list(session.scalars(silent))
    for job in jobs:
        append(session, job, Event("lease_expired", "The worker fell silent; its lease ended.", level="warning"))
        lost(session, job)
    return [job.id for job in jobs]


def take_unsent(session: Session) -> list[tuple[str, str]]:
    """(id, device) of queued jobs whose ticket may be lost, marked as sent now. Extra tickets are harmless.

    At most one for every slot that is free: a ticket only wakes a slot, and a busy one looks again by itself.
    """
    online = fleet.online(session)
    counted = session.execute(select(Job.kind, func.count()).where(Job.state == "running").group_by(Job.kind))
    busy = {kind: count for kind, count in counted}
    devices = {device["kind"] for worker in online for device in worker.devices}
    taken: list[tuple[str, str]] = []
    for lane, kinds in LANES.items():
        free = slots(lane, online) - sum(busy.get(kind, 0) for kind in kinds)
        if free > 0:
            taken += _take_unsent(session, kinds, devices, free)
    return taken


def free_elsewhere(session: Session, job_id: str, worker_id: str) -> tuple[str, Lane, int] | None:
    """Of a job that waits: its device, its line, and how many other workers there are, if one has a free slot there."""
    job = session.get(Job, job_id)
    if job is None or job.state != "queued" or (job.not_before is not None and job.not_before > now(session)):
        return None
    others = [worker for worker in fleet.online(session) if worker.id != worker_id]
    running = select(func.count()).where(
        Job.state == "running", Job.kind.in_(neighbours(job.kind)), Job.worker_id.in_([one.id for one in others])
    )
    lane = lane_of(job.kind)
    if slots(lane, others) <= session.scalars(running).one():
        return None
    return job.device, lane, len(others)


def _take_unsent(session: Session, kinds: Sequence[str], devices: set[str], free: int) -> list[tuple[str, str]]:
    _see_whole_line(session, shared=False)
    at = now(session)
    quiet = (
        select(Job)
        .where(Job.state == "queued", or_(Job.not_before.is_(None), Job.not_before <= at))
        .where(Job.kind.in_(kinds), Job.device.in_(["auto", *devices]))
        .where(or_(Job.ticket_sent_at.is_(None), Job.ticket_sent_at < at - TICKET_AGAIN_AFTER))
        .order_by(Job.priority.desc(), Job.created_at, Job.id)
        .limit(free)
        .with_for_update(skip_locked=True)
    )
    jobs = list(session.scalars(quiet))
    for job in jobs:
        job.ticket_sent_at = at
    return [(job.id, job.device) for job in jobs]
