"""Jobs: submit, look at, list, and what a user may ask of one."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from api import express, labels, objects
from api.answers import NOT_MODIFIED, conditional, documented, json
from api.deps import Caller, DatabaseDep, ServiceDep
from api.labels import Labels
from api.once import IdempotencyKey, once
from api.paging import LINK, IdCursor, Limit, Page, page
from api.service import Service
from api.submissions import address, find, wake
from core import blobs
from core import jobs as machine
from core.catalog import datasets
from core.db import Database
from core.specs import METADATA_KEY, NAME_PATTERN, NO_NUL, JobRequest
from core.tables import Dataset, Job

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
LOCATION = {"Location": "The address of the job."}
REPLAY = "POST /v1/jobs/{job_id}/replay"


@router.post(
    "",
    status_code=202,
    responses=documented(objects.Job, "idempotency_mismatch", "not_found", status=202, headers=LOCATION),
)
async def submit_job(
    body: Annotated[JobRequest, Body()], caller: Caller, service: ServiceDep, idempotency_key: IdempotencyKey = None
) -> Response:
    """Submit a training, or a prediction of a whole dataset by a model version.

    It is checked against the data and the workers first; what is accepted is never lost.
    """
    job = await service.submissions.submit(caller.tenant, body, idempotency_key)
    return json(job, 202, {"Location": address(job["id"])})


def _datasets(tenant: str, reference: str) -> Select[str]:
    """The ids of the datasets that a reference means: every version when it names none."""
    name, _, version = reference.partition("@")
    found = select(Dataset.id).where(datasets.visible(tenant), or_(Dataset.id == name, Dataset.name == name))
    return found.where(Dataset.version == int(version)) if version else found


METADATA = {
    "name": "metadata",
    "in": "query",
    "style": "deepObject",
    "explode": True,
    "description": "`metadata[key]=value`: only jobs with these pairs.",
    "schema": {
        "type": "object",
        "maxProperties": labels.MOST,
        "propertyNames": {"pattern": METADATA_KEY},
        "additionalProperties": {"type": "string", "maxLength": 512, "pattern": NO_NUL},
    },
}


@router.get(
    "",
    responses=documented(Page[objects.Job], also=NOT_MODIFIED, headers=LINK),
    openapi_extra={"parameters": [METADATA]},
)
def list_jobs(
    request: Request,
    caller: Caller,
    database: DatabaseDep,
    wanted_labels: Labels,
    status: Annotated[list[objects.State] | None, Query(description="Only these; may be repeated.")] = None,
    kind: Annotated[objects.Kind | None, Query()] = None,
    dataset: Annotated[
        str | None,
        Query(
            pattern=r"^([a-z0-9][a-z0-9._-]{0,63}(@[1-9][0-9]{0,8})?|ds_[0-9a-f]{32})$",
            description="name, name@version or id",
        ),
    ] = None,
    model: Annotated[str | None, Query(pattern=NAME_PATTERN)] = None,
    limit: Limit = 20,
    after: IdCursor = None,
) -> Response:
    """The jobs, newest first."""
    wanted = select(Job).where(Job.tenant == caller.tenant).order_by(Job.id.desc()).limit(limit + 1)
    if status:
        wanted = wanted.where(Job.state.in_(status))
    if kind is not None:
        wanted = wanted.where(Job.kind == kind)
    if model is not None:
        wanted = wanted.where(Job.model == model)
    if after is not None:
        wanted = wanted.where(Job.id < after)
    for name, value in wanted_labels.items():
        wanted = wanted.where(Job.labels[name].as_string() == value)
    if dataset is not None:
        wanted = wanted.where(Job.dataset_id.in_(_datasets(caller.tenant, dataset)))
    with database.reading() as session:
        rows = list(session.scalars(wanted))
        shown = express.jobs(session, rows)
    return page(request, shown, limit, [row.id for row in rows])


@router.get("/{job_id}", responses=documented(objects.Job, "not_found", also=NOT_MODIFIED))
def get_job(request: Request, job_id: str, caller: Caller, database: DatabaseDep) -> Response:
    """One job, with its layers."""
    with database.reading() as session:
        return conditional(request, express.job(session, find(session, caller.tenant, job_id)))


@router.delete(
    "/{job_id}",
    status_code=204,
    responses=documented(None, "not_found", "conflict", status=204, description="It is gone."),
)
def delete_job(job_id: str, caller: Caller, database: DatabaseDep) -> Response:
    """Delete an ended job with its events, metrics, checkpoints and predictions. Model versions made from it stay."""
    with database.transaction() as session:
        freed = machine.delete(session, caller.tenant, job_id)
    for sha256 in freed:
        blobs.free(database, sha256)
    return Response(status_code=204)


Ask = Callable[[Session, str, str], tuple[Job, bool]]
ASKED = documented(
    objects.Job,
    "not_found",
    "conflict",
    status=202,
    also={200: {"model": objects.Job, "description": "It was so already; nothing changed."}},
    description="It was asked for; the job says when it is done.",
)


def _ask(database: Database, ask: Ask, caller: Caller, job_id: str) -> tuple[Response, Job, bool]:
    with database.transaction() as session:
        job, changed = ask(session, caller.tenant, job_id)
    with database.reading() as session:
        shown = express.job(session, job)
    return json(shown, 202 if changed else 200), job, changed


@router.post("/{job_id}/cancel", status_code=202, responses=ASKED)
def cancel_job(job_id: str, caller: Caller, database: DatabaseDep) -> Response:
    """End a job for good; its last checkpoint stays."""
    return _ask(database, machine.cancel, caller, job_id)[0]


@router.post("/{job_id}/pause", status_code=202, responses=ASKED)
def pause_job(job_id: str, caller: Caller, database: DatabaseDep) -> Response:
    """Stop after the current step, with a checkpoint, to go on later."""
    return _ask(database, machine.pause, caller, job_id)[0]


@router.post("/{job_id}/resume", status_code=202, responses=ASKED)
def resume_job(job_id: str, caller: Caller, service: ServiceDep) -> Response:
    """Put a paused job back into its place in the line."""
    response, job, changed = _ask(service.database, machine.resume, caller, job_id)
    if changed:
        wake(service.database, service.tickets, job.id, job.device)
    return response


@router.post(
    "/{job_id}/replay",
    status_code=202,
    responses=documented(objects.Job, "not_found", "conflict", "idempotency_mismatch", status=202, headers=LOCATION),
)
def replay_job(job_id: str, caller: Caller, service: ServiceDep, idempotency_key: IdempotencyKey = None) -> Response:
    """Train again what a job trained, from all that is stored of it; the new job's result says if the weights match."""
    with service.database.transaction() as session:

        def make() -> str:
            return address(machine.replay(session, caller.tenant, job_id).id)

        location, made = once(session, caller.tenant, REPLAY, idempotency_key, job_id, make, 202)
    return answered(service, caller.tenant, location, made)


def answered(service: Service, tenant: str, location: str, made: bool) -> Response:
    """The 202 for a job that was put into the line, with its ticket if it was put there now."""
    with service.database.reading() as session:
        shown = express.job(session, find(session, tenant, location.rpartition("/")[2]))
    if made:
        wake(service.database, service.tickets, shown["id"], shown["device"])
    return json(shown, 202, {"Location": location})
