"""Numbers that cannot be (no device, a negative step) are refused by the database too.

The tables of chunks, events and metrics stay as they are: SQLite would have to copy all that is stored.
"""

from alembic import op

from migrations.rebuild import rebuild

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

#: table: its new constraints and what they say
CHECKS = {
    "jobs": {
        "sizes": "devices >= 1 AND parameters >= 0 AND memory_bytes >= 0 AND flops >= 0 AND vocabulary >= 0",
        "steps": "claimed_step >= 0 AND stop_step >= 0 AND threads >= 1",
        "seconds": "checkpoint_seconds >= 0 AND timeout_seconds > 0",
    },
    "checkpoints": {"counts": "attempt >= 1 AND step >= 0 AND epoch >= 0"},
    "workers": {"counts": "pid >= 1 AND slots >= 1 AND threads >= 1 AND memory_bytes >= 1"},
    "datasets": {"sizes": "size >= 1 AND rate >= 1"},
    "model_versions": {"sizes": "checkpoint_step >= 0 AND parameters >= 0"},
    "model_aliases": {"revision": "revision >= 1"},
    "alias_moves": {"versions": "from_version >= 1 AND to_version >= 1"},
    "catalog_revision": {"revision": "revision >= 1"},
    "idempotent_requests": {"status": "status BETWEEN 200 AND 299"},
}


def upgrade() -> None:
    for table, checks in CHECKS.items():
        if op.get_bind().dialect.name == "sqlite":
            rebuild(table, (f"CONSTRAINT pk_{table}", f"{_text(table, checks)}CONSTRAINT pk_{table}"))
        else:
            for name, condition in checks.items():
                op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def downgrade() -> None:
    for table, checks in CHECKS.items():
        if op.get_bind().dialect.name == "sqlite":
            rebuild(table, (_text(table, checks), ""))
        else:
            for name in checks:
                op.drop_constraint(op.f(f"ck_{table}_{name}"), table)


def _text(table: str, checks: dict[str, str]) -> str:
    """The constraints as they stand in a table's text, before its primary key."""
    return "".join(f"CONSTRAINT ck_{table}_{name} CHECK ({condition}), " for name, condition in checks.items())
