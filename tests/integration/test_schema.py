"""The migrations make exactly the schema of the tables, on both databases (`alembic check`)."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from core.db import Database
from core.tables import (
    AliasMove,
    Base,
    Blob,
    Checkpoint,
    Dataset,
    IdempotentRequest,
    Job,
    JobEvent,
    Model,
    ModelAlias,
    ModelVersion,
    Worker,
)
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
#: rows of the tables that 0004 constrains, before it
USED: list[tuple[type[Base], dict[str, Any]]] = [
    (
        Worker,
        {
            "id": "w", "name": "w", "host": "h", "pid": 1, "state": "stopped", "slots": 1, "threads": 2,
            "memory_bytes": 2**33, "devices": [{"kind": "cpu"}], "versions": {}, "started_at": NOW, "seen_at": NOW,
        },
    ),
    (
        Checkpoint,
        {
            "id": "c", "job_id": "job_1", "attempt": 1, "step": 0, "epoch": 0, "is_best": True, "is_last": True,
            "metrics": {"loss": 0.5}, "weights_sha256": SHA, "state_sha256": SHA, "created_at": NOW,
        },
    ),
    (Model, {"id": "m", "tenant": "t", "name": "mine", "created_at": NOW}),
    (
        ModelVersion,
        {
            "model_id": "m", "version": 1, "job_id": "job_1", "dataset_id": "ds_1", "checkpoint_step": 0,
            "weights_sha256": SHA, "onnx_sha256": SHA, "ready": True, "reason": None, "parameters": 1,
            "preprocessing": {}, "metrics": {}, "spec": {"seed": 1}, "created_at": NOW,
        },
    ),
    (ModelAlias, {"model_id": "m", "alias": "production", "version": 1, "revision": 3, "updated_at": NOW}),
    (
        AliasMove,
        {
            "id": "a", "model_id": "m", "alias": "production", "from_version": None, "to_version": 1,
            "moved_by": "me", "reason": "better", "moved_at": NOW,
        },
    ),
    (
        IdempotentRequest,
        {
            "tenant": "t", "route": "r", "key": "k", "request_sha256": SHA, "status": 202, "location": "/v1/jobs/j",
            "created_at": NOW,
        },
    ),
]  # fmt: skip


def test_an_upgrade_of_a_database_in_use_loses_nothing(database_url: str) -> None:
    """On SQLite the tables whose constraints change are made anew; their rows, and what points at them, must stay."""
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
        upgrade(database, "0003")
        with database.transaction() as session:
            for table, row in USED:
                session.execute(insert(table).values(row))
        upgrade(database)
        with database.reading() as session:
            for table, row in USED:
                columns = [getattr(table, name) for name in row]
                assert [dict(zip(row, found, strict=True)) for found in session.execute(select(*columns))] == [row]
            assert session.scalars(select(JobEvent.message)).all() == ["kept"]
            assert session.scalars(select(Dataset.name)).all() == ["mine"]
            assert session.scalars(select(Job.dataset_id)).all() == ["ds_1"]
        with pytest.raises(IntegrityError), database.transaction() as session:  # the references hold again
            session.execute(text("DELETE FROM datasets"))
    finally:
        database.close()
