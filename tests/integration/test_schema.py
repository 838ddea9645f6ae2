"""The migrations make exactly the schema of the tables, on both databases (`alembic check`)."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from core.db import Database
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
