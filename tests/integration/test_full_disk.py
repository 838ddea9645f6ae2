"""The disk under the database is full: what the API says of it, and that all goes on once there is room.

SQLite's own limit stands for the disk's, and a trigger raises PostgreSQL's error: both are what a full disk gives.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from sqlalchemy import event, text

from core.db import Database

#: 8 kB, so that a few of them need room that the file does not have yet
JOB = {
    "dataset": "digits",
    "network": {"family": "rnn", "hidden": 8},
    "metadata": {f"note{number}": "x" * 500 for number in range(16)},
}
FUNCTION = "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN {} END $$ LANGUAGE plpgsql"
RAISE = "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';"


@contextmanager
def full(database: Database) -> Iterator[None]:
    """No room for anything more, until the block ends."""
    if database.is_sqlite:

        def limit(connection: Any, record: Any) -> None:
            connection.execute("PRAGMA max_page_count = 1")  # never less than what is there

        event.listen(database.engine, "connect", limit)
        database.engine.dispose()
        yield
        event.remove(database.engine, "connect", limit)
        database.engine.dispose()
        return
    tables = ("jobs", "blob_chunks")
    with database.transaction() as session:
        session.execute(text(FUNCTION.format(RAISE)))
        for table in tables:
            session.execute(text(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION full_disk()"))
    yield
    with database.transaction() as session:
        for table in tables:
            session.execute(text(f"DROP TRIGGER full_disk ON {table}"))


def test_a_full_disk_is_named_and_all_goes_on_once_there_is_room(
    start_api: Any, migrated: Callable[[str], Database], database_url: str
) -> None:
    migrated(database_url).close()
    url, service = start_api(database_url)
    with httpx.Client(base_url=url) as http:

        def readiness() -> str:
            """Of the database; this service has no broker, so it is never ready as a whole."""
            return str(http.get("/readyz?verbose").json()["checks"]["database"])

        def upload() -> httpx.Response:
            return http.put("/v1/datasets/mine?filename=a.npz", content=os.urandom(2**20))

        assert readiness() == "ok"
        with full(service.database):
            jobs = [http.post("/v1/jobs", json=JOB) for _ in range(20)]
            for refused in (jobs[-1], upload()):
                problem = refused.json()
                assert (refused.status_code, problem["code"]) == (503, "disk_full"), problem
                assert "disk is full" in problem["detail"] and refused.headers["Retry-After"]
            assert "disk is full" in readiness() and "disk is full" in http.get("/readyz").json()["detail"]
            kept = http.get("/v1/jobs?limit=100")  # reading goes on
            assert len(kept.json()["data"]) == sum(one.status_code == 202 for one in jobs)
            assert "disk is full" in readiness()
        assert readiness() == "ok"
        assert (http.post("/v1/jobs", json=JOB).status_code, upload().status_code) == (202, 202)
        assert not service.database.may_be_full
