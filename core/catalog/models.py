"""Models: a registered name, its immutable versions, and the aliases that say which version serves."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import blobs, ids
from core.catalog import revision
from core.db import now
from core.errors import NotFound
from core.tables import Model, ModelAlias, ModelVersion

PRODUCTION = "production"
REFERENCE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]{0,63})(?:@(?P<alias>[a-z0-9][a-z0-9._-]{0,63})|:(?P<version>[1-9][0-9]{0,8}))?"
)


@dataclass(frozen=True)
class NewVersion:
    """A version whose blobs are stored already. ``onnx_sha256`` null: not ready, for ``reason``.

    ``job_id`` is the training that made its checkpoint; null when that was deleted.
    """

    job_id: str | None
    dataset_id: str
    checkpoint_step: int
    weights_sha256: str
    onnx_sha256: str | None
    reason: str | None
    parameters: int
    preprocessing: dict[str, Any]
    metrics: dict[str, Any]
    spec: dict[str, Any]


def find(session: Session, tenant: str, name: str) -> Model:
    """A tenant's model by name.

    Raises:
        NotFound: no such model.
    """
    model = session.scalar(select(Model).where(Model.tenant == tenant, Model.name == name))
    if model is None:
        raise NotFound(f"there is no model {name!r}; a job that names it as its model makes it")
    return model


def add_version(session: Session, tenant: str, name: str, new: NewVersion) -> ModelVersion:
    """Add the next version of a model, and the model itself when the name is new."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    row = {"id": ids.new("model"), "tenant": tenant, "name": name, "created_at": now(session)}
    session.execute(insert(Model).values(row).on_conflict_do_nothing())
    model = session.scalars(select(Model).where(Model.tenant == tenant, Model.name == name).with_for_update()).one()
    for sha256 in (new.weights_sha256, new.onnx_sha256):
        if sha256:
            blobs.touch(session, sha256)
    newest = session.scalar(select(func.max(ModelVersion.version)).where(ModelVersion.model_id == model.id)) or 0
    version = ModelVersion(
        model_id=model.id,
        version=newest + 1,
        ready=new.onnx_sha256 is not None,
        created_at=now(session),
        **vars(new),
    )
    session.add(version)
    session.flush()
    revision.raise_(session)
    return version


def find_version(session: Session, tenant: str, name: str, number: int) -> ModelVersion:
    """One version of a tenant's model.

    Raises:
        NotFound: no such model or version.
    """
    version = session.get(ModelVersion, (find(session, tenant, name).id, number))
    if version is None:
        raise NotFound(f"model {name!r} has no version {number}")
    return version


def serving(session: Session, tenant: str, name: str, alias: str | None = None) -> ModelVersion:
    """The version that a name means: that of the alias, else of ``production`` if set, else the newest ready one.

    Raises:
        NotFound: no such model or alias, or no version is ready yet.
    """
    model = find(session, tenant, name)
    row = session.get(ModelAlias, (model.id, alias or PRODUCTION))
    if row is None and alias is not None:
        raise NotFound(f"model {name!r} has no alias {alias!r}")
    ready = select(ModelVersion).where(ModelVersion.model_id == model.id)
    if row is not None:
        ready = ready.where(ModelVersion.version == row.version)
    else:
        ready = ready.where(ModelVersion.ready).order_by(ModelVersion.version.desc()).limit(1)
    version = session.scalar(ready)
    if version is None:
        raise NotFound(f"model {name!r} has no version that is ready for predictions")
    return version


def refer(session: Session, tenant: str, reference: str) -> tuple[str, ModelVersion]:
    """The model's name and the version that ``name``, ``name@alias`` or ``name:version`` means now.

    Raises:
        NotFound: it means nothing.
    """
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise NotFound(f"{reference!r} is not a model: write name, name@alias or name:version")
    name = match["name"]
    if match["version"]:
        return name, find_version(session, tenant, name, int(match["version"]))
    return name, serving(session, tenant, name, match["alias"])
