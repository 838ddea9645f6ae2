"""Aliases of a model: which version is in production, which was, and one call to go back."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import Field
from sqlalchemy import select

from api import express, objects
from api.answers import NOT_MODIFIED, documented, json, matches
from api.deps import Caller, DatabaseDep, ServiceDep
from api.once import IdempotencyKey, once
from api.paging import LINK, IdCursor, Limit, NameCursor, Page, page
from core.catalog import aliases, models
from core.errors import Invalid, NotFound
from core.specs import NAME_PATTERN, NO_NUL, Spec
from core.tables import AliasMove, ModelAlias

router = APIRouter(prefix="/v1/models/{name}/aliases", tags=["models"])
Reason = Annotated[str | None, Field(max_length=512, pattern=NO_NUL)]
IfMatch = Annotated[str | None, Header(description="The alias's ETag as you saw it; required when it exists.")]
ETAG = {"ETag": "Send it as If-Match to change the alias."}
ROLLBACK = "POST /v1/models/{name}/aliases/{alias}/rollback"


class Move(Spec):
    """Where an alias is to point, and why."""

    version: int = Field(ge=1, le=999_999_999)
    reason: Reason = None


class Rollback(Spec):
    """Why."""

    reason: Reason = None


def _tag(row: ModelAlias) -> str:
    return f'"r{row.revision}"'


def _answer(name: str, row: ModelAlias, status: int = 200) -> Response:
    return json(express.alias(name, row), status, {"ETag": _tag(row)})


def _expected(if_match: str | None, row: ModelAlias | None) -> int | None:
    """The revision that the caller saw; -1, which none has, for a tag that is not one of ours."""
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return row.revision if row is not None else -1
    match = re.fullmatch(r'\s*"r([0-9]{1,15})"\s*', if_match)
    return int(match[1]) if match else -1


@router.get("", responses=documented(Page[objects.Alias], "not_found", also=NOT_MODIFIED, headers=LINK))
def list_aliases(
    request: Request, name: str, caller: Caller, database: DatabaseDep, limit: Limit = 20, after: NameCursor = None
) -> Response:
    """The aliases of a model by name."""
    with database.reading() as session:
        model = models.find(session, caller.tenant, name)
        wanted = select(ModelAlias).where(ModelAlias.model_id == model.id).order_by(ModelAlias.alias).limit(limit + 1)
        if after is not None:
            wanted = wanted.where(ModelAlias.alias > after)
        rows = list(session.scalars(wanted))
    return page(request, [express.alias(name, row) for row in rows], limit, [row.alias for row in rows])


@router.get("/{alias}", responses=documented(objects.Alias, "not_found", also=NOT_MODIFIED, headers=ETAG))
def get_alias(request: Request, name: str, alias: str, caller: Caller, database: DatabaseDep) -> Response:
    """One alias; its ETag is what a change needs."""
    with database.reading() as session:
        row = aliases.find(session, caller.tenant, name, alias)
    if matches(request.headers.get("if-none-match"), _tag(row)):
        return Response(status_code=304, headers={"ETag": _tag(row)})
    return _answer(name, row)


@router.put(
    "/{alias}",
    responses=documented(
        objects.Alias,
        "not_found",
        "conflict",
        "precondition_failed",
        "precondition_required",
        also={201: {"model": objects.Alias, "description": "The alias is new."}},
        headers=ETAG,
    ),
)
def put_alias(
    name: str,
    alias: Annotated[str, Path(pattern=NAME_PATTERN)],
    body: Move,
    caller: Caller,
    service: ServiceDep,
    if_match: IfMatch = None,
) -> Response:
    """Point an alias at a version. An alias that exists is moved only with If-Match."""
    with service.database.transaction() as session:
        model = models.find(session, caller.tenant, name)
        expected = _expected(if_match, session.get(ModelAlias, (model.id, alias)))
        try:
            models.find_version(session, caller.tenant, name, body.version)
        except NotFound as error:
            raise Invalid(error.message, "#/version") from None
        row, created = aliases.move(
            session, caller.tenant, name, alias, body.version, by=caller.name, reason=body.reason, expected=expected
        )
    service.watch.look_soon()
    return _answer(name, row, 201 if created else 200)


@router.delete(
    "/{alias}",
    status_code=204,
    responses=documented(
        None,
        "not_found",
        "precondition_failed",
        "precondition_required",
        status=204,
        description="It is gone; its history stays.",
    ),
)
def delete_alias(name: str, alias: str, caller: Caller, service: ServiceDep, if_match: IfMatch = None) -> Response:
    """Remove an alias, with If-Match."""
    with service.database.transaction() as session:
        expected = _expected(if_match, aliases.find(session, caller.tenant, name, alias))
        aliases.remove(session, caller.tenant, name, alias, by=caller.name, expected=expected)
    service.watch.look_soon()
    return Response(status_code=204)


@router.get(
    "/{alias}/history", responses=documented(Page[objects.AliasMove], "not_found", also=NOT_MODIFIED, headers=LINK)
)
def list_moves(
    request: Request,
    name: str,
    alias: str,
    caller: Caller,
    database: DatabaseDep,
    limit: Limit = 20,
    after: IdCursor = None,
) -> Response:
    """Who moved an alias, when, from where to where and why; newest first. It outlives the alias."""
    with database.reading() as session:
        model = models.find(session, caller.tenant, name)
        moves = select(AliasMove).where(AliasMove.model_id == model.id, AliasMove.alias == alias)
        wanted = moves.order_by(AliasMove.id.desc()).limit(limit + 1)
        if after is not None:
            wanted = wanted.where(AliasMove.id < after)
        rows = list(session.scalars(wanted))
        if not rows and session.scalar(moves.limit(1)) is None:
            raise NotFound(f"model {name!r} never had an alias {alias!r}")
    return page(request, [express.alias_move(row) for row in rows], limit, [row.id for row in rows])


@router.post(
    "/{alias}/rollback",
    responses=documented(objects.Alias, "not_found", "conflict", "idempotency_mismatch", headers=ETAG),
)
def roll_back(
    name: str,
    alias: str,
    caller: Caller,
    service: ServiceDep,
    body: Rollback | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Point an alias back at the version that it named before its last move. A second call would undo the first."""
    reason = body.reason if body else None
    with service.database.transaction() as session:

        def make() -> str:
            aliases.rollback(session, caller.tenant, name, alias, by=caller.name, reason=reason)
            return f"/v1/models/{name}/aliases/{alias}"

        once(session, caller.tenant, ROLLBACK, idempotency_key, [name, alias, reason], make, 200)
        row = aliases.find(session, caller.tenant, name, alias)
    service.watch.look_soon()
    return _answer(name, row)
