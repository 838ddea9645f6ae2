"""Requests that are done once for each Idempotency-Key, however often they are sent."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated

from fastapi import Header
from sqlalchemy.orm import Session

from core import idempotency

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[!-~]{1,255}$",
        description="The same key and body within 24 hours give the first answer again, and nothing is done twice.",
    ),
]


def once(
    session: Session, tenant: str, route: str, key: str | None, asked: object, make: Callable[[], str], status: int
) -> tuple[str, bool]:
    """The address of what ``make`` made, now or when the key was new, and whether it was now.

    ``asked`` is what was asked for, as JSON. What ``make`` raises must undo the transaction, and with it the key.

    Raises:
        IdempotencyMismatch: the key was used for another request.
    """
    if key is None:
        return make(), True
    stored = idempotency.begin(session, tenant, route, key, digest(asked))
    if stored is not None:
        return str(stored.location), False
    address = make()
    idempotency.finish(session, tenant, route, key, status, address)
    return address, True


def digest(asked: object) -> str:
    """SHA-256 of the canonical JSON: sorted keys, no spaces."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
