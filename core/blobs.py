"""Bytes in the database: content-addressed, in chunks of 1 MiB, each written in a transaction of its own.

Small transactions keep other writers waiting for milliseconds only, however large the blob. A blob becomes visible in
one guarded statement; what was never published, or is no longer pointed at, is swept after an hour.
"""

import contextlib
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Column, case, delete, exists, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import ids
from core.db import Database, now
from core.errors import NotFound
from core.tables import Base, Blob, BlobChunk

CHUNK_BYTES = 1024 * 1024
ORPHAN_AGE = timedelta(hours=1)
WORTH = 0.9
PROBES, PROBE_BYTES = 4, 4096


def write(database: Database, pieces: Iterable[bytes], *, compress: bool = True) -> tuple[str, int]:
    """Store a stream of bytes; returns its SHA-256 (hex) and its size in bytes.

    ``compress``: whether to try. Weights and moments hardly get smaller, and the time is taken from a training.
    The caller must point a row at the blob within the hour, in a transaction that calls :func:`touch`. A write that
    fails leaves nothing behind, or a full disk would stay full for an hour.
    """
    writer = Writer(database, compress=compress)
    try:
        for piece in pieces:
            writer.write(piece)
        return writer.publish()
    except BaseException:
        with contextlib.suppress(SQLAlchemyError):  # then the sweep does it
            writer.abandon()
        raise


class Writer:
    """A blob in the making, for bytes that arrive in pieces. End it with :meth:`publish` or :meth:`abandon`.

    One that is left without either is swept after an hour.
    """

    def __init__(self, database: Database, *, compress: bool = True) -> None:
        self.size = 0
        self._database, self._id, self._compress = database, ids.new("blob"), compress
        self._buffer = bytearray()
        self._digest, self._number, self._stored = hashlib.sha256(), 0, 0

    def write(self, piece: bytes) -> None:
        """Add bytes; every full MiB is stored at once."""
        self.size += len(piece)
        self._buffer += piece
        while len(self._buffer) >= CHUNK_BYTES:
            self._store(bytes(self._buffer[:CHUNK_BYTES]))
            del self._buffer[:CHUNK_BYTES]

    def publish(self) -> tuple[str, int]:
        """Make it visible; its SHA-256 (hex) and its size. See :func:`write` for what the caller owes."""
        packed = self._take(bytes(self._buffer)) if self._buffer or not self._number else None
        sha256 = self._digest.hexdigest()
        with self._database.transaction() as session:
            # Equal bytes may lie there because of another job that frees them before our caller points at them: reserve
            known = _lock(session, sha256, ORPHAN_AGE) is not None
            if not known:
                if packed is not None:
                    self._insert(session, packed)
                values = {"sha256": sha256, "size": self.size, "stored_size": self._stored, "touched_at": now(session)}
                session.execute(update(Blob).where(Blob.id == self._id).values(values))
        if known and self._number:
            _erase(self._database, self._id)
        return sha256, self.size

    def abandon(self) -> None:
        """Delete what was stored; what was published after all (only the answer was lost) stays for the sweep."""
        with self._database.reading() as session:
            published = session.scalar(select(Blob.sha256).where(Blob.id == self._id))
        if published is None:
            _erase(self._database, self._id)

    def _store(self, chunk: bytes) -> None:
        packed = self._take(chunk)
        with self._database.transaction() as session:
            self._insert(session, packed)

    def _take(self, chunk: bytes) -> tuple[str, bytes]:
        """The chunk's codec and what is stored of it: before a transaction begins, since others wait for its end."""
        self._digest.update(chunk)
        return _pack(chunk) if self._compress else ("raw", chunk)

    def _insert(self, session: Session, packed: tuple[str, bytes]) -> None:
        codec, data = packed
        if self._number:
            session.execute(update(Blob).where(Blob.id == self._id).values(touched_at=now(session)))
        else:
            session.add(Blob(id=self._id, touched_at=now(session)))
            session.flush()
        session.add(BlobChunk(blob_id=self._id, number=self._number, codec=codec, data=data))
        session.flush()
        self._number, self._stored = self._number + 1, self._stored + len(data)


def probe(database: Database) -> None:
    """Store a chunk and take it back: whether the disk has room. What a write raises says that it has not."""
    writer = Writer(database)
    try:
        writer.write(os.urandom(CHUNK_BYTES))
    finally:
        writer.abandon()
    database.met_full_disk = False


def write_file(database: Database, path: Path, *, compress: bool = True) -> tuple[str, int]:
    """Store a file; see :func:`write`."""
    with path.open("rb") as file:
        return write(database, iter(lambda: file.read(CHUNK_BYTES), b""), compress=compress)


