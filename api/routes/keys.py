"""API keys, for administrators; and the dashboard's session, which keeps a key in a cookie that scripts cannot read."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field, StringConstraints
from sqlalchemy import select

from api import express, objects
from api.answers import NOT_MODIFIED, documented, json
from api.auth import COOKIE, same_origin
from api.deps import Admin, Caller, DatabaseDep, ServiceDep
from api.once import IdempotencyKey, once
from api.paging import LINK, IdCursor, Limit, Page, page
from core.catalog import keys
from core.errors import Conflict
from core.specs import NO_NUL, Name, Spec
from core.tables import ApiKey

router = APIRouter(prefix="/v1", tags=["keys"])
CREATE = "POST /v1/keys"


class KeyRequest(Spec):
    """What a new key is called, whose things it opens, and whether it administers the service."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_NUL)]
    tenant: Name = "default"
    admin: bool = False


class SessionRequest(Spec):
    """The key to keep in the cookie."""

    key: Annotated[str, Field(max_length=256)]


@router.get("/keys", responses=documented(Page[objects.Key], also=NOT_MODIFIED, headers=LINK))
def list_keys(
    request: Request, admin: Admin, database: DatabaseDep, limit: Limit = 20, after: IdCursor = None
) -> Response:
    """All keys, newest first, revoked ones too; without their secrets."""
    wanted = select(ApiKey).order_by(ApiKey.id.desc()).limit(limit + 1)
    if after is not None:
        wanted = wanted.where(ApiKey.id < after)
    with database.reading() as session:
        rows = list(session.scalars(wanted))
    return page(request, [express.key(row) for row in rows], limit, [row.id for row in rows])


@router.post(
    "/keys",
    status_code=201,
    responses=documented(
        objects.NewKey, "idempotency_mismatch", status=201, headers={"Location": "Where the key is revoked."}
    ),
)
def create_key(body: KeyRequest, admin: Admin, service: ServiceDep, idempotency_key: IdempotencyKey = None) -> Response:
    """Make a key. Its secret is in this answer and nowhere else: it is not stored, so no repetition has it again."""
    secret: str | None = None
    with service.database.transaction() as session:

        def make() -> str:
            nonlocal secret
            row, secret = keys.create(session, body.tenant, body.name, admin=body.admin)
            return f"/v1/keys/{row.id}"

        asked = body.model_dump(mode="json")
        location, _ = once(session, admin.tenant, CREATE, idempotency_key, asked, make, 201)
        row = keys.find(session, location.rpartition("/")[2])
    service.watch.look_soon()
    return json({**express.key(row), "secret": secret}, 201, {"Location": location})


@router.delete("/keys/{key_id}", status_code=204, responses=documented(None, "not_found", "conflict", status=204))
def revoke_key(key_id: str, admin: Admin, service: ServiceDep) -> Response:
    """End a key at once, everywhere within 250 ms. Not the key that asks, so that nobody is locked out."""
    if key_id == admin.key_id:
        raise Conflict("this is the key you are using; revoke it with another administrator's key")
    with service.database.transaction() as session:
        keys.revoke(session, key_id)
    service.watch.look_soon()
    return Response(status_code=204)


@router.get("/session", responses=documented(objects.Session))
async def get_session(caller: Caller, service: ServiceDep) -> Response:
    """Who you are here."""
    required = service.access.keys_required
    return json({"object": "session", "tenant": caller.tenant, "admin": caller.admin, "keys_required": required})


@router.post("/session", status_code=204, responses=documented(None, "unauthorized", status=204))
async def create_session(body: SessionRequest, request: Request, service: ServiceDep) -> Response:
    """Keep a key in an HttpOnly cookie, for pages that cannot send an Authorization header."""
    same_origin(request.headers)
    service.access.of_key(body.key)
    response = Response(status_code=204)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, body.key.strip(), httponly=True, secure=secure, samesite="strict")
    return response


@router.delete("/session", status_code=204, responses=documented(None, status=204))
async def delete_session(request: Request) -> Response:
    """Forget the cookie."""
    same_origin(request.headers)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
