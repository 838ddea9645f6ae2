"""Sending JSON: encoded once, with an ETag where it may be asked for again; and how answers are documented."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Request, Response

from api.errors import MEDIA_TYPE, STATUS

_ENCODER = msgspec.json.Encoder()
Responses = dict[int | str, dict[str, Any]]


def json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer that nobody keeps."""
    return Response(_ENCODER.encode(body), status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")


def conditional(
    request: Request, body: object, headers: Mapping[str, str] | None = None, *, stored: object = None
) -> Response:
    """A JSON answer with an ETag; 304 when the client has what it names already.

    The tag is strong: of these very bytes. A body that also tells what was counted has a weak one, of ``stored``, which
    is the body without that: traffic changes nothing that a client would have to read again.
    """
    data = _ENCODER.encode(body)
    tag = _tag(data) if stored is None else f"W/{_tag(_ENCODER.encode(stored))}"
    known = {"ETag": tag, "Cache-Control": "private, no-cache", **(headers or {})}
    if matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=known)
    return Response(data, 200, known, "application/json")


def _tag(data: bytes) -> str:
    return f'"{hashlib.blake2b(data, digest_size=16).hexdigest()}"'


def matches(header: str | None, tag: str) -> bool:
    """Whether an If-None-Match header names an ETag: the weak comparison (RFC 9110, 13.1.2)."""
    if header is None:
        return False
    named = (one.strip().removeprefix("W/") for one in header.split(","))
    return header.strip() == "*" or tag.removeprefix("W/") in named


def documented(
    model: Any,
    *codes: str,
    status: int = 200,
    also: Mapping[Any, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    description: str = "",
) -> Responses:
    """The ``responses`` of a route: its object and the problems that are its own (``api.openapi`` adds the rest).

    ``headers`` are names of response headers with a sentence each.
    """
    answer: dict[str, Any] = {"description": description or "As asked."}
    if model is not None:
        answer["model"] = model
    if headers:
        answer["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
        }
    return {status: answer, **(also or {}), **problems(*codes)}


def problems(*codes: str) -> Responses:
    """Documentation of problems by their codes."""
    found: dict[int, list[str]] = {}
    for code in codes:
        found.setdefault(STATUS[code][0], []).append(code)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": ", ".join(names), "content": content} for status, names in found.items()}


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What may be left out cannot be sent as null: there is no null outside of JSON."""
    kinds = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **kinds[0]}


NOT_MODIFIED: Responses = {304: {"description": "If-None-Match names what would be sent."}}
