"""API keys: ``ep_<id>_<secret>``, a random 256-bit secret of which only the SHA-256 is stored."""

import hashlib
import hmac
import re
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import ids
from core.catalog import revision
from core.db import now
from core.errors import NotFound, Unauthorized
from core.tables import ApiKey

_FORM = re.compile(r"ep_([0-9a-f]{32})_([A-Za-z0-9_-]{43,128})")


def parse(text: str) -> tuple[str, str]:
    """(key id, SHA-256 of the secret) of a key as the client sends it.

    Raises:
        Unauthorized: it does not look like a key.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise Unauthorized("this is not an API key; keys look like ep_<id>_<secret>")
    return f"key_{match[1]}", hashlib.sha256(match[2].encode()).hexdigest()


def create(session: Session, tenant: str, name: str, *, admin: bool) -> tuple[ApiKey, str]:
    """Make a key; returns its row and the key itself, which is shown this once."""
    secret = secrets.token_urlsafe(32)
    key_id = ids.new("key")
    row = _add(session, key_id, hashlib.sha256(secret.encode()).hexdigest(), tenant, name, admin)
    return row, f"ep_{key_id.removeprefix('key_')}_{secret}"


def _add(session: Session, key_id: str, digest: str, tenant: str, name: str, admin: bool) -> ApiKey:
    row = ApiKey(id=key_id, tenant=tenant, name=name, admin=admin, secret_sha256=digest, created_at=now(session))
    session.add(row)
    session.flush()
    revision.raise_(session)
    return row


def find(session: Session, key_id: str) -> ApiKey:
    """A key by its id, revoked or not.

    Raises:
        NotFound: no such key.
    """
    row = session.get(ApiKey, key_id)
    if row is None:
        raise NotFound(f"there is no key {key_id!r}")
    return row


def bootstrap(session: Session, text: str) -> None:
    """Make the key that an operator wrote into a secret file an admin key, unless it is known already.

    Raises:
        Unauthorized: the file does not hold a key.
    """
    key_id, digest = parse(text)
    if session.get(ApiKey, key_id) is None:
        _add(session, key_id, digest, "default", "bootstrap", True)


def check(row: ApiKey | None, digest: str) -> ApiKey:
    """The row, if it is a live key with this secret.

    Raises:
        Unauthorized: unknown, revoked, or another secret.
    """
    if row is None or not hmac.compare_digest(row.secret_sha256, digest) or row.revoked_at is not None:
        raise Unauthorized("this API key is not valid")
    return row


def revoke(session: Session, key_id: str) -> None:
    """End a key at once; revoking it again changes nothing.

    Raises:
        NotFound: no such key.
    """
    row = session.scalar(select(ApiKey).where(ApiKey.id == key_id).with_for_update())
    if row is None:
        raise NotFound(f"there is no key {key_id}")
    if row.revoked_at is None:
        row.revoked_at = now(session)
        revision.raise_(session)