def _pack(chunk: bytes) -> tuple[str, bytes]:
    """Compressed where that saves a tenth. A few pages tell whether to try, since trying is slow."""
    places = range(0, len(chunk), max(1, len(chunk) // PROBES))
    probe = b"".join(chunk[place : place + PROBE_BYTES] for place in places)
    if len(zlib.compress(probe, 1)) < WORTH * len(probe):
        packed = zlib.compress(chunk, 1)
        if len(packed) < WORTH * len(chunk):
            return "zlib", packed
    return "raw", chunk


def _lock(session: Session, sha256: str, reserve: timedelta = timedelta(0)) -> str | None:
    """Lock a published blob for this transaction, and keep it from being freed for ``reserve``; its id, if any."""
    # PostgreSQL: two writers of equal bytes must not both find nothing; the advisory lock makes the second one wait.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(int(sha256[:15], 16))))
    until = now(session) + reserve
    later = case((Blob.touched_at > until, Blob.touched_at), else_=until)
    return session.scalar(update(Blob).where(Blob.sha256 == sha256).values(touched_at=later).returning(Blob.id))


def touch(session: Session, sha256: str) -> None:
    """Guard a blob in the transaction that points a row at it.

    Raises:
        NotFound: there is no such published blob.
    """
    if _lock(session, sha256) is None:
        raise NotFound(f"blob {sha256} is not stored")


def size(session: Session, sha256: str) -> int:
    """Size of a published blob in bytes."""
    found = session.scalar(select(Blob.size).where(Blob.sha256 == sha256))
    if found is None:
        raise NotFound(f"blob {sha256} is not stored")
    return found


def read(database: Database, sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes [start, end) of a blob, a chunk at a time; no session is held between chunks."""
    with database.reading() as session:
        blob = session.scalar(select(Blob).where(Blob.sha256 == sha256))
    if blob is None:
        raise NotFound(f"blob {sha256} is not stored")
    end = blob.size if end is None else min(end, blob.size)
    for number in range(start // CHUNK_BYTES, -(-end // CHUNK_BYTES)):
        with database.reading() as session:
            row = session.get(BlobChunk, (blob.id, number))
        if row is None:
            raise NotFound(f"blob {sha256} was deleted while it was read")
        chunk = zlib.decompress(row.data) if row.codec == "zlib" else row.data
        first = number * CHUNK_BYTES
        yield chunk[max(0, start - first) : end - first]


def fetch(database: Database, sha256: str, path: Path) -> None:
    """Write a blob to a file and check it against its hash.

    Raises:
        NotFound: no such blob, or its stored bytes are damaged.
    """
    digest = hashlib.sha256()
    partial = path.with_name(f"{path.name}.{ids.new('part')}")
    try:
        with partial.open("wb") as file:
            for chunk in read(database, sha256):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != sha256:
            raise NotFound(f"blob {sha256} is damaged: its bytes have another hash")
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def _owners() -> list[Column[str]]:
    """Every column that points at a blob."""
    keys = [key for table in Base.metadata.sorted_tables for key in table.foreign_keys]
    return [key.parent for key in keys if key.column is Blob.__table__.c.sha256]


def free(database: Database, sha256: str) -> bool:
    """Delete a blob unless a row points at it or somebody reserved it. Returns whether it is gone."""
    return _free(database, sha256, timedelta(0))


def _free(database: Database, sha256: str, age: timedelta) -> bool:
    with database.transaction() as session:
        blob = session.scalar(select(Blob).where(Blob.sha256 == sha256).with_for_update())
        if blob is None or blob.touched_at > now(session) - age:
            return blob is None
        if any(session.scalar(select(exists().where(column == sha256))) for column in _owners()):
            return False
        blob.sha256 = None  # nobody can point at it any more
        blob_id = blob.id
    _erase(database, blob_id)
    return True


def _erase(database: Database, blob_id: str) -> None:
    """Delete an unpublished blob, some chunks at a time so that other writers are not held up."""
    batch = select(BlobChunk.number).where(BlobChunk.blob_id == blob_id).limit(16)
    while True:
        with database.transaction() as session:
            numbers = list(session.scalars(batch))
            session.execute(delete(BlobChunk).where(BlobChunk.blob_id == blob_id, BlobChunk.number.in_(numbers)))
            if not numbers:
                session.execute(delete(Blob).where(Blob.id == blob_id))
                return


def sweep(database: Database) -> int:
    """Delete what nobody owns and nobody touched for an hour; returns how many blobs that were."""
    with database.reading() as session:
        old = now(session) - ORPHAN_AGE
        owned = [exists().where(column == Blob.sha256) for column in _owners()]
        orphans = select(Blob.sha256).where(Blob.sha256.is_not(None), Blob.touched_at < old, *(~one for one in owned))
        published = list(session.scalars(orphans.limit(1000)))
        unpublished = list(session.scalars(select(Blob.id).where(Blob.sha256.is_(None), Blob.touched_at < old)))
    for blob_id in unpublished:
        _erase(database, blob_id)
    return len(unpublished) + sum(_free(database, sha256, ORPHAN_AGE) for sha256 in published if sha256)
