"""Alembic's entry: runs the migrations on the database that the settings (or ``-x url=...``) name."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from core.db import Database
from core.settings import Settings
from core.tables import Base
from core.tables.base import UtcDateTime
from migrations.upgrade import unchained


def render(kind: str, item: object, context: AutogenContext) -> str | Literal[False]:
    """Migrations name SQLAlchemy's own types, so that they never change with our code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def run(connection: Connection) -> None:
    """Apply migrations over one connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        render_item=render,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    database = Database(context.get_x_argument(as_dictionary=True).get("url") or Settings().database)
    with database.engine.connect() as own, unchained(own):
        run(own)
        own.commit()
    database.close()
