"""Accepting an explanation that a worker is to make."""

from sqlalchemy.orm import Session

from core import blobs, ids
from core.db import now
from core.jobs.events import Event, append
from core.jobs.lease import Input
from core.specs import ExplainJob
from core.tables import Job, JobInput

MAX_ATTEMPTS = 3
MEMORY_BYTES = 256 * 2**20


def submit_explain(session: Session, tenant: str, request: ExplainJob, sample: Input) -> Job:
    """Put an explanation of a sample, whose blob is stored, into the short line."""
    at = now(session)
    job = Job(
        id=ids.new("job"),
        tenant=tenant,
        kind=request.kind,
        state="queued",
        priority=0,
        device="cpu",
        spec=request.model_dump(mode="json"),
        labels={},
        parameters=0,
        memory_bytes=MEMORY_BYTES,
        flops=0,
        checkpoint_seconds=0.0,
        max_attempts=MAX_ATTEMPTS,
        created_at=at,
        ticket_sent_at=at,
        last_seq=0,
        attempt=0,
    )
    session.add(job)
    session.flush()
    blobs.touch(session, sample.sha256)
    session.add(JobInput(job_id=job.id, position=0, **vars(sample)))
    data = {"model": request.model, "method": request.options.method}
    append(session, job, Event("queued", "The explanation was accepted.", data))
    return job
