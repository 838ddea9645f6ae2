"""What a user may ask of a job: cancel, pause, resume, delete."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Conflict
from core.jobs.events import Event, append, locked
from core.jobs.finish import leave_line
from core.tables import ENDED, Checkpoint, Job, JobOutput


def cancel(session: Session, tenant: str, job_id: str) -> tuple[Job, bool]:
    """End a job for good; its last checkpoint stays. Returns the job and whether anything changed."""
    job = locked(session, job_id, tenant)
    if job.state == "cancelled" or job.requested == "cancel":
        return job, False
    if job.state in ENDED:
        raise Conflict(f"the job has {job.state} already; there is nothing to cancel")
    if job.state == "running":
        job.requested = "cancel"
        append(session, job, Event("cancel_requested", "Cancelling: the worker is stopping the job."))
    else:
        leave_line(session, job, "cancelled", Event("cancelled", "The job was cancelled."))
    return job, True


def pause(session: Session, tenant: str, job_id: str) -> tuple[Job, bool]:
    """Stop after the current step with a checkpoint, to go on later. Returns the job and whether anything changed."""
    job = locked(session, job_id, tenant)
    if job.state == "paused" or job.requested == "pause":
        return job, False
    if job.state in ENDED:
        raise Conflict(f"the job has {job.state} already; there is nothing to pause")
    if job.kind not in ("train", "predict"):
        raise Conflict(f"an {job.kind} has no checkpoint to go on from; cancel it instead")
    if job.requested == "cancel":
        raise Conflict("the job is being cancelled")
    if job.state == "running":
        job.requested = "pause"
        append(session, job, Event("pause_requested", "Pausing after the current step, with a checkpoint."))
    else:
        leave_line(session, job, "paused", Event("paused", "The job is paused."))
    return job, True


def resume(session: Session, tenant: str, job_id: str) -> tuple[Job, bool]:
    """Put a paused job back in its place in the line. Returns the job and whether anything changed."""
    job = locked(session, job_id, tenant)
    if job.state == "paused":
        leave_line(session, job, "queued", Event("resumed", "The job is back in the line."))
        return job, True
    if job.state in ENDED:
        raise Conflict(f"the job has {job.state} already; submit it again instead")
    if job.requested == "pause":
        raise Conflict("the job is still pausing; resume it once it is paused")
    if job.requested == "cancel":
        raise Conflict("the job is being cancelled")
    return job, False


def delete(session: Session, tenant: str, job_id: str) -> list[str]:
    """Delete an ended job with its events, metrics, checkpoints and answers; model versions made from it stay.

    Returns the hashes of the blobs that may now be freed.
    """
    job = locked(session, job_id, tenant)
    if job.state not in ENDED:
        raise Conflict(f"the job is {job.state}; cancel it before deleting it")
    kept = select(Checkpoint.weights_sha256, Checkpoint.state_sha256).where(Checkpoint.job_id == job_id)
    hashes = {sha256 for row in session.execute(kept) for sha256 in row if sha256}
    hashes |= set(session.scalars(select(JobOutput.sha256).where(JobOutput.job_id == job_id)))
    session.delete(job)
    return sorted(hashes)
