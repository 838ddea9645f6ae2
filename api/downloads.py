"""Blobs as files: ETag and digest, ranges, HEAD, and a name to save them under."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header, Request, Response
from starlette.responses import StreamingResponse

from api.answers import NOT_MODIFIED, Responses, documented, matches
from api.errors import problem
from api.ranges import Unsatisfiable, parse
from core import blobs
from core.db import Database

HEADERS = {
    "ETag": "The SHA-256 of the file.",
    "Content-Digest": "The same as RFC 9530 has it.",
    "Accept-Ranges": "bytes",
    "Content-Disposition": "A file name.",
}
Range = Annotated[str | None, Header(alias="Range", description="One range of bytes, as `bytes=0-1023`.")]
IfRange = Annotated[str | None, Header(alias="If-Range", description="Send the whole file unless this is its ETag.")]


@dataclass(frozen=True)
class File:
    """A blob of so many bytes, and how it is called."""

    sha256: str
    size: int
    name: str
    media_type: str


def documented_file(media_types: Sequence[str], description: str, *codes: str) -> Responses:
    """The ``responses`` of a route that sends a file of one of these types."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = {"content": {media_type: binary for media_type in media_types}}
    also: Responses = {206: {"description": "The part that Range asks for.", **content}, **NOT_MODIFIED}
    codes = ("not_found", "range_not_satisfiable", *codes)
    found = documented(None, *codes, also=also, headers=HEADERS, description=description)
    found[200].update(content)
    return found


def send_blob(request: Request, database: Database, file: File, range_: str | None, if_range: str | None) -> Response:
    """The file, the part of it that Range asks for, or nothing but headers when the client has it already."""
    tag = f'"{file.sha256}"'
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:",
        "Content-Disposition": f'attachment; filename="{file.name}"',
    }
    if matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    start, end, status = 0, file.size, 200
    if range_ is not None and if_range in (None, tag):
        try:
            asked = parse(range_, file.size)
        except Unsatisfiable:
            detail = f"the file has {file.size:,} bytes; {range_!r} lies outside"
            outside = {"Content-Range": f"bytes */{file.size}"}
            return problem(request.scope, "range_not_satisfiable", detail, headers=outside)
        if asked is not None:
            (start, end), status = asked, 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
            del headers["Content-Digest"]  # it would have to be that of the part
    headers["Content-Length"] = str(end - start)
    headers["Content-Type"] = file.media_type
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(blobs.read(database, file.sha256, start, end), status, headers)
