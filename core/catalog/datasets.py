"""Datasets: immutable versions of named sets of samples, whose bytes are one blob."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session

from core import blobs, ids
from core.db import Database, now
from core.errors import Conflict, Invalid, NotFound
from core.specs import Task
from core.tables import Dataset, Job, ModelVersion


@dataclass(frozen=True)
class NewDataset:
    """A dataset whose blob is stored already."""

    name: str
    kind: Literal["image", "series", "text", "audio", "corpus"]
    shape: list[int]
    dtype: str
    classes: list[str]
    splits: dict[str, int]
    source: str
    size: int
    sha256: str
    lengths: list[int] | None = None
    rate: int | None = None
    task: Task = "classification"
    columns: list[str] | None = None
    targets: list[str] | None = None
    findings: dict[str, Any] | None = None


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
    _lock_name(session, tenant, new.name)
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


def _lock_name(session: Session, tenant: str | None, name: str) -> None:
    """Let two ingests of one name number their versions one after the other; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(f"dataset {tenant} {name}".encode()).digest()[:7])
        session.execute(select(func.pg_advisory_xact_lock(number)))


def delete(session: Session, tenant: str, reference: str) -> str:
    """Delete one version that nothing was made from; the hash of the blob that may now be freed.

    Raises:
        Invalid: the reference does not say which version.
        Conflict: it is built in, or jobs or model versions were made from it.
    """
    if "@" not in reference and not reference.startswith("ds_"):
        raise Invalid(f"say which version to delete, as in {reference}@1", "#/path/dataset")
    dataset = find(session, tenant, reference)
    name = f"{dataset.name}@{dataset.version}"
    if dataset.tenant is None:
        raise Conflict(f"dataset {name} is built in and stays")
    if session.scalar(select(exists().where(Job.dataset_id == dataset.id, Job.kind != "ingest"))):
        raise Conflict(f"jobs were run on dataset {name}; delete them first")
    if session.scalar(select(exists().where(ModelVersion.dataset_id == dataset.id))):
        raise Conflict(f"model versions were trained on dataset {name}; it stays as long as they do")
    session.delete(dataset)
    return dataset.sha256


def add_built_in(database: Database) -> None:
    """Write the built-in datasets into the database, unless they are there."""
    from core.encode import digits, languages  # heavy, and only needed here

    builders = {name: partial(digits.build, name) for name in digits.MANIFESTS} | {"languages": languages.build}
    with database.reading() as session:
        present = set(session.scalars(select(Dataset.name).where(Dataset.tenant.is_(None))))
    for name, build in builders.items():
        if name in present:
            continue
        packed = build()
        header = json.loads(packed[8 : 8 + int.from_bytes(packed[:8], "little")])  # of a safetensors file
        manifest = json.loads(header["__metadata__"]["manifest"])
        splits = {split: header[f"{split}.targets"]["shape"][0] for split in ("train", "test")}
        sha256, size = blobs.write(database, [packed])
        with database.transaction() as session:
            add(session, None, NewDataset(name=name, splits=splits, size=size, sha256=sha256, **manifest))
