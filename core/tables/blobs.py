"""Bytes in the database."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    LargeBinary,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.tables.base import Base, Id, Sha256, one_of


class Blob(Base):
    """Bytes, addressed by SHA-256 once published. ``sha256`` is null while chunks are still being written or freed."""

    __tablename__ = "blobs"
    __table_args__ = (CheckConstraint("size >= 0 AND stored_size >= 0", name="sizes"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    sha256: Mapped[str | None] = mapped_column(Sha256, unique=True)
    size: Mapped[int] = mapped_column(default=0)
    stored_size: Mapped[int] = mapped_column(default=0)
    touched_at: Mapped[datetime]


class BlobChunk(Base):
    """One MiB of a blob, zlib-compressed where that saves a tenth."""

    __tablename__ = "blob_chunks"
    __table_args__ = (CheckConstraint(one_of("codec", ("raw", "zlib")), name="codec"),)
    blob_id: Mapped[str] = mapped_column(Id, ForeignKey("blobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    codec: Mapped[str] = mapped_column(String(4))
    data: Mapped[bytes] = mapped_column(LargeBinary)
