"""Checkpoints become model versions by jobs of the kind evaluate."""

from alembic import op

from migrations.rebuild import rebuild

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KIND = ("kind IN ('train', 'ingest', 'explain')", "kind IN ('train', 'ingest', 'explain', 'evaluate')")


def upgrade() -> None:
    _constrain(0, 1)


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE kind = 'evaluate'")
    _constrain(1, 0)


def _constrain(old: int, new: int) -> None:
    if op.get_bind().dialect.name == "sqlite":
        rebuild("jobs", (KIND[old], KIND[new]))
        return
    op.drop_constraint(op.f("ck_jobs_kind"), "jobs")
    op.create_check_constraint(op.f("ck_jobs_kind"), "jobs", KIND[new])
