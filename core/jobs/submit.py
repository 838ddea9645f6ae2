"""Accepting a job: what the plan, the dataset's row and the workers seen can tell is checked here, before queueing."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from core import fleet, ids, plan, plan_idle, plan_start
from core.catalog import datasets, models
from core.db import now
from core.encode.text import Tokens
from core.errors import Invalid, NotFound
from core.jobs import needs, prediction
from core.jobs.events import Event
from core.specs import PredictJob, TrainJob, TrainSpec
from core.tables import Dataset, Job, JobEvent


@dataclass(frozen=True)
class Accepted:
    """A job that was put into the line, with its dataset and, of a training, its plan."""

    job: Job
    dataset: Dataset
    plan: plan.Plan | None


def submit(session: Session, tenant: str, request: TrainJob | PredictJob) -> Job:
    """Put a job into the line; see :meth:`Intake.accept`."""
    intake = Intake(session)
    accepted = intake.accept(tenant, request)
    intake.write()
    return accepted.job


class Intake:
    """Puts jobs into the line, all in one transaction: what is looked up for one of them serves the others.

    ``online`` are the workers that would take a job now.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._at = now(session)
        self._known = fleet.known(session, self._at)
        self._datasets: dict[tuple[str, str], Dataset] = {}
        self.online = [worker for worker in self._known if fleet.status(worker, self._at) == "online"]
        self.accepted: list[Accepted] = []

    def accept(self, tenant: str, request: TrainJob | PredictJob) -> Accepted:
        """Check a job and keep it for :meth:`write`.

        Raises:
            Invalid: unknown dataset, a network the data cannot feed, a version to start from that is unknown or of
                another network, a version that cannot answer the data, or more than any worker could ever hold.
        """
        dataset = self._dataset(tenant, request.dataset)
        if isinstance(request, PredictJob):
            accepted = self._prediction(tenant, request, dataset)
        else:
            accepted = self._training(tenant, request, dataset)
        self.accepted.append(accepted)
        return accepted

    def _training(self, tenant: str, request: TrainJob, dataset: Dataset) -> Accepted:
        plan_idle.check(request.training, dataset.kind)
        request, made, vocabulary = planned(self._session, tenant, request, dataset)
        threads = needs.most_threads(self._known)
        memory = needs.memory(request, dataset, made, threads).least_bytes
        largest = partial(needs.largest_batch, request, dataset, made, threads)
        fleet.refuse_if_nobody_fits(self._known, fleet.Need(request.device, request.devices, memory), largest)
        own = {"model": request.model, "parameters": made.parameters, "flops": made.flops, "vocabulary": vocabulary}
        job = self._job(tenant, request, dataset, request.device, memory, request.devices, **own)
        return Accepted(job, dataset, made)

    def _prediction(self, tenant: str, request: PredictJob, dataset: Dataset) -> Accepted:
        asked = prediction.ask(self._session, tenant, request, dataset)
        tokens = asked.preprocessing.tokens
        sample = sample_of(asked.trained_on, None if tokens is None else tokens.size)
        threads = needs.most_threads(self._known)
        memory = prediction.memory(self._session, asked, sample, self._known, threads)
        request = request.model_copy(update={"model": f"{asked.model}:{asked.version.version}"})
        return Accepted(self._job(tenant, request, dataset, "cpu", memory, parameters=0, flops=0), dataset, None)

    def _job(
        self,
        tenant: str,
        request: TrainJob | PredictJob,
        dataset: Dataset,
        device: str,
        memory: int,
        devices: int = 1,
        **own: Any,
    ) -> Job:
        # a microsecond apart, so that they stand in line as they came
        at = self._at + timedelta(microseconds=len(self.accepted))
        return Job(
            id=ids.new("job"),
            tenant=tenant,
            kind=request.kind,
            state="queued",
            priority=request.priority,
            device=device,
            devices=devices,
            spec=request.model_dump(mode="json"),
            labels=request.metadata,
            dataset_id=dataset.id,
            memory_bytes=memory,
            checkpoint_seconds=request.checkpoint_seconds,
            timeout_seconds=request.timeout_seconds,
            max_attempts=request.max_attempts,
            created_at=at,
            ticket_sent_at=at,
            last_seq=1,
            attempt=0,
            **own,
        )

    def _dataset(self, tenant: str, reference: str) -> Dataset:
        found = self._datasets.get((tenant, reference))
        if found is None:
            found = self._datasets[tenant, reference] = find_dataset(self._session, tenant, reference)
        return found

    def write(self) -> None:
        """Store the jobs with their first events. Plain inserts: the unit of work would take most of the time."""
        if not self.accepted:
            return
        rows = [{name: value for name, value in vars(one.job).items() if name[0] != "_"} for one in self.accepted]
        self._session.execute(insert(Job), rows)
        self._session.execute(insert(JobEvent), [_queued(one) for one in self.accepted])


