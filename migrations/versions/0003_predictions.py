"""Data sets are answered by jobs of the kind predict, part by part; those of the kind evaluate make versions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.rebuild import rebuild

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

KIND = (
    "kind IN ('train', 'ingest', 'explain')",
    "kind IN ('train', 'ingest', 'explain', 'predict', 'evaluate')",
)
DATASET = ("kind <> 'train' OR dataset_id IS NOT NULL", "kind NOT IN ('train', 'predict') OR dataset_id IS NOT NULL")


def upgrade() -> None:
    _constrain(0, 1)
    op.create_table(
        "job_outputs",
        sa.Column("job_id", sa.String(length=48), nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.Column("done", INT, nullable=False),
        sa.Column("size", INT, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", JSON, nullable=False),
        sa.CheckConstraint("position >= 0 AND done > 0 AND size > 0", name=op.f("ck_job_outputs_sizes")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_outputs_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sha256"], ["blobs.sha256"], name=op.f("fk_job_outputs_sha256")),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f("pk_job_outputs")),
    )
    op.create_index(op.f("ix_job_outputs_sha256"), "job_outputs", ["sha256"], unique=False)


def downgrade() -> None:
    op.drop_table("job_outputs")
    op.execute("DELETE FROM jobs WHERE kind IN ('predict', 'evaluate')")
    _constrain(1, 0)


def _constrain(old: int, new: int) -> None:
    if op.get_bind().dialect.name == "sqlite":
        rebuild("jobs", (KIND[old], KIND[new]), (DATASET[old], DATASET[new]))
        return
    for name, condition in (("kind", KIND[new]), ("dataset", DATASET[new])):
        op.drop_constraint(op.f(f"ck_jobs_{name}"), "jobs")
        op.create_check_constraint(op.f(f"ck_jobs_{name}"), "jobs", condition)
