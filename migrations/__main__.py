"""``python -m migrations``: wait for the database, migrate it, add the built-in datasets and the first key.

Safe to run at any time and by several processes at once.
"""

import logging
import sys
import time

from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from core import log
from core.catalog import datasets, keys
from core.db import Database
from core.errors import EpochdError
from core.settings import Settings
from migrations.upgrade import upgrade

PATIENCE_SECONDS = 60


def _wait_for(database: Database) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with database.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            return
        except OperationalError as error:
            if time.monotonic() > deadline:
                sys.exit(f"the database at {database.url.render_as_string()} cannot be reached: {error.orig}")
            time.sleep(0.5)


def main() -> None:
    """Bring the database that the settings name up to date."""
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(f"the settings cannot be used: {error}")
    log.configure(settings.log_level, settings.log_format)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    database = Database(settings.database)
    _wait_for(database)
    try:
        upgrade(database)
        datasets.add_built_in(database)
        if settings.bootstrap_key_file is not None:
            with database.transaction() as session:
                keys.bootstrap(session, settings.bootstrap_key_file.read_text())
    except (EpochdError, OSError) as error:
        sys.exit(str(error))
    finally:
        database.close()


if __name__ == "__main__":
    main()
