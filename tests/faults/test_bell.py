"""The bell of a glance: whoever commits to SQLite rings, in any process; reading rings nothing."""

import asyncio
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from api import stream
from core import db, ids, inotify, jobs
from core.db import Database, now
from core.specs import TrainJob
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


def commit(database: Database) -> None:
    with database.transaction() as session:
        session.add(Blob(id=ids.new("blob"), touched_at=now(session)))


def test_a_wait_ends_with_a_commit_or_with_stop(database: Database) -> None:
    with closing(database.glance()) as looker:
        looker.mark()
        commit(database)
        assert takes(lambda: looker.wait(0.0, 60.0)) < 30.0
        looker.mark()
        assert takes(lambda: looker.wait(0.2, 0.05)) >= 0.19  # the least holds with nothing rung, too
        looker.stop()
        assert takes(lambda: not looker.wait(60.0, 60.0)) < 30.0


def takes(question: Callable[[], bool]) -> float:
    began = time.monotonic()
    assert question()
    return time.monotonic() - began


def test_a_commit_that_could_not_ring_is_seen_at_the_next_look(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer was killed between the two."""
    monkeypatch.setattr(db, "ring", lambda path: None)
    with closing(database.glance()) as looker:
        mark = looker.mark()
        commit(database)
        assert takes(lambda: looker.wait(0.25)) < 30.0
        assert mark is None or looker.mark() != mark


def test_without_inotify_it_is_looked_at_times(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(inotify, "touched", refused)
    with closing(database.glance()) as looker:
        mark = looker.mark()
        assert looker.bell is None
        assert takes(lambda: looker.wait(0.01, 60.0)) < 30.0
        assert looker.mark() == mark


def test_a_stream_is_woken_by_a_commit_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "UNHEARD_SECONDS", 600.0)
    with database.transaction() as session:
        body = {"dataset": "digits", "network": {"family": "rnn"}}
        job_id = jobs.submit(session, "default", TrainJob.model_validate(body)).id

    def cancel() -> None:
        with database.transaction() as session:
            jobs.cancel(session, "default", job_id)

    async def follow() -> None:
        tailer, listener = stream.Tailer(database), stream.Listener(job_id, 0)
        tailer.add(listener)
        first, _ = await listener.queue.get()
        assert b"event: event" in first
        await asyncio.sleep(0.3)  # it has looked, and waits
        await asyncio.to_thread(cancel)
        async with asyncio.timeout(60):
            rest, ended = await listener.queue.get()
        assert ended and b"cancelled" in rest
        tailer.stop()

    with ThreadPoolExecutor(1) as thread:  # this one has Playwright's loop, once a browser test came before
        thread.submit(lambda: asyncio.run(follow())).result()


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/some.db")
    with database.reading() as session:
        session.execute(text("SELECT 1"))
    counts = set()
    for _ in range(3):
        with closing(database.glance()) as looker:
            looker.mark()
            assert looker.bell is not None
        counts.add(len(os.listdir("/proc/self/fd")))
    assert len(counts) == 1
    database.close()
