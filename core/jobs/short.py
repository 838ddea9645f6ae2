"""Accepting short work: what every worker's small slot does with an input that is stored."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core import blobs, ids
from core.db import now
from core.jobs.events import Event, append
from core.jobs.lease import Input
from core.specs import EvaluateJob, ExplainJob, IngestJob
from core.tables import Checkpoint, Job, JobInput

MAX_ATTEMPTS = 3
MEMORY_BYTES = 256 * 2**20
"""What such a job surely needs; how much its arrays may take depends on the worker that runs it."""


def submit_ingest(session: Session, tenant: str, request: IngestJob, inputs: Sequence[Input]) -> Job:
    """Put an ingest of files, whose blobs are stored, into the short line."""
    event = Event("queued", "The files were accepted.", {"files": [vars(one) for one in inputs]})
    return _submit(session, tenant, request, inputs, event)


def submit_explain(session: Session, tenant: str, request: ExplainJob, sample: Input) -> Job:
    """Put an explanation of a sample, whose blob is stored, into the short line."""
    data = {"model": request.model, "method": request.options.method}
    return _submit(session, tenant, request, [sample], Event("queued", "The explanation was accepted.", data))


def submit_evaluate(session: Session, training: Job, checkpoint: Checkpoint, model: str) -> Job:
    """Put into the short line that a training's checkpoint becomes the next version of a model.

    Raises:
        NotFound: the checkpoint was replaced at this very moment.
    """
    request = EvaluateJob(
        model=model,
        job=training.id,
        checkpoint=checkpoint.id,
        step=checkpoint.step,
        epoch=checkpoint.epoch,
        trained=training.spec,
    )
    weights = Input("weights.safetensors", blobs.size(session, checkpoint.weights_sha256), checkpoint.weights_sha256)
    data = {"model": model, "job": training.id, "step": checkpoint.step}
    event = Event("queued", f"The checkpoint at step {checkpoint.step} was accepted.", data)
    job = _submit(session, training.tenant, request, [weights], event)
    job.model, job.dataset_id, job.vocabulary = model, training.dataset_id, training.vocabulary
    job.parameters, job.memory_bytes = training.parameters, training.memory_bytes
    return job


def _submit(
    session: Session, tenant: str, request: IngestJob | ExplainJob | EvaluateJob, inputs: Sequence[Input], event: Event
) -> Job:
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
    for position, one in enumerate(inputs):
        blobs.touch(session, one.sha256)
        session.add(JobInput(job_id=job.id, position=position, **vars(one)))
    append(session, job, event)
    return job
