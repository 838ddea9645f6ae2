"""Jobs, what they leave behind, and the workers that run them."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.tables.base import ENDED, KINDS, STATES, Base, Id, Sha256, one_of


class Job(Base):
    """One piece of lasting work. ``attempt`` counts claims and is the fencing token of the lease."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(one_of("state", STATES), name="state"),
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint("kind NOT IN ('train', 'predict') OR dataset_id IS NOT NULL", name="dataset"),
        CheckConstraint(one_of("device", ("auto", "cpu", "cuda")), name="device"),
        CheckConstraint(
            "(state = 'running') = (worker_id IS NOT NULL) AND (state = 'running') = (lease_expires_at IS NOT NULL)"
            " AND (state = 'running') = (claimed_at IS NOT NULL)",
            name="lease",
        ),
        CheckConstraint(f"({one_of('state', ENDED)}) = (finished_at IS NOT NULL)", name="finished"),
        CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error"),
        CheckConstraint("(state = 'succeeded') = (result IS NOT NULL)", name="result"),
        CheckConstraint("state <> 'running' OR (attempt > 0 AND started_at IS NOT NULL)", name="started"),
        CheckConstraint(
            "requested IS NULL OR (state = 'running' AND requested IN ('cancel', 'pause'))", name="requested"
        ),
        CheckConstraint("not_before IS NULL OR state = 'queued'", name="not_before"),
        CheckConstraint("model_version IS NULL OR (state = 'succeeded' AND model IS NOT NULL)", name="model_version"),
        CheckConstraint("priority BETWEEN -100 AND 100", name="priority"),
        CheckConstraint("last_seq >= 0 AND attempt >= 0 AND failures >= 0 AND max_attempts >= 1", name="counts"),
        CheckConstraint("resume IN ('exact', 'approximate')", name="resume"),
        CheckConstraint(
            "devices >= 1 AND parameters >= 0 AND memory_bytes >= 0 AND flops >= 0 AND vocabulary >= 0", name="sizes"
        ),
        CheckConstraint("claimed_step >= 0 AND stop_step >= 0 AND threads >= 1", name="steps"),
        CheckConstraint("checkpoint_seconds >= 0 AND timeout_seconds > 0", name="seconds"),
        Index("ix_jobs_line", "state", "priority", "created_at", "id"),
        Index("ix_jobs_tenant_list", "tenant", "id"),
        Index("ix_jobs_ended", "state", "finished_at"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    requested: Mapped[str | None] = mapped_column(String(16))
    priority: Mapped[int]
    device: Mapped[str] = mapped_column(String(8))
    devices: Mapped[int] = mapped_column(server_default="1")
    spec: Mapped[dict[str, Any]]
    labels: Mapped[dict[str, Any]] = mapped_column("metadata")
    dataset_id: Mapped[str | None] = mapped_column(Id, ForeignKey("datasets.id", ondelete="SET NULL"), index=True)
    """What it trains on or answers (it stays as long as the job does); of an ingest, what it made, until that is
    deleted."""
    model: Mapped[str | None] = mapped_column(String(64), index=True)
    model_version: Mapped[int | None]
    parameters: Mapped[int] = mapped_column()
    memory_bytes: Mapped[int]
    flops: Mapped[int]
    vocabulary: Mapped[int | None]
    """Token ids of a training on texts; null until it has chosen them."""
    checkpoint_seconds: Mapped[float]
    timeout_seconds: Mapped[float | None]
    max_attempts: Mapped[int]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    ticket_sent_at: Mapped[datetime | None]
    last_seq: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    worker_id: Mapped[str | None] = mapped_column(Id, ForeignKey("workers.id"), index=True)
    lease_expires_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    claimed_step: Mapped[int] = mapped_column(default=0)
    threads: Mapped[int | None]
    stop_step: Mapped[int | None]
    progress: Mapped[dict[str, Any] | None]
    progress_at: Mapped[datetime | None]
    ran_seconds: Mapped[float] = mapped_column(default=0.0)
    resume: Mapped[str | None] = mapped_column(String(16))
    resume_reason: Mapped[str | None] = mapped_column(String(512))
    replay: Mapped[dict[str, Any] | None]
    """Of a replay: the job that it trains again, and what to compare with (``core.jobs.replay``)."""
    error: Mapped[dict[str, Any] | None]
    result: Mapped[dict[str, Any] | None]


class JobInput(Base):
    """A file that an ingest reads, or the sample that is explained; gone when the job has ended."""

    __tablename__ = "job_inputs"
    __table_args__ = (CheckConstraint("position >= 0 AND size >= 0", name="sizes"),)
    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(512))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(Sha256, ForeignKey("blobs.sha256"), index=True)


