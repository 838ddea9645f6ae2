"""The ends of an attempt: succeeded, failed, tried again, cancelled, paused, or handed back."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from core.catalog.datasets import NewDataset, add
from core.catalog.models import NewVersion, add_version
from core.db import now
from core.errors import LeaseLost
from core.jobs.events import Event, Lease, append, locked
from core.jobs.prediction import Part, replace_parts
from core.jobs.replay import compared, told
from core.tables import Dataset, Job, JobInput, JobOutput

MAX_BACKOFF_SECONDS = 60.0


def _held(session: Session, lease: Lease) -> Job:
    job = locked(session, lease.job_id)
    if job.attempt != lease.attempt or job.state != "running":
        raise LeaseLost(f"attempt {lease.attempt} no longer holds job {lease.job_id}")
    return job


def _leave(session: Session, job: Job, state: str, event: Event) -> None:
    """Take a job off its worker, or out of the line, into another state."""
    at = now(session)
    if job.state == "running" and job.claimed_at is not None:
        job.ran_seconds += (at - job.claimed_at).total_seconds()
    job.state, job.requested, job.worker_id, job.lease_expires_at, job.claimed_at = state, None, None, None, None
    job.finished_at = at if state in ("succeeded", "failed", "cancelled") else None
    job.ticket_sent_at = None
    if job.finished_at is not None:  # nobody reads them again; the sweep frees their blobs
        session.execute(delete(JobInput).where(JobInput.job_id == job.id))
    if state in ("failed", "cancelled"):
        session.execute(delete(JobOutput).where(JobOutput.job_id == job.id))
    append(session, job, event)


def succeed(session: Session, lease: Lease, result: dict[str, Any], version: NewVersion | None) -> int | None:
    """End well: the result, and the new model version if the job names a model (its number is returned)."""
    job = _held(session, lease)
    if version is not None:
        assert job.model is not None, "only a job that names a model makes a version"
        made = add_version(session, job.tenant, job.model, version)
        ready = "is ready for predictions" if made.ready else f"cannot answer predictions: {made.reason}"
        data = {"model": job.model, "version": made.version, "ready": made.ready, "reason": made.reason}
        message = f"Model {job.model} version {made.version} {ready}."
        append(session, job, Event("version", message, data, "info" if made.ready else "warning"))
        job.model_version = made.version
    if job.replay is not None:
        found = compared(job, result)
        result = {**result, "replay": found}
        append(session, job, told(found))
    job.result = result
    if job.kind != "train":
        job.progress = None
    _leave(session, job, "succeeded", Event("succeeded", "The job succeeded.", {"test": result.get("test")}))
    return job.model_version


def ingested(session: Session, lease: Lease, new: NewDataset, result: dict[str, Any]) -> Dataset:
    """End an ingest well: the next version of its dataset, or the one that has these very bytes already."""
    job = _held(session, lease)
    dataset = add(session, job.tenant, new)
    job.dataset_id, job.result, job.progress = dataset.id, result, None
    data = {"dataset": f"{dataset.name}@{dataset.version}", "splits": dataset.splits}
    _leave(session, job, "succeeded", Event("succeeded", f"Dataset {data['dataset']} is ready.", data))
    return dataset


def explained(session: Session, lease: Lease, result: dict[str, Any]) -> None:
    """End an explanation well."""
    job = _held(session, lease)
    job.result, job.progress = result, None
    _leave(session, job, "succeeded", Event("succeeded", "The explanation is ready.", {"target": result["target"]}))


def predicted(session: Session, lease: Lease, whole: Part, result: dict[str, Any]) -> list[str]:
    """End a prediction well: the file of all answers takes the place of its parts.

    Returns the hashes of the blobs that may now be freed.
    """
    job = _held(session, lease)
    freed = replace_parts(session, job.id, whole)
    job.result, job.progress = result, None
    data = {"rows": result["rows"], "scores": result["scores"]}
    _leave(session, job, "succeeded", Event("succeeded", f"All {whole.done:,} rows are answered.", data))
    return freed


def fail(session: Session, lease: Lease, error: dict[str, Any]) -> str:
    """End badly: try again when the error is retryable and attempts are left, else fail; returns the new state."""
    return _failed(session, _held(session, lease), error)


def _failed(session: Session, job: Job, error: dict[str, Any]) -> str:
    job.failures += 1
    if job.requested == "cancel":
        _leave(session, job, "cancelled", Event("cancelled", "The job was cancelled."))
    elif error["retryable"] and job.failures < job.max_attempts:
        delay = min(MAX_BACKOFF_SECONDS, 2.0 ** (job.failures - 1))
        used = f"{job.failures} of {job.max_attempts} attempts used"
        if job.requested == "pause":
            message = f"{error['message']} The job is paused, as you asked ({used})."
            _leave(session, job, "paused", Event("paused", message, {"error": error}, "warning"))
            return job.state
        again = now(session) + timedelta(seconds=delay)
        message = f"{error['message']} Trying again in {delay:g} s ({used})."
        _leave(
            session,
            job,
            "queued",
            Event("retry", message, {"error": error, "not_before": again.isoformat()}, "warning"),
        )
        job.not_before = again
    else:
        job.error = error
        _leave(session, job, "failed", Event("failed", error["message"], {"error": error}, "error"))
    return job.state


def lost(session: Session, job: Job) -> None:
    """Take a running, locked job from a worker that fell silent."""
    message = "The worker that ran the job stopped answering."
    _failed(session, job, {"code": "worker_lost", "message": message, "param": None, "retryable": True, "detail": {}})


def cancelled(session: Session, lease: Lease) -> None:
    """The child is gone because the user cancelled."""
    _leave(session, _held(session, lease), "cancelled", Event("cancelled", "The job was cancelled."))


def paused(session: Session, lease: Lease, step: int) -> None:
    """The child stored a checkpoint and ended because the user paused."""
    job = _held(session, lease)
    if job.requested == "cancel":  # asked for while the checkpoint was being written
        _leave(session, job, "cancelled", Event("cancelled", "The job was cancelled."))
    else:
        where = f"behind row {step:,}" if job.kind == "predict" else f"at step {step}"
        _leave(session, job, "paused", Event("paused", f"The job is paused {where}.", {"step": step}))


def hand_back(session: Session, lease: Lease, reason: str) -> None:
    """Give the job back to the line, not counted as a failed attempt."""
    job = _held(session, lease)
    if job.requested == "cancel":
        _leave(session, job, "cancelled", Event("cancelled", "The job was cancelled."))
    elif job.requested == "pause":
        _leave(session, job, "paused", Event("paused", "The job is paused.", {"reason": reason}))
    else:
        _leave(session, job, "queued", Event("handed_back", f"The worker gave the job back: {reason}."))


def leave_line(session: Session, job: Job, state: str, event: Event) -> None:
    """Move a locked job that no worker holds: queued or paused, to cancelled, paused or queued."""
    assert job.state in ("queued", "paused"), "a running job is moved by its worker"
    _leave(session, job, state, event)
    job.not_before = None
