"""The migrations make exactly the schema of the tables, on both databases (`alembic check`)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from core.db import Database
from core.tables import Blob, Dataset, Job, JobEvent
from migrations.upgrade import is_current, upgrade

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_migrations_and_tables_agree(database_url: str) -> None:
    database = Database(database_url)
    try:
        upgrade(database)
        upgrade(database)  # a second run finds nothing to do
        assert is_current(database)
        config = Config(toml_file=str(PROJECT))
        with database.engine.connect() as connection:
            config.attributes["connection"] = connection
            command.check(config)  # raises, and names what differs
    finally:
        database.close()


NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHA = "0" * 64


def test_an_upgrade_of_a_database_in_use_loses_nothing(database_url: str) -> None:
    """0002 and 0003 make the tables of jobs and datasets anew on SQLite; what points at them must stay."""
    database = Database(database_url)
    try:
        upgrade(database, "0001")
        with database.transaction() as session:
            session.execute(insert(Blob).values(id="b", sha256=SHA, size=1, stored_size=1, touched_at=NOW))
            dataset = "'ds_1', 't', 'mine', 1, 'image', '[]', 'uint8', '[]', '{}', '', 1"
            session.execute(text(f"INSERT INTO datasets VALUES ({dataset}, '{SHA}', '2026-01-01')"))
            session.execute(
                insert(Job).values(
                    id="job_1", tenant="t", kind="train", state="queued", priority=0, device="cpu", spec={}, labels={},
                    dataset_id="ds_1", parameters=1, memory_bytes=1, flops=1, checkpoint_seconds=1, max_attempts=1,
                    created_at=NOW,
                )
            )  # fmt: skip
            event = {"level": "info", "type": "queued", "message": "kept", "data": {}}
            session.execute(insert(JobEvent).values(job_id="job_1", seq=1, attempt=0, created_at=NOW, **event))
        upgrade(database)
        with database.reading() as session:
            assert session.scalars(select(JobEvent.message)).all() == ["kept"]
            assert session.scalars(select(Dataset.name)).all() == ["mine"]
            assert session.scalars(select(Job.dataset_id)).all() == ["ds_1"]
        with pytest.raises(IntegrityError), database.transaction() as session:  # the references hold again
            session.execute(text("DELETE FROM datasets"))
    finally:
        database.close()
