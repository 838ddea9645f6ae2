"""Where in a request an error lies: pydantic's locations as JSON pointers (RFC 6901), its messages as sentences."""

from collections.abc import Iterable
from typing import Any

from fastapi.exceptions import RequestValidationError

from core.errors import Invalid


def describe(error: RequestValidationError) -> list[tuple[str, str]]:
    """(pointer, sentence) of each error. A parameter that is not in the body is ``#/query/limit`` and the like."""
    found = []
    for one in error.errors():
        place, *path = one["loc"]
        if place == "body":
            kept = _navigable(error.body, path, one["type"])
        else:
            kept = [place, *path[:1]]
        found.append(("#" + "".join(f"/{_escape(part)}" for part in kept), _sentence(one, kept)))
    return found


def unknown_parameter(name: str, known: Iterable[str]) -> Invalid:
    """The error for a parameter of the query that is not one of those that are known."""
    there_are = f"there are {', '.join(names)}" if (names := sorted(known)) else "take it out"
    return Invalid(f"there is no parameter {name[:64]!r} here; {there_are}", f"#/query/{_escape(name[:64])}")


def _navigable(body: Any, path: list[str | int], kind: str) -> list[str | int]:
    """The parts of a location that lead through the body; pydantic also names the members of unions it tried."""
    if kind == "json_invalid":
        return []
    kept: list[str | int] = []
    value = body
    for position, part in enumerate(path):
        last = position == len(path) - 1
        if isinstance(value, dict) and part in value and isinstance(part, str):
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif not (last and kind == "missing"):
            continue
        kept.append(part)
    return kept


def _escape(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _sentence(one: dict[str, Any], kept: list[str | int]) -> str:
    kind, message = one["type"], str(one["msg"])
    if kind == "extra_forbidden":
        return f"there is no field {kept[-1] if kept else ''!r} here; take it out or correct its spelling"
    if not kept and kind in ("missing", "model_attributes_type"):
        return "send a JSON object, with Content-Type: application/json"
    if kind == "missing":
        return "this is required and missing; add it"
    if kind == "json_invalid":
        return f"the body is not JSON: {one['ctx']['error']} at byte {one['loc'][-1]}"
    if kind == "union_tag_invalid":
        return f"{one['ctx']['discriminator']} must be one of {one['ctx']['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"{one['ctx']['discriminator']} is required here and missing; add it"
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