class JobOutput(Base):
    """What a prediction has answered: parts, each the rows behind those of the one before, up to row ``done``.

    Once the job has succeeded it is one, with the whole file. ``state`` is what was counted up to there; only the last
    part has it.
    """

    __tablename__ = "job_outputs"
    __table_args__ = (CheckConstraint("position >= 0 AND done > 0 AND size > 0", name="sizes"),)
    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    done: Mapped[int]
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(Sha256, ForeignKey("blobs.sha256"), index=True)
    state: Mapped[dict[str, Any]]


class JobEvent(Base):
    """One row of a job's history."""

    __tablename__ = "job_events"
    __table_args__ = (CheckConstraint(one_of("level", ("info", "warning", "error")), name="level"),)
    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    attempt: Mapped[int]
    created_at: Mapped[datetime]
    level: Mapped[str] = mapped_column(String(8))
    type: Mapped[str] = mapped_column(String(32))
    message: Mapped[str]
    data: Mapped[dict[str, Any]]


class Metric(Base):
    """One number of a series. ``seq`` is that of the write that stored it."""

    __tablename__ = "metrics"
    __table_args__ = (
        CheckConstraint("step >= 0", name="step"),
        Index("ix_metrics_job_id_seq", "job_id", "seq"),
    )
    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float]
    seq: Mapped[int]


class Checkpoint(Base):
    """Everything needed to go on as if nothing had happened: two blobs and where they stand in the run."""

    __tablename__ = "checkpoints"
    __table_args__ = (
        UniqueConstraint("job_id", "step"),
        CheckConstraint("is_best OR is_last", name="kept_for_a_reason"),
        CheckConstraint("NOT is_last OR state_sha256 IS NOT NULL", name="state"),
        CheckConstraint("attempt >= 1 AND step >= 0 AND epoch >= 0", name="counts"),
        *(
            Index(
                f"uq_checkpoints_{kind}",
                "job_id",
                unique=True,
                sqlite_where=text(f"is_{kind}"),
                postgresql_where=text(f"is_{kind}"),
            )
            for kind in ("best", "last")
        ),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    step: Mapped[int]
    epoch: Mapped[int]
    is_best: Mapped[bool]
    is_last: Mapped[bool]
    metrics: Mapped[dict[str, Any]]
    weights_sha256: Mapped[str] = mapped_column(Sha256, ForeignKey("blobs.sha256"), index=True)
    state_sha256: Mapped[str | None] = mapped_column(Sha256, ForeignKey("blobs.sha256"), index=True)
    created_at: Mapped[datetime]


class Worker(Base):
    """A worker process and what it can run. It is online while ``seen_at`` is fresh."""

    __tablename__ = "workers"
    __table_args__ = (
        CheckConstraint(one_of("state", ("online", "stopping", "stopped")), name="state"),
        CheckConstraint("pid >= 1 AND slots >= 1 AND threads >= 1 AND memory_bytes >= 1", name="counts"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    slots: Mapped[int]
    threads: Mapped[int]
    memory_bytes: Mapped[int]
    devices: Mapped[list[Any]]
    versions: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
