"""The bell of a glance: whoever commits to SQLite rings, in any process, and nobody else."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core import glance, ids
from core.db import Database, now
from core.tables import Blob

COMMIT = """
import sys
from core import ids
from core.db import Database, now
from core.tables import Blob
database = Database(sys.argv[1])
with database.transaction() as session:
    session.add(Blob(id=ids.new("blob"), touched_at=now(session)))
"""


@pytest.fixture
def stop() -> Iterator[int]:
    descriptor = os.eventfd(0)
    yield descriptor
    os.close(descriptor)


def rung(bell: int | None) -> bool:
    assert bell is not None
    return bool(select.select([bell], [], [], 0)[0])


def test_a_commit_of_another_process_rings_once_it_can_be_seen(database: Database) -> None:
    with closing(database.glance()) as looker:
        before = looker.mark()
        if not database.is_sqlite:
            assert looker.bell is None
            return
        assert not rung(looker.bell)
        subprocess.run([sys.executable, "-c", COMMIT, str(database.url)], check=True)
        assert rung(looker.bell)
        assert looker.mark() != before and not rung(looker.bell)


def test_reading_and_rolling_back_do_not_ring(database: Database) -> None:
    with closing(database.glance()) as looker:
        looker.mark()
        if not database.is_sqlite:
            return
        with database.reading() as session:
            session.get(Blob, "none")
        with pytest.raises(ZeroDivisionError), database.transaction() as session:
            session.add(Blob(id=ids.new("blob"), touched_at=now(session)))
            session.flush()
            raise ZeroDivisionError
        assert not rung(looker.bell)


def test_a_wait_ends_with_a_commit_or_with_stop(database: Database, stop: int) -> None:
    with closing(database.glance()) as looker:
        looker.mark()
        with database.transaction() as session:
            session.add(Blob(id=ids.new("blob"), touched_at=now(session)))
        began = time.monotonic()
        assert looker.wait(stop, 0.0, most=60.0)
        assert time.monotonic() - began < 30.0
        looker.mark()
        began = time.monotonic()
        assert looker.wait(stop, 0.2, most=0.05)
        assert time.monotonic() - began >= 0.19  # "least" holds with nothing rung, too
        os.eventfd_write(stop, 1)
        assert not looker.wait(stop, 60.0, most=60.0)


def test_without_inotify_it_is_looked_at_times(database: Database, stop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(glance.inotify, "touched", refused)
    with closing(database.glance()) as looker:
        mark = looker.mark()
        assert looker.bell is None
        assert looker.wait(stop, 0.01, most=60.0)
        assert looker.mark() == mark


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/some.db")
    with database.transaction():
        pass
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with closing(database.glance()) as looker:
            looker.mark()
            assert looker.bell is not None
    assert len(os.listdir("/proc/self/fd")) == before
    database.close()
