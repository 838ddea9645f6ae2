"""Idempotent creates: the same key and body replay the first answer instead of making a second thing.

After the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header-07).
"""

from datetime import timedelta

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.db import now
from core.errors import IdempotencyMismatch
from core.tables import IdempotentRequest

KEPT_FOR = timedelta(hours=24)


def begin(session: Session, tenant: str, route: str, key: str, request_sha256: str) -> IdempotentRequest | None:
    """Reserve a key in this transaction; the stored answer when it was used before.

    A second request with the same key waits here for the first one's transaction (PostgreSQL: on the unique index).

    Raises:
        IdempotencyMismatch: the key was used for another request.
    """
    at = now(session)
    session.execute(delete(IdempotentRequest).where(IdempotentRequest.created_at < at - KEPT_FOR))
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    row = {"tenant": tenant, "route": route, "key": key, "request_sha256": request_sha256, "created_at": at}
    made = insert(IdempotentRequest).values(row).on_conflict_do_nothing().returning(IdempotentRequest.key)
    if session.scalar(made) is not None:  # not rowcount, which psycopg leaves open here
        return None
    stored = session.get(IdempotentRequest, (tenant, route, key), populate_existing=True)
    assert stored is not None
    if stored.request_sha256 != request_sha256:
        raise IdempotencyMismatch("this Idempotency-Key was used for another request; use a new key for a new one")
    return stored


def release(session: Session, tenant: str, route: str, key: str) -> None:
    """Give a key back that this transaction reserved: its request was refused."""
    mine = (IdempotentRequest.tenant == tenant, IdempotentRequest.route == route, IdempotentRequest.key == key)
    session.execute(delete(IdempotentRequest).where(*mine))


def finish(session: Session, tenant: str, route: str, key: str, status: int, location: str) -> None:
    """Store the answer to replay, in the transaction that made the thing."""
    mine = (IdempotentRequest.tenant == tenant, IdempotentRequest.route == route, IdempotentRequest.key == key)
    session.execute(update(IdempotentRequest).where(*mine).values(status=status, location=location))
