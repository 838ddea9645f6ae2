"""How long a training will take, from the measured pace of the trainings that ran here before."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.jobs.line import SETTLED_SECONDS, SETTLED_STEPS
from core.plan import FULL_BATCH_CHUNK
from core.plan_length import length, samples
from core.specs import TrainJob
from core.tables import Dataset, Job, JobEvent

Match = Literal["spec", "network", "family"]
LOOKED_AT = 200
"""The newest jobs that are compared."""
TRIED = 20
"""The nearest jobs whose pace is asked for; the first that has one is taken."""


@dataclass(frozen=True)
class Pace:
    """Seconds that one sample of the asked-for network takes to train on, scaled from the job ``like``.

    ``match``: that job had the same ``spec`` but for its length and seed, the same ``network``, or one of the same
    ``family``.
    """

    seconds_per_sample: float
    match: Match
    like: Job


def measured(session: Session, request: TrainJob, dataset_id: str, flops: int, devices: set[str]) -> Pace | None:
    """The pace to expect on one of these device classes (any class if none is named); null without history.

    ``flops`` are those of one forward pass of one sample; the time of a sample is taken to grow with them.
    """
    wanted = select(Job, Dataset).join(Dataset, Dataset.id == Job.dataset_id)
    wanted = wanted.where(Job.kind == "train", Job.state.in_(["succeeded", "running"]), Job.progress_at.is_not(None))
    wanted = wanted.where(Job.devices == request.devices)
    newest = session.execute(wanted.order_by(Job.created_at.desc()).limit(LOOKED_AT))
    found = [(job, dataset) for job, dataset in newest]
    for match, job, dataset in _nearest(found, request, dataset_id, flops)[:TRIED]:
        seconds = _seconds_per_sample(session, job, dataset, devices)
        if seconds is not None:
            return Pace(seconds * max(flops, 1) / max(job.flops, 1), match, job)
    return None


def _nearest(
    rows: Sequence[tuple[Job, Dataset]], request: TrainJob, dataset_id: str, flops: int
) -> list[tuple[Match, Job, Dataset]]:
    """The jobs that can be compared, the most alike first; of equals the newest."""
    ranks: dict[Match, int] = {"spec": 0, "network": 1, "family": 2}
    batch = request.hyperparameters.samples_per_batch or FULL_BATCH_CHUNK
    ranked = []
    for job, dataset in rows:
        match = _match(job, request, dataset_id)
        if match is None:
            continue
        other = TrainJob.model_validate(job.spec).hyperparameters.samples_per_batch or FULL_BATCH_CHUNK
        # a factor of two in the batch matters as much as one in the work: small batches cost more a sample
        distance = abs(math.log(max(job.flops, 1) / max(flops, 1))) + abs(math.log(other / batch))
        ranked.append((ranks[match], distance, (match, job, dataset)))
    return [one for _, _, one in sorted(ranked, key=lambda one: one[:2])]


def _match(job: Job, request: TrainJob, dataset_id: str) -> Match | None:
    spec = request.model_dump(mode="json")
    network, other = spec["network"], job.spec["network"]
    if (network["family"], network.get("cell")) != (other["family"], other.get("cell")):
        return None
    if network != other or spec["data"]["resize"] != job.spec["data"]["resize"]:
        return "family"
    if job.dataset_id == dataset_id and _how(spec) == _how(job.spec):
        return "spec"
    return "network"


def _how(spec: dict[str, Any]) -> dict[str, Any]:
    """The hyperparameters that a step's time depends on; not how long the run is."""
    length = ("epochs", "steps", "seconds", "early_stopping", "target", "monitor")
    return {name: value for name, value in spec["hyperparameters"].items() if name not in length}


def _seconds_per_sample(session: Session, job: Job, dataset: Dataset, devices: set[str]) -> float | None:
    """Of the job's last attempt, from its start to its last report; null on another device or for a run too short."""
    started = session.scalar(
        select(JobEvent)
        .where(JobEvent.job_id == job.id, JobEvent.attempt == job.attempt, JobEvent.type == "started")
        .order_by(JobEvent.seq.desc())
        .limit(1)
    )
    if started is None or job.progress is None or job.progress_at is None:
        return None
    if devices and started.data["device"] not in devices:
        return None
    steps = job.progress["step"] - started.data["step"]
    took = (job.progress_at - started.created_at).total_seconds()
    if steps <= 0 or took <= 0 or (steps < SETTLED_STEPS and took < SETTLED_SECONDS):
        return None
    spec = TrainJob.model_validate(job.spec)
    trained = length(spec, samples(spec, dataset.task, dataset.splits)).samples_per_epoch
    return float(took / steps * started.data["steps_per_epoch"] / trained)
