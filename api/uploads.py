"""Receiving files of any size: from the request into blobs, a MiB at a time, so that none is ever whole in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from api.multipart import Parts
from core import blobs
from core.db import Database
from core.errors import Invalid, TooLarge
from core.jobs import Input

MOST_FILES = 1000
MOST_FIELDS, MOST_FIELD_BYTES = 64, 64 * 1024
MOST_NAME = 512


class _Incoming:
    """One file on its way into a blob. Its name is kept as it came, and never used as a path."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self.name = "".join(character for character in name if character != "\0")[-MOST_NAME:]
        self._writer: blobs.Writer | None = None
        self._waiting = bytearray()

    async def write(self, piece: bytes) -> None:
        self._waiting += piece
        if len(self._waiting) >= blobs.CHUNK_BYTES:
            await self._flush()

    async def end(self) -> Input:
        await self._flush()
        assert self._writer is not None
        sha256, size = await asyncio.to_thread(self._writer.publish)
        return Input(self.name, size, sha256)

    async def abandon(self) -> None:
        if self._writer is not None:
            await asyncio.to_thread(self._writer.abandon)

    async def _flush(self) -> None:
        data = bytes(self._waiting)
        self._waiting.clear()
        await asyncio.to_thread(self._write, data)

    def _write(self, data: bytes) -> None:
        self._writer = self._writer or blobs.Writer(self._database)
        self._writer.write(data)


async def receive_body(request: Request, database: Database, name: str) -> Input:
    """The whole body as one file.

    Raises:
        Invalid: it is empty, or broke off before its end. Nothing is kept.
        TooLarge: it is larger than an upload may be.
    """
    file = _Incoming(database, name)
    try:
        async for piece in _pieces(request):
            await file.write(piece)
        stored = await file.end()
    except BaseException:
        await asyncio.shield(file.abandon())
        raise
    if not stored.size:
        raise Invalid("the body is empty; send the bytes of the file")
    return stored


@dataclass
class Form:
    """A multipart form: its plain fields by name, and its files in their order."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[Input] = field(default_factory=list)


async def receive_form(request: Request, database: Database) -> Form:
    """A multipart body; parts with a file name are files, the others fields.

    Raises:
        UnsupportedMedia: it is no multipart form.
        Invalid: it is broken, breaks off before its end, or has too many files. Nothing is kept.
        TooLarge: it is larger than an upload may be.
    """
    form, parts = Form(), Parts(request.headers.get("content-type", ""))
    file: _Incoming | None = None
    name, text = "", b""
    try:
        async for piece in _pieces(request):
            for step in parts.feed(piece):
                if step.kind == "begin":
                    name, text = step.name, b""
                    file = None if step.filename is None else _Incoming(database, step.filename)
                elif step.kind == "data" and file is not None:
                    await file.write(step.data)
                elif step.kind == "data":
                    text += step.data
                elif file is not None:
                    form.files.append(await file.end())
                    file = None
                else:
                    form.fields[name] = _text(name, text)
            _check_limits(form, text)
        if not parts.whole:
            raise Invalid("the form breaks off before its end")
    finally:
        if file is not None:
            await asyncio.shield(file.abandon())
    return form


def _check_limits(form: Form, text: bytes) -> None:
    if len(form.files) > MOST_FILES:
        raise Invalid(f"there are more than {MOST_FILES:,} files; send them as one zip or tar", "#/file")
    if len(text) > MOST_FIELD_BYTES or len(form.fields) > MOST_FIELDS:
        raise Invalid("the form's fields are too large or too many")


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Invalid("this must be UTF-8", f"#/{name}") from error


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as error:
        raise Invalid("the upload broke off before its end") from error
    except HTTPException as error:  # the edge's, once the limit is passed
        raise TooLarge(str(error.detail)) from error
