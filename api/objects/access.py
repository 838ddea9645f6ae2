"""Workers, keys, sessions and the service itself."""

from datetime import datetime
from typing import Any, Literal

from typing_extensions import TypedDict


class Worker(TypedDict):
    """A worker process; ``jobs`` are those of yours that it runs, ``busy`` its training slots in use."""

    object: Literal["worker"]
    id: str
    name: str
    host: str
    pid: int
    status: Literal["online", "stopping", "offline"]
    slots: int
    busy: int
    devices: list[dict[str, Any]]
    memory_bytes: int
    threads: int
    started_at: datetime
    seen_at: datetime
    versions: dict[str, Any]
    jobs: list[str]


class Key(TypedDict):
    """An API key, without its secret."""

    object: Literal["key"]
    id: str
    name: str
    tenant: str
    admin: bool
    created_at: datetime
    revoked_at: datetime | None


class NewKey(Key):
    """A key just made; ``secret`` is shown this once, and null when an Idempotency-Key gives the answer again."""

    secret: str | None


class Session(TypedDict):
    """Who the caller is."""

    object: Literal["session"]
    tenant: str
    admin: bool
    keys_required: bool


class Info(TypedDict):
    """The service itself."""

    object: Literal["info"]
    version: str
    started_at: datetime
