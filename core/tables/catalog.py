"""Datasets, models, their versions and aliases."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.tables.base import DATASET_KINDS, TASKS, Base, Id, Sha256, one_of


class Dataset(Base):
    """One immutable version of a named set of samples. ``tenant`` null: built in, visible to all."""

    __tablename__ = "datasets"
    __table_args__ = (
        UniqueConstraint("tenant", "name", "version"),
        Index(  # a unique constraint does not compare nulls
            "uq_datasets_built_in",
            "name",
            "version",
            unique=True,
            sqlite_where=text("tenant IS NULL"),
            postgresql_where=text("tenant IS NULL"),
        ),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint(one_of("kind", DATASET_KINDS), name="kind"),
        CheckConstraint(one_of("task", TASKS), name="task"),
        CheckConstraint("size >= 1 AND rate >= 1", name="sizes"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64), index=True)
    version: Mapped[int]
    kind: Mapped[Literal["image", "series", "text", "audio", "corpus"]] = mapped_column(String(16))
    task: Mapped[Literal["classification", "regression", "forecast", "language"]] = mapped_column(
        String(16), server_default="classification"
    )
    shape: Mapped[list[Any]]
    lengths: Mapped[list[Any] | None]
    """[shortest, longest], in steps, characters or samples of the signal; null: all samples have ``shape``."""
    rate: Mapped[int | None]
    """Of recordings, in Hz."""
    dtype: Mapped[str] = mapped_column(String(16))
    classes: Mapped[list[Any]]
    """Empty where the task is not classification."""
    columns: Mapped[list[Any] | None]
    """Of a forecast's table, in order; null for all else."""
    targets: Mapped[list[Any] | None]
    """Names of the numbers that are foretold (regression, forecast); null for all else."""
    splits: Mapped[dict[str, Any]]
    source: Mapped[str] = mapped_column(String(512))
    findings: Mapped[dict[str, Any] | None]
    """What the ingest saw; null for what is built in."""
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(Sha256, ForeignKey("blobs.sha256"), index=True)
    created_at: Mapped[datetime]


class Model(Base):
    """A registered name."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("tenant", "name"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class ModelVersion(Base):
    """One immutable version of a model. Not ready means: no export passed its parity check, ``reason`` says why."""

    __tablename__ = "model_versions"
    __table_args__ = (
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint(
            "ready AND onnx_sha256 IS NOT NULL AND reason IS NULL OR NOT ready AND reason IS NOT NULL", name="ready"
        ),
        CheckConstraint("checkpoint_step >= 0 AND parameters >= 0", name="sizes"),
    )
    model_id: Mapped[str] = mapped_column(Id, ForeignKey("models.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str | None] = mapped_column(Id, ForeignKey("jobs.id", ondelete="SET NULL"), index=True)
    dataset_id: Mapped[str] = mapped_column(Id, ForeignKey("datasets.id"))
    checkpoint_step: Mapped[int]
    weights_sha256: Mapped[str] = mapped_column(Sha256, ForeignKey("blobs.sha256"), index=True)
    onnx_sha256: Mapped[str | None] = mapped_column(Sha256, ForeignKey("blobs.sha256"), index=True)
    ready: Mapped[bool]
    reason: Mapped[str | None]
    parameters: Mapped[int]
    preprocessing: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]
    spec: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class ModelAlias(Base):
    """A movable name for one version, e.g. ``production``. ``revision`` grows with every move (ETag)."""

    __tablename__ = "model_aliases"
    __table_args__ = (
        ForeignKeyConstraint(["model_id", "version"], ["model_versions.model_id", "model_versions.version"]),
        CheckConstraint("revision >= 1", name="revision"),
    )
    model_id: Mapped[str] = mapped_column(Id, primary_key=True)
    alias: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int]
    revision: Mapped[int]
    updated_at: Mapped[datetime]


class AliasMove(Base):
    """Who moved an alias, when, from where to where, and why."""

    __tablename__ = "alias_moves"
    __table_args__ = (
        CheckConstraint("from_version >= 1 AND to_version >= 1", name="versions"),
        Index("ix_alias_moves_alias", "model_id", "alias", "id"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    model_id: Mapped[str] = mapped_column(Id, ForeignKey("models.id"))
    alias: Mapped[str] = mapped_column(String(64))
    from_version: Mapped[int | None]
    to_version: Mapped[int | None]
    moved_by: Mapped[str] = mapped_column(String(128))
    reason: Mapped[str | None] = mapped_column(String(512))
    moved_at: Mapped[datetime]


class CatalogRevision(Base):
    """One row, raised by every change of a key, alias or version; API processes watch it."""

    __tablename__ = "catalog_revision"
    __table_args__ = (CheckConstraint("id = 1", name="single"), CheckConstraint("revision >= 1", name="revision"))
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int]
