"""Changing a table of SQLite, which cannot alter constraints."""

import re

from alembic import op


def rebuild(table: str, *changes: tuple[str, str]) -> None:
    """Make a table anew from its own text with each ``(old, new)`` changed, and with all its rows.

    Foreign keys are not enforced meanwhile (``migrations.upgrade``), or dropping the old table would empty those that
    point at it.
    """
    connection = op.get_bind()
    assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 0, "foreign keys must be off"
    found = connection.exec_driver_sql("SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql <> ''", (table,))
    rows = found.all()
    (made,) = (row.sql for row in rows if row.type == "table")
    for old, new in changes:
        assert made.count(old) == 1, f"{table} should have {old!r} once"
        made = made.replace(old, new)
    made = re.sub(rf'CREATE TABLE "?{table}"?', f"CREATE TABLE new_{table}", made, count=1)
    connection.exec_driver_sql(made)
    connection.exec_driver_sql(f"INSERT INTO new_{table} SELECT * FROM {table}")
    connection.exec_driver_sql(f"DROP TABLE {table}")
    connection.exec_driver_sql(f"ALTER TABLE new_{table} RENAME TO {table}")
    for index in (row.sql for row in rows if row.type == "index"):
        connection.exec_driver_sql(index)
