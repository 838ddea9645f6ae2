"""Checkpoints: what is stored, and the weights as a file."""

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from starlette.responses import StreamingResponse

from api import express, objects
from api.answers import NOT_MODIFIED, documented
from api.deps import Caller, DatabaseDep
from api.downloads import File, IfRange, Range, documented_file, send_blob
from api.paging import LINK, IdCursor, Limit, Page, page
from api.submissions import find
from core import blobs
from core.db import Database
from core.errors import NotFound
from core.tables import Blob, Checkpoint

router = APIRouter(prefix="/v1/jobs/{job_id}/checkpoints", tags=["jobs"])


@router.get("", responses=documented(Page[objects.Checkpoint], "not_found", also=NOT_MODIFIED, headers=LINK))
def list_checkpoints(
    request: Request, job_id: str, caller: Caller, database: DatabaseDep, limit: Limit = 20, after: IdCursor = None
) -> Response:
    """The stored checkpoints, oldest first: the best and the last (they may be one)."""
    wanted = (
        select(Checkpoint, Blob.size)
        .join(Blob, Blob.sha256 == Checkpoint.weights_sha256)
        .where(Checkpoint.job_id == job_id)
        .order_by(Checkpoint.id)
        .limit(limit + 1)
    )
    if after is not None:
        wanted = wanted.where(Checkpoint.id > after)
    with database.reading() as session:
        find(session, caller.tenant, job_id)
        rows = list(session.execute(wanted))
    return page(request, [express.checkpoint(*row) for row in rows], limit, [row[0].id for row in rows])


DOWNLOAD = documented_file(
    ("application/octet-stream",), "The weights as safetensors: the plain state dict of the network."
)


@router.get("/{checkpoint_id}/weights", responses=DOWNLOAD, response_class=StreamingResponse)
def get_weights(
    request: Request,
    job_id: str,
    checkpoint_id: str,
    caller: Caller,
    database: DatabaseDep,
    range_: Range = None,
    if_range: IfRange = None,
) -> Response:
    """The weights of a checkpoint; damaged or broken downloads go on by Range."""
    return _weights(request, database, caller.tenant, job_id, checkpoint_id, range_, if_range)


@router.head("/{checkpoint_id}/weights", responses=DOWNLOAD, response_class=Response)
def head_weights(
    request: Request, job_id: str, checkpoint_id: str, caller: Caller, database: DatabaseDep, range_: Range = None
) -> Response:
    """Size and hash of a checkpoint's weights."""
    return _weights(request, database, caller.tenant, job_id, checkpoint_id, range_, None)


def _weights(
    request: Request,
    database: Database,
    tenant: str,
    job_id: str,
    checkpoint_id: str,
    range_: str | None,
    if_range: str | None,
) -> Response:
    with database.reading() as session:
        find(session, tenant, job_id)
        row = session.get(Checkpoint, checkpoint_id)
        if row is None or row.job_id != job_id:
            raise NotFound(
                f"job {job_id} has no checkpoint {checkpoint_id!r}; a better or later one may have replaced it"
            )
        sha256, step = row.weights_sha256, row.step
        size = blobs.size(session, sha256)
    file = File(sha256, size, f"{job_id}-step-{step}.safetensors", "application/octet-stream")
    return send_blob(request, database, file, range_, if_range)
