"""Every error as problem+json (RFC 9457): the one place where an error code becomes an HTTP status.

On ``/v2`` they are what the Open Inference Protocol says, ``{"error": "..."}``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import Scope

from api.pointers import describe
from core import errors, log
from core.db import disk_is_full

STATUS: dict[str, tuple[int, str]] = {
    "invalid_request": (422, "The request is not valid"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "The method is not allowed here"),
    "conflict": (409, "The state of things does not allow this"),
    "idempotency_mismatch": (422, "The Idempotency-Key was used for another request"),
    "unauthorized": (401, "A valid API key is needed"),
    "forbidden": (403, "You may not do this"),
    "precondition_failed": (412, "It changed meanwhile"),
    "precondition_required": (428, "This change needs If-Match"),
    "payload_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The media type is not supported"),
    "range_not_satisfiable": (416, "The range lies outside the file"),
    "overloaded": (503, "Too many requests are under way"),
    "unavailable": (503, "The service is not available now"),
    "disk_full": (503, "The disk of the database is full"),
    "internal": (500, "Something went wrong on our side"),
}
OF_STATUS = {400: "invalid_request", 404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}
"""The codes of the errors that the framework raises by status."""
MEDIA_TYPE = "application/problem+json"
FULL = "the database's disk is full: nothing can be stored until there is room again; what is stored can be read"
#: The database cannot be reached, is locked for longer than the wait, or all connections are taken.
AWAY = (OperationalError, InterfaceError, PoolTimeout)


def problem(
    scope: Scope,
    code: str,
    detail: str,
    found: Iterable[tuple[str, str]] = (),
    headers: dict[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """The answer for an error; ``found`` are (JSON pointer, sentence) pairs, ``more`` are further members."""
    status, title = STATUS[code]
    body: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": scope["path"],
        "code": code,
        "errors": [{"pointer": pointer, "detail": sentence} for pointer, sentence in found],
        "request_id": scope["state"]["request_id"],
        **(more or {}),
    }
    media = MEDIA_TYPE
    if is_protocol(scope["path"]):
        status, body, media = protocol_status(status), {"error": detail}, "application/json"
    extra = {"Cache-Control": "no-store", **(headers or {})}
    if status == 401:
        extra["WWW-Authenticate"] = "Bearer"
    if status == 503:
        extra.setdefault("Retry-After", "1")
    return Response(msgspec.json.encode(body), status, extra, media)


def is_protocol(path: str) -> bool:
    """Whether a path (or a route's template) belongs to the Open Inference Protocol."""
    return path == "/v2" or path.startswith("/v2/")


def protocol_status(status: int) -> int:
    """The status of an error there: what cannot be right is a 400."""
    return 400 if status == 422 else status


def answer(scope: Scope, error: Exception) -> Response:
    """The answer for any error that a request may meet; what is nobody's fault but ours is logged by the caller."""
    if isinstance(error, errors.Overloaded):
        return problem(scope, error.code, error.message, headers={"Retry-After": str(error.retry_after)})
    if isinstance(error, errors.Invalid):
        return problem(scope, error.code, error.message, error.errors)
    if isinstance(error, errors.EpochdError):
        return problem(scope, error.code, error.message)
    if disk_is_full(error):
        log.get(__name__).error("disk_full", path=scope["path"])
        return problem(scope, "disk_full", FULL)
    if isinstance(error, AWAY):
        log.get(__name__).warning("database_away", path=scope["path"], error=str(error).splitlines()[0])
        return problem(scope, "unavailable", "the database cannot be reached now; try again soon")
    if isinstance(error, IntegrityError) and _is_race(error):
        return problem(scope, "conflict", "somebody changed the same thing at the same time; look again and try again")
    if isinstance(error, IntegrityError):
        log.get(__name__).error("constraint_violated", path=scope["path"], exc_info=error)
    if isinstance(error, RequestValidationError):
        found = describe(error)
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        pointer, sentence = found[0]
        return problem(scope, "invalid_request", f"{pointer}: {sentence}{more}", found)
    if isinstance(error, HTTPException):
        return _of_framework(scope, error)
    return problem(scope, "internal", "the error was logged with this request_id; please report it")


def _is_race(error: IntegrityError) -> bool:
    """Whether somebody was faster: a key is taken, or the row it points at is gone. All else is a fault of ours."""
    names = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_FOREIGNKEY")
    states = ("23505", "23503")  # unique_violation, foreign_key_violation
    return getattr(error.orig, "sqlite_errorname", "") in names or getattr(error.orig, "sqlstate", "") in states


def _of_framework(scope: Scope, error: HTTPException) -> Response:
    code = OF_STATUS.get(error.status_code, "internal")
    method, path = scope["method"], scope["path"]
    if code == "method_not_allowed":
        allowed = ", ".join(sorted(scope["app"].state.allowed(path))) or (error.headers or {}).get("Allow", "")
        detail = f"{path} answers {allowed}, not {method}"
        return problem(scope, code, detail, headers={"Allow": allowed})
    if code == "not_found":
        return problem(scope, code, f"there is nothing at {path}; /docs lists what there is")
    if code == "invalid_request":
        return problem(scope, code, "the body is not JSON that can be read", [("#", "send a JSON object")])
    return problem(scope, code, str(error.detail), headers=dict(error.headers or {}))


def install(app: FastAPI) -> None:
    """Make every error of an app's routes a problem."""

    async def handle(request: Request, error: Exception) -> Response:
        return answer(request.scope, error)

    for kind in (errors.EpochdError, RequestValidationError, HTTPException, IntegrityError, *AWAY, Exception):
        app.add_exception_handler(kind, handle)


def allowed_methods(paths: dict[str, list[str]]) -> Callable[[str], frozenset[str]]:
    """A function from a request's path to the methods that it answers; ``paths`` are templates and their methods."""
    patterns = []
    for path, methods in paths.items():
        literal = re.sub(r"\{[a-z_]+\}", "", path)
        pattern = re.compile("^" + re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(path)) + "$")
        patterns.append((len(literal), pattern, frozenset(methods)))
    patterns.sort(key=lambda one: -one[0])  # the most particular first

    def allowed(path: str) -> frozenset[str]:
        return next((methods for _, pattern, methods in patterns if pattern.match(path)), frozenset())

    return allowed
