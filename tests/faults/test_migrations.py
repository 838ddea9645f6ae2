"""Two ``python -m migrations`` at once on an empty database: both end well, and the data is there once."""

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import select
from stack import PATIENCE

from core.db import Database
from core.tables import Dataset
from migrations.upgrade import is_current


def test_two_at_once(database_url: str, tmp_path: Path) -> None:
    env = {**os.environ, "EPOCHD_DATABASE_URL": database_url, "EPOCHD_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "migrations"]
    both = [subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=PATIENCE)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    database = Database(database_url)
    with database.reading() as session:
        built_in = sorted((row.name, row.version) for row in session.scalars(select(Dataset)))
    current = is_current(database)
    database.close()
    assert current
    assert built_in == [("digits", 1), ("digits-rows", 1), ("languages", 1)]
