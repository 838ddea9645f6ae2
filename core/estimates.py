"""What a training will take, before it is queued: its plan, its length, its memory, its time, and who could run it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core import fleet, plan_idle
from core.db import now
from core.errors import Invalid
from core.jobs import needs, pace
from core.jobs.submit import find_dataset, planned
from core.plan import Plan
from core.plan_length import Length, length, samples
from core.plan_memory import Heaps, Memory
from core.specs import TrainJob
from core.tables import Dataset, Worker

NO_HISTORY = "no {family} network has trained here on {device} for long enough to judge by"


@dataclass(frozen=True)
class Time:
    """Seconds of one epoch and of the whole run; null for ``reason``. ``pace`` is what they were judged by."""

    per_epoch: float | None
    total: float | None
    reason: str | None
    pace: pace.Pace | None


@dataclass(frozen=True)
class Verdict:
    """Whether a worker of the last day could run it. ``fits`` is null while none is known.

    ``largest_batch_size`` would fit the largest slot of ``workers``; null for gd and where no batch fits.
    """

    fits: bool | None
    reason: str | None
    largest_batch_size: int | None
    workers: Sequence[tuple[Worker, str | None]]
    """Each with why it cannot."""


@dataclass(frozen=True)
class Estimate:
    """All that can be known before a training is queued."""

    request: TrainJob
    dataset: Dataset
    plan: Plan
    length: Length
    memory: Memory
    time: Time
    verdict: Verdict


def estimate(session: Session, tenant: str, request: TrainJob) -> Estimate:
    """Of a job as it would be submitted.

    Raises:
        Invalid: unknown dataset, a network the data cannot feed, options without effect, or a version to start from
            that is unknown or of another network.
    """
    dataset = find_dataset(session, tenant, request.dataset)
    plan_idle.check(request.training, dataset.kind)
    request, made, _ = planned(session, tenant, request, dataset)
    known = fleet.known(session, now(session))
    run = length(request, samples(request, dataset.task, dataset.splits))
    heaps = Heaps.of(made, request)
    memory = needs.memory(request, dataset, made, needs.most_threads(known), heaps=heaps)
    return Estimate(
        request=request,
        dataset=dataset,
        plan=made,
        length=run,
        memory=memory,
        time=_time(session, request, dataset, made, run, known),
        verdict=_verdict(request, dataset, made, memory, known, heaps),
    )


def _time(
    session: Session, request: TrainJob, dataset: Dataset, made: Plan, run: Length, known: Sequence[Worker]
) -> Time:
    devices = {request.device} if request.device != "auto" else {one["kind"] for each in known for one in each.devices}
    found = pace.measured(session, request, dataset.id, made.flops, devices)
    limit = request.hyperparameters.seconds
    if found is None:
        device = " or ".join(sorted(devices)) or "any device"
        return Time(None, limit, NO_HISTORY.format(family=request.network.family, device=device), None)
    per_epoch = found.seconds_per_sample * run.samples_per_epoch
    total = limit if run.samples is None else found.seconds_per_sample * run.samples
    return Time(per_epoch, total, None, found)


def _verdict(
    request: TrainJob, dataset: Dataset, made: Plan, memory: Memory, known: Sequence[Worker], heaps: Heaps
) -> Verdict:
    """The words are those of the refusal that a submission would meet."""
    need = fleet.Need(request.device, request.devices, memory.least_bytes)
    misfits = [(worker, fleet.misfit(worker, need)) for worker in known]
    best = fleet.largest(known, need)
    batch = None
    if best is not None:
        batch = needs.largest_batch(request, dataset, made, needs.most_threads(known), fleet.slot_bytes(best), heaps)
    if not known:
        return Verdict(None, "no worker was seen within a day; the job would wait for one", None, misfits)
    try:
        fleet.refuse_if_nobody_fits(known, need, lambda _: batch)
    except Invalid as error:
        return Verdict(False, error.message, batch, misfits)
    return Verdict(True, None, batch, misfits)
