"""Checkpoints: what is stored, and the weights as a file."""

import base64
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from sqlalchemy import select
from starlette.responses import StreamingResponse

from api import express, objects
from api.answers import NOT_MODIFIED, documented, matches
from api.deps import Caller, DatabaseDep
from api.errors import problem
from api.paging import LINK, IdCursor, Limit, Page, page
from api.ranges import Unsatisfiable, parse
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


FILE = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
HEADERS = {
    "ETag": "The SHA-256 of the file.",
    "Content-Digest": "The same as RFC 9530 has it.",
    "Accept-Ranges": "bytes",
    "Content-Disposition": "A file name.",
}
DOWNLOAD = documented(
    None,
    "not_found",
    "range_not_satisfiable",
    also={206: {"description": "The part that Range asks for.", **FILE}, **NOT_MODIFIED},
    headers=HEADERS,
    description="The weights as safetensors: the plain state dict of the network.",
)
DOWNLOAD[200].update(FILE)
Range = Annotated[str | None, Header(alias="Range", description="One range of bytes, as `bytes=0-1023`.")]
IfRange = Annotated[str | None, Header(alias="If-Range", description="Send the whole file unless this is its ETag.")]


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
    tag = f'"{sha256}"'
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:",
        "Content-Disposition": f'attachment; filename="{job_id}-step-{step}.safetensors"',
    }
    if matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    start, end, status = 0, size, 200
    if range_ is not None and if_range in (None, tag):
        try:
            asked = parse(range_, size)
        except Unsatisfiable:
            detail = f"the file has {size:,} bytes; {range_!r} lies outside"
            return problem(request.scope, "range_not_satisfiable", detail, headers={"Content-Range": f"bytes */{size}"})
        if asked is not None:
            (start, end), status = asked, 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
            del headers["Content-Digest"]  # it would have to be that of the part
    headers["Content-Length"] = str(end - start)
    headers["Content-Type"] = "application/octet-stream"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_read(database, sha256, start, end), status, headers)


def _read(database: Database, sha256: str, start: int, end: int) -> Iterator[bytes]:
    yield from blobs.read(database, sha256, start, end)
