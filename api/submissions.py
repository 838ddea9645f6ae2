"""Accepting jobs: those that arrive while a transaction runs share the next one.

One thread writes and one commit serves many: under load this is several times faster than a transaction for each, and a
lone job waits for nobody.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from api import express, objects
from api.once import digest
from core import fleet, idempotency, jobs
from core.broker import Tickets
from core.db import Database
from core.errors import EpochdError, NotFound
from core.reconciler import queues_for
from core.specs import PredictJob, TrainJob
from core.tables import Job, Worker

ROUTE = "POST /v1/jobs"
MOST = 64
"""Jobs of one transaction."""


@dataclass(frozen=True)
class _Submission:
    tenant: str
    request: TrainJob | PredictJob
    key: str | None
    outcome: asyncio.Future[objects.Job]


class Submissions:
    """Takes submissions in the event loop and writes them in a thread."""

    def __init__(self, database: Database, tickets: Tickets) -> None:
        self._database, self._tickets = database, tickets
        self._waiting: deque[_Submission] = deque()
        self._working: asyncio.Task[None] | None = None

    async def submit(self, tenant: str, request: TrainJob | PredictJob, key: str | None) -> objects.Job:
        """Put a job into the line, once for each Idempotency-Key; the job, committed.

        Raises:
            Invalid: it can never run.
            IdempotencyMismatch: the key was used for another request.
            NotFound: the job that the key made was deleted.
        """
        one = _Submission(tenant, request, key, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await one.outcome

    async def _work(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            # Two processes that reserved the same keys in different orders would wait for each other.
            batch.sort(key=lambda one: (one.tenant, one.key or ""))
            outcomes: Sequence[objects.Job | Exception]
            try:
                outcomes = await asyncio.to_thread(self._accept, batch)
            except Exception as error:  # the database's, or ours: each request answers with it
                outcomes = [error] * len(batch)
            for one, outcome in zip(batch, outcomes, strict=True):
                if one.outcome.done():
                    continue  # the client has left; the job stays
                if isinstance(outcome, Exception):
                    one.outcome.set_exception(outcome)
                else:
                    one.outcome.set_result(outcome)

    def _accept(self, batch: list[_Submission]) -> list[objects.Job | Exception]:
        """One transaction; a refused submission leaves nothing behind and harms no other."""
        with self._database.transaction() as session:
            intake = jobs.Intake(session)
            outcomes = [_decide(session, intake, one) for one in batch]
            intake.write()
            shown = {job["id"]: job for job in express.accepted(session, intake)}
        online = kinds(intake.online)
        for one in intake.accepted:
            for queue in queues_for(one.job.device, online):
                self._tickets.send(one.job.id, queue)
        return [shown[outcome] if isinstance(outcome, str) else outcome for outcome in outcomes]


def _decide(session: Session, intake: jobs.Intake, one: _Submission) -> str | objects.Job | EpochdError:
    """The id of the accepted job, or the job that its Idempotency-Key made before, or why not."""
    try:
        if one.key is None:
            return intake.accept(one.tenant, one.request).job.id
        stored = idempotency.begin(session, one.tenant, ROUTE, one.key, _digest(one.request))
        if stored is None:
            return _reserved(session, intake, one.tenant, one.request, one.key)
        job_id = str(stored.location).rpartition("/")[2]
        if any(made.job.id == job_id for made in intake.accepted):
            return job_id
        return express.job(session, find(session, one.tenant, job_id))
    except EpochdError as error:
        return error


def _reserved(session: Session, intake: jobs.Intake, tenant: str, request: TrainJob | PredictJob, key: str) -> str:
    try:
        job_id = intake.accept(tenant, request).job.id
    except EpochdError:
        idempotency.release(session, tenant, ROUTE, key)
        raise
    idempotency.finish(session, tenant, ROUTE, key, 202, address(job_id))
    return job_id


def _digest(request: TrainJob | PredictJob) -> str:
    """With every default written out."""
    return digest(request.model_dump(mode="json"))


def wake(database: Database, tickets: Tickets, job_id: str, device: str) -> None:
    """Send the ticket of a job to the workers that can run it. After the commit."""
    with database.reading() as session:
        online = kinds(fleet.online(session))
    for queue in queues_for(device, online):
        tickets.send(job_id, queue)


def find(session: Session, tenant: str, job_id: str) -> Job:
    """A tenant's job.

    Raises:
        NotFound: no such job, or it is another tenant's.
    """
    job = session.get(Job, job_id)
    if job is None or job.tenant != tenant:
        raise NotFound(f"there is no job {job_id!r}")
    return job


def address(job_id: str) -> str:
    """Where a job is found."""
    return f"/v1/jobs/{job_id}"


def kinds(online: list[Worker]) -> set[str]:
    """The device classes that have a live worker."""
    return {device["kind"] for worker in online for device in worker.devices}
