"""Datasets: immutable versions of named sets of samples, whose bytes are one blob."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from core import blobs, ids
from core.db import Database, now
from core.errors import NotFound
from core.tables import Dataset


@dataclass(frozen=True)
class NewDataset:
    """A dataset whose blob is stored already."""

    name: str
    kind: Literal["image", "series"]
    shape: list[int]
    dtype: str
    classes: list[str]
    splits: dict[str, int]
    source: str
    size: int
    sha256: str


def visible(tenant: str) -> ColumnElement[bool]:
    """The datasets that a tenant sees: its own and the built-in ones."""
    return or_(Dataset.tenant == tenant, Dataset.tenant.is_(None))


def find(session: Session, tenant: str, reference: str) -> Dataset:
    """The dataset that ``name`` (its newest version), ``name@version`` or ``ds_...`` means to a tenant.

    A tenant's own dataset wins over a built-in one of the same name.

    Raises:
        NotFound: nothing of that name.
    """
    statement = select(Dataset).where(visible(tenant))
    if re.fullmatch(r"ds_[0-9a-f]{32}", reference):
        statement = statement.where(Dataset.id == reference)
    else:
        name, _, version = reference.partition("@")
        statement = statement.where(Dataset.name == name)
        if version:
            if not re.fullmatch(r"[1-9][0-9]{0,8}", version):
                raise NotFound(f"there is no dataset {reference!r}: a version is a number, as in {name}@1")
            statement = statement.where(Dataset.version == int(version))
    own_first = (Dataset.tenant.is_(None), Dataset.version.desc())
    found = session.scalar(statement.order_by(*own_first).limit(1))
    if found is None:
        raise NotFound(f"there is no dataset {reference!r}; GET /v1/datasets lists those there are")
    return found


def add(session: Session, tenant: str | None, new: NewDataset) -> Dataset:
    """Register the next version of a dataset (equal bytes under the same name are the same version)."""
    blobs.touch(session, new.sha256)
    same_name = (Dataset.tenant == tenant if tenant else Dataset.tenant.is_(None), Dataset.name == new.name)
    present = session.scalar(select(Dataset).where(*same_name, Dataset.sha256 == new.sha256))
    if present is not None:
        return present
    newest = session.scalar(select(func.max(Dataset.version)).where(*same_name)) or 0
    values: dict[str, Any] = dict(vars(new))
    dataset = Dataset(id=ids.new("ds"), tenant=tenant, version=newest + 1, created_at=now(session), **values)
    session.add(dataset)
    session.flush()
    return dataset


def add_built_in(database: Database) -> None:
    """Write the built-in datasets into the database, unless they are there."""
    from safetensors.numpy import load  # heavy, and only needed here

    from core.encode import digits

    with database.reading() as session:
        present = set(session.scalars(select(Dataset.name).where(Dataset.tenant.is_(None))))
    for name, manifest in digits.MANIFESTS.items():
        if name in present:
            continue
        packed = digits.build(name)
        sha256, size = blobs.write(database, [packed])
        tensors = load(packed)
        splits = {split: len(tensors[f"{split}.targets"]) for split in ("train", "test")}
        with database.transaction() as session:
            add(session, None, NewDataset(name=name, splits=splits, size=size, sha256=sha256, **manifest))
