"""Workers, keys and the service itself."""

from typing import Any, Literal, TypedDict


class Worker(TypedDict):
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
    started_at: str
    seen_at: str
    versions: dict[str, str]
    jobs: list[str]


class Key(TypedDict):
    object: Literal["key"]
    id: str
    name: str
    tenant: str
    admin: bool
    created_at: str
    revoked_at: str | None


class NewKey(Key):
    """A key as it is shown once, when made."""

    secret: str


class Info(TypedDict):
    object: Literal["info"]
    version: str
    started_at: str
