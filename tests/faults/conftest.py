"""What the fault tests share: the undisturbed run, a service for a whole module, and the database without a service."""

from collections.abc import Iterator
from typing import Any

import long_job
import pytest
from sqlalchemy import delete

from core import fleet, ids
from core.catalog import datasets
from core.db import Database
from core.tables import Job, Worker
from migrations.upgrade import upgrade


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the long job's weights are when nothing happens, from a process of its own."""
    return long_job.undisturbed(tmp_path_factory.mktemp("undisturbed"), long_job.SPEC)


@pytest.fixture(scope="module")
def migrated(
    engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A database with the schema and the digits, and no service."""
    if engine == "postgresql":
        url = request.getfixturevalue("new_postgres")()
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'epochd.db'}"
    one = Database(url)
    upgrade(one)
    datasets.add_built_in(one)
    yield one
    one.close()


@pytest.fixture
def database(migrated: Database) -> Database:
    """The same, with no job and no worker in it."""
    with migrated.transaction() as session:
        session.execute(delete(Job))
        session.execute(delete(Worker))
    return migrated


@pytest.fixture
def worker(database: Database) -> Worker:
    """A worker that is online, with one CPU slot."""
    device = {"kind": "cpu", "name": "a CPU", "memory_bytes": 2**33}
    one = Worker(
        id=ids.new("wrk"),
        name="w",
        host="here",
        pid=1,
        slots=1,
        threads=1,
        memory_bytes=2**33,
        devices=[device],
        versions={},
    )
    with database.transaction() as session:
        return fleet.register(session, one)
