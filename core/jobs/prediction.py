"""Answering a data set: what is checked before it waits in the line, and what is stored of it meanwhile."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core import blobs, fleet, plan
from core.catalog import models
from core.db import now
from core.encode import Preprocessing
from core.errors import Invalid, NotFound
from core.jobs.events import Event, Lease, advance, store
from core.plan_layers import BYTES
from core.predictions import AT_ONCE, fit
from core.predictions.layout import Layout
from core.specs import PredictJob, TrainSpec
from core.tables import Dataset, JobOutput, ModelVersion, Worker

MEMORY_BYTES = 256 * 2**20
"""What the process itself and the runtime take."""


@dataclass(frozen=True)
class Asked:
    """A version, by the name ``model``, and a data set that fits it."""

    model: str
    version: ModelVersion
    preprocessing: Preprocessing
    trained_on: Dataset
    dataset: Dataset

    @property
    def layout(self) -> Layout:
        """What the rows hold, all classes kept."""
        targets = self.preprocessing.targets
        learnt, found = (one.classes if targets is None else one.targets for one in (self.trained_on, self.dataset))
        horizon = None if targets is None else targets.horizon
        return Layout(self.dataset.task, tuple(learnt or ()), tuple(found or ()), horizon, None)


def ask(session: Session, tenant: str, request: PredictJob, dataset: Dataset) -> Asked:
    """Whether a version can answer these rows of a data set.

    Raises:
        Invalid: it cannot; points at the field.
    """
    try:
        name, version = models.refer(session, tenant, request.model)
    except NotFound as error:
        raise Invalid(error.message, "#/model") from None
    if not version.ready:
        raise Invalid(f"{name}:{version.version} cannot answer predictions: {version.reason}", "#/model")
    trained_on = session.get_one(Dataset, version.dataset_id)
    preprocessing = Preprocessing.from_dict(version.preprocessing)
    fit.check(preprocessing, _described(trained_on), _described(dataset))
    if request.top is not None and preprocessing.targets is not None:
        raise Invalid("this model foretells numbers, of which none is the largest; leave top out", "#/top")
    wanted = fit.chosen(dataset.splits, request.split)
    if not any(one.count for one in fit.rows(preprocessing, dataset.splits, wanted)):
        raise Invalid(f"there is no row to answer in {' and '.join(wanted)}: too few for one window", "#/split")
    return Asked(name, version, preprocessing, trained_on, dataset)


def _described(row: Dataset) -> fit.Described:
    return fit.Described(
        f"{row.name}@{row.version}",
        row.kind,
        row.task,
        tuple(row.shape),
        None if row.lengths is None else (row.lengths[0], row.lengths[1]),
        row.rate,
        row.columns,
        row.targets,
        row.splits,
    )


def memory(session: Session, asked: Asked, trained_on: plan.Sample, known: Sequence[Worker], threads: int) -> int:
    """Bytes that such a job needs: graph, batches under way and, of a forecast, the table.

    Raises:
        Invalid: no known worker has as many in a slot.
    """
    version, dataset = asked.version, asked.dataset
    before = {field: version.spec[field] for field in TrainSpec.model_fields if field in version.spec}
    made = plan.make(TrainSpec.model_validate(before), trained_on)
    longest = max(dataset.lengths[1] if dataset.lengths is not None else 1, math.prod(dataset.shape))
    batches = 2 * threads * AT_ONCE * (made.activation_bytes + 2 * BYTES * longest)
    table: int = 2 * dataset.size if dataset.task == "forecast" else 0
    assert version.onnx_sha256 is not None, "a version that is ready has a graph"
    needed: int = MEMORY_BYTES + 3 * blobs.size(session, version.onnx_sha256) + batches + table
    need = fleet.Need("cpu", 1, needed)
    best = fleet.largest(known, need) or next(iter(known), None)
    reason = None if best is None else fleet.misfit(best, need)
    if reason is not None:
        raise Invalid(f"no worker can run this job: {reason}", "#/model")
    return needed


@dataclass(frozen=True)
class Part:
    """Answers whose blob is stored already: those of the rows up to ``done``, behind the part before."""

    done: int
    size: int
    sha256: str
    state: dict[str, Any]


def parts(session: Session, job_id: str) -> list[Part]:
    """What is stored of a job's answers, in order."""
    rows = select(JobOutput).where(JobOutput.job_id == job_id).order_by(JobOutput.position)
    return [Part(one.done, one.size, one.sha256, one.state) for one in session.scalars(rows)]


def add_part(session: Session, lease: Lease, part: Part) -> None:
    """Store a part, from which another attempt would go on.

    Raises:
        LeaseLost: nothing was written, the attempt must stop.
    """
    event = Event("part", f"The answers to {part.done:,} rows are stored.", {"done": part.done})
    at = now(session)
    store(session, lease.job_id, lease.attempt, advance(session, lease, 1), [event], at)
    before = parts(session, lease.job_id)
    assert not before or before[-1].done < part.done, "parts grow"
    mine = JobOutput.job_id == lease.job_id
    session.execute(update(JobOutput).where(mine).values(state={}))  # only the last one's is needed
    blobs.touch(session, part.sha256)
    session.add(JobOutput(job_id=lease.job_id, position=len(before), **asdict(part)))


def replace_parts(session: Session, job_id: str, whole: Part) -> list[str]:
    """The whole file in the place of the parts; the hashes of the blobs that may now be freed."""
    before = {part.sha256 for part in parts(session, job_id)}
    blobs.touch(session, whole.sha256)
    session.execute(delete(JobOutput).where(JobOutput.job_id == job_id))
    session.add(JobOutput(job_id=job_id, position=0, **asdict(whole)))
    return sorted(before - {whole.sha256})
