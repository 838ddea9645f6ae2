"""The database: engines for SQLite and PostgreSQL, and the one place that commits."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from core.glance import Glance, ring

BUSY_TIMEOUT_SECONDS = 10
IDLE_IN_TRANSACTION_SECONDS = 15
DISK_FULL = "53100"
"""PostgreSQL's SQLSTATE."""
LOW_BYTES = 16 * 2**20
"""With less free beside a SQLite file, a write may meet a full disk."""


class Database:
    """A pool of connections to one database.

    SQLite runs in WAL mode with ``synchronous=FULL``; every writing transaction begins with ``BEGIN IMMEDIATE``, since
    a deferred one that reads before it writes fails at once when another writer is active.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._file = self.url.database if self.is_sqlite and self.url.database != ":memory:" else None
        self.engine = (
            _sqlite_engine(self.url.database, pool_size) if self.is_sqlite else _postgres_engine(url, pool_size)
        )
        self._writing = self.engine.execution_options(epochd_writing=True)
        self._looking = self.engine.execution_options(epochd_looking=True)
        # SQLite's own wait for the write lock polls with growing sleeps; threads of one process queue here instead.
        self._write_lock: Any = threading.Lock() if self.is_sqlite else nullcontext()
        self.met_full_disk = False

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A writing session; committed when the block ends well, rolled back when it raises."""
        with self._write_lock, Session(self._writing, expire_on_commit=False) as session:
            try:
                yield session
                session.commit()
            except BaseException as error:
                self.met_full_disk |= disk_is_full(error)
                session.rollback()
                raise
        if self._file is not None:
            ring(self._file)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads; keep it short. What it returned stays usable afterwards."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """A connection that only reads, for what is asked several times a second: it costs less than a session.

        On SQLite no transaction holds its statements together: each sees what is committed by then.
        """
        with self._looking.connect() as connection:
            yield connection

    def glance(self) -> Glance:
        """Tells whether anything was committed; close it."""
        return Glance(self._file)

    @property
    def may_be_full(self) -> bool:
        """Whether it is worth trying if there is room (:func:`core.blobs.probe`): a write met a full disk, or could."""
        if self.met_full_disk or not self.is_sqlite or not self.url.database:
            return self.met_full_disk
        return shutil.disk_usage(Path(self.url.database).absolute().parent).free < LOW_BYTES

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def disk_is_full(error: BaseException) -> bool:
    """Whether this is a database that could not write because its disk is full."""
    cause = getattr(error, "orig", None)  # SQLAlchemy's errors have the driver's
    return getattr(cause, "sqlite_errorname", "") == "SQLITE_FULL" or getattr(cause, "sqlstate", "") == DISK_FULL


def now(session: Session) -> datetime:
    """The database's clock, in UTC: the only clock that leases are judged by.

    SQLite has no server, so its clock is that of the machine that all its users share.
    """
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)
    with session.no_autoflush:  # looking at the clock must not write half a change
        instant = session.scalar(select(text("clock_timestamp()")))
    assert isinstance(instant, datetime)
    return instant.astimezone(UTC)


def _sqlite_engine(path: str | None, pool_size: int) -> Engine:
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        f"sqlite:///{path or ''}",
        pool_size=pool_size,
        max_overflow=50,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours, below
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT_SECONDS}000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if "epochd_looking" not in options:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if "epochd_writing" in options else "BEGIN")

    return engine


def _postgres_engine(url: str, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=20,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3},
    )
    # A machine that vanishes in the middle of a transaction must not hold its rows for the server's usual two hours.
    settings = {
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
    }

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            for name, value in settings.items():
                cursor.execute(f"SET {name} = '{value}'")
        connection.commit()

    return engine