def _queued(accepted: Accepted) -> dict[str, Any]:
    """A job's first event."""
    job, dataset = accepted.job, accepted.dataset
    data = {"dataset": f"{dataset.name}@{dataset.version}"}
    if job.kind == "predict":
        data["model"] = job.spec["model"]
    elif job.spec["fine_tune_from"] is not None:
        data["fine_tune_from"] = job.spec["fine_tune_from"]
    event = Event("queued", "The job was accepted.", data)
    return {"job_id": job.id, "seq": job.last_seq, "attempt": 0, "created_at": job.created_at, **vars(event)}


def planned(
    session: Session, tenant: str, request: TrainJob, dataset: Dataset
) -> tuple[TrainJob, plan.Plan, int | None]:
    """A request and its plan, and the token ids of texts where they are known before the training.

    The version that it starts from is named by its number from now on: wherever an alias moves, every attempt starts
    from the same weights.

    Raises:
        Invalid: the network cannot be built for these samples, or the version is unknown, or one of another network.
    """
    made = make_plan(request, dataset)
    if request.fine_tune_from is None:
        return request, made, None
    try:
        name, version = models.refer(session, tenant, request.fine_tune_from)
    except NotFound as error:
        raise Invalid(error.message, "#/fine_tune_from") from None
    pinned = f"{name}:{version.version}"
    spec = TrainSpec.model_validate({key: version.spec[key] for key in TrainSpec.model_fields if key in version.spec})
    if request.network.family != spec.network.family:
        family = spec.network.family
        raise Invalid(f"{pinned} is a {family}: give its network to start from its weights", "#/network/family")
    trained_on = session.get_one(Dataset, version.dataset_id)
    vocabulary = None
    if version.preprocessing.get("tokens") is not None:
        plan_start.check_tokens(request.data, dataset.kind, spec.data, trained_on.kind, pinned)
        vocabulary = Tokens.from_dict(version.preprocessing["tokens"]).size
        made = make_plan(request, dataset, vocabulary)
    plan_start.check(made, plan.make(spec, sample_of(trained_on, vocabulary)), pinned)
    return request.model_copy(update={"fine_tune_from": pinned}), made, vocabulary


def find_dataset(session: Session, tenant: str, reference: str) -> Dataset:
    """The dataset that a job asks for.

    Raises:
        Invalid: there is none.
    """
    try:
        return datasets.find(session, tenant, reference)
    except NotFound as error:
        raise Invalid(error.message, "#/dataset") from None


def make_plan(request: TrainJob, dataset: Dataset, vocabulary: int | None = None) -> plan.Plan:
    """The plan of a job on its dataset; ``vocabulary`` counts the token ids of texts, once training has chosen them.

    Raises:
        Invalid: the network cannot be built for samples of this shape.
    """
    try:
        made = plan.make(request.training, sample_of(dataset, vocabulary))
    except plan.PlanError as error:
        raise Invalid(error.message, errors=error.errors) from None
    if request.devices > 1 and made.batch_norms:
        message = 'batch normalisation cannot be trained on several devices; use norm "group", or one device'
        raise Invalid(message, "#/devices")
    return made


def sample_of(dataset: Dataset, vocabulary: int | None = None) -> plan.Sample:
    """What a dataset's row tells the plan."""
    lengths = None if dataset.lengths is None else (dataset.lengths[0], dataset.lengths[1])
    targets = 0 if dataset.targets is None else len(dataset.targets)
    text = (dataset.findings or {}).get("text")
    return plan.Sample(
        dataset.kind,
        tuple(dataset.shape),
        len(dataset.classes),
        lengths,
        vocabulary,
        dataset.rate,
        dataset.task,
        targets,
        (dataset.splits["train"], dataset.splits["test"]) if dataset.task == "forecast" else None,
        characters=dataset.splits["train"] if dataset.task == "language" else None,
        distinct=None if text is None else text["train"]["distinct_characters"],
    )
