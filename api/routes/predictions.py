"""The answers to a whole data set, as a file."""

from typing import cast

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from starlette.responses import StreamingResponse

from api.deps import Caller, DatabaseDep
from api.downloads import File, IfRange, Range, documented_file, send_blob
from api.submissions import find
from core.db import Database
from core.errors import Conflict, NotFound
from core.predictions.formats import MEDIA_TYPES
from core.specs import AnswerFormat
from core.tables import Dataset, JobOutput

router = APIRouter(prefix="/v1/jobs/{job_id}/predictions", tags=["jobs"])
DOWNLOAD = documented_file(
    [one.partition(";")[0] for one in MEDIA_TYPES.values()],
    "A row for each of the data set, in its order: the label, and what the model says.",
    "conflict",
)


@router.get("", responses=DOWNLOAD, response_class=StreamingResponse)
def get_predictions(
    request: Request,
    job_id: str,
    caller: Caller,
    database: DatabaseDep,
    range_: Range = None,
    if_range: IfRange = None,
) -> Response:
    """What a job of the kind predict answered, once it has succeeded; broken downloads go on by Range."""
    return send_blob(request, database, _file(database, caller.tenant, job_id), range_, if_range)


@router.head("", responses=DOWNLOAD, response_class=Response)
def head_predictions(
    request: Request, job_id: str, caller: Caller, database: DatabaseDep, range_: Range = None
) -> Response:
    """Size and hash of that file."""
    return send_blob(request, database, _file(database, caller.tenant, job_id), range_, None)


def _file(database: Database, tenant: str, job_id: str) -> File:
    with database.reading() as session:
        job = find(session, tenant, job_id)
        if job.kind != "predict":
            raise NotFound(f"job {job_id} is of the kind {job.kind} and predicts nothing")
        if job.state != "succeeded":
            raise Conflict(f"the job is {job.state}; its predictions are there once it has succeeded")
        dataset = session.get_one(Dataset, job.dataset_id)
        whole = session.scalars(select(JobOutput).where(JobOutput.job_id == job_id)).one()
    form = cast(AnswerFormat, job.spec["format"])
    model = job.spec["model"].replace(":", "-")
    name = f"{model}-{dataset.name}-{dataset.version}-{job.spec['split']}.{form}"
    return File(whole.sha256, whole.size, name, MEDIA_TYPES[form])
