"""Stored files over HTTP: whole or in parts, named by their hash, so that a broken download goes on."""

import base64
from typing import Annotated, Any

from fastapi import Header, Request, Response
from starlette.responses import StreamingResponse

from api.answers import NOT_MODIFIED, documented, matches
from api.errors import problem
from api.ranges import Unsatisfiable, parse
from core import blobs
from core.db import Database

FILE = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
HEADERS = {
    "ETag": "The SHA-256 of the file.",
    "Content-Digest": "The same as RFC 9530 has it.",
    "Accept-Ranges": "bytes",
    "Content-Disposition": "A file name.",
}
Range = Annotated[str | None, Header(alias="Range", description="One range of bytes, as `bytes=0-1023`.")]
IfRange = Annotated[str | None, Header(alias="If-Range", description="Send the whole file unless this is its ETag.")]


def download(description: str, *codes: str) -> Any:
    """The ``responses`` of a route that sends a file."""
    part = {206: {"description": "The part that Range asks for.", **FILE}, **NOT_MODIFIED}
    made = documented(
        None, "not_found", "range_not_satisfiable", *codes, also=part, headers=HEADERS, description=description
    )
    made[200].update(FILE)
    return made


def send(
    request: Request, database: Database, sha256: str, name: str, range_: str | None, if_range: str | None
) -> Response:
    """The answer with a blob as a file of that name; of a HEAD, without its bytes."""
    with database.reading() as session:
        size = blobs.size(session, sha256)
    tag = f'"{sha256}"'
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:",
        "Content-Disposition": f'attachment; filename="{name}"',
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
    return StreamingResponse(blobs.read(database, sha256, start, end), status, headers)
