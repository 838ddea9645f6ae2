"""Datasets are made of uploads, by jobs of the kind ingest; answers are explained by jobs of the kind explain."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.rebuild import rebuild

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

KIND, KINDS = "kind IN ('train')", "kind IN ('train', 'ingest', 'explain')"
DATASET = "kind <> 'train' OR dataset_id IS NOT NULL"
SAMPLE_KIND, SAMPLE_KINDS = "kind IN ('image', 'series')", "kind IN ('image', 'series', 'text', 'audio', 'corpus')"
TASKS = "task IN ('classification', 'regression', 'forecast', 'language')"
REFERENCE = "FOREIGN KEY(dataset_id) REFERENCES datasets (id)"
REFERENCE_OR_NULL = f"{REFERENCE} ON DELETE SET NULL"
NOT_NULL, NULL = "dataset_id VARCHAR(48) NOT NULL,", "dataset_id VARCHAR(48),"


def upgrade() -> None:
    task = sa.Column("task", sa.String(length=16), server_default="classification", nullable=False)
    op.add_column("datasets", task)
    if op.get_bind().dialect.name == "sqlite":
        added = f"CONSTRAINT ck_jobs_dataset CHECK ({DATASET}), CONSTRAINT ck_jobs_kind"
        rebuild(
            "jobs",
            (KIND, KINDS),
            (NOT_NULL, NULL),
            (REFERENCE, f"{REFERENCE} ON DELETE SET NULL"),
            ("CONSTRAINT ck_jobs_kind", added),
        )
        added = f"CONSTRAINT ck_datasets_task CHECK ({TASKS}), CONSTRAINT ck_datasets_kind"
        rebuild("datasets", (SAMPLE_KIND, SAMPLE_KINDS), ("CONSTRAINT ck_datasets_kind", added))
    else:
        op.alter_column("jobs", "dataset_id", nullable=True)
        _refer("SET NULL")
        _replace("jobs", "kind", KINDS)
        op.create_check_constraint(op.f("ck_jobs_dataset"), "jobs", DATASET)
        _replace("datasets", "kind", SAMPLE_KINDS)
        op.create_check_constraint(op.f("ck_datasets_task"), "datasets", TASKS)
    op.add_column("jobs", sa.Column("vocabulary", INT, nullable=True))
    op.add_column("jobs", sa.Column("replay", JSON, nullable=True))
    op.add_column("jobs", sa.Column("devices", INT, nullable=False, server_default="1"))
    op.add_column("datasets", sa.Column("lengths", JSON, nullable=True))
    op.add_column("datasets", sa.Column("rate", INT, nullable=True))
    op.add_column("datasets", sa.Column("columns", JSON, nullable=True))
    op.add_column("datasets", sa.Column("targets", JSON, nullable=True))
    op.add_column("datasets", sa.Column("findings", JSON, nullable=True))
    op.create_table(
        "job_inputs",
        sa.Column("job_id", sa.String(length=48), nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("size", INT, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.CheckConstraint("position >= 0 AND size >= 0", name=op.f("ck_job_inputs_sizes")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_inputs_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sha256"], ["blobs.sha256"], name=op.f("fk_job_inputs_sha256")),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f("pk_job_inputs")),
    )
    op.create_index(op.f("ix_job_inputs_sha256"), "job_inputs", ["sha256"], unique=False)


def downgrade() -> None:
    op.drop_table("job_inputs")
    op.drop_column("datasets", "findings")
    op.drop_column("datasets", "targets")
    op.drop_column("datasets", "columns")
    op.drop_column("datasets", "rate")
    op.drop_column("datasets", "lengths")
    op.drop_column("jobs", "devices")
    op.drop_column("jobs", "replay")
    op.drop_column("jobs", "vocabulary")
    op.execute("DELETE FROM jobs WHERE kind IN ('ingest', 'explain')")
    if op.get_bind().dialect.name == "sqlite":
        added = f"CONSTRAINT ck_jobs_dataset CHECK ({DATASET}), "
        rebuild("jobs", (KINDS, KIND), (NULL, NOT_NULL), (REFERENCE_OR_NULL, REFERENCE), (added, ""))
        added = f"CONSTRAINT ck_datasets_task CHECK ({TASKS}), "
        rebuild("datasets", (SAMPLE_KINDS, SAMPLE_KIND), (added, ""))
    else:
        op.drop_constraint(op.f("ck_jobs_dataset"), "jobs")
        _replace("jobs", "kind", KIND)
        op.alter_column("jobs", "dataset_id", nullable=False)
        _refer(None)
        _replace("datasets", "kind", SAMPLE_KIND)
        op.drop_constraint(op.f("ck_datasets_task"), "datasets")
    op.drop_column("datasets", "task")


def _replace(table: str, constraint: str, condition: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{constraint}"), table)
    op.create_check_constraint(op.f(f"ck_{table}_{constraint}"), table, condition)


def _refer(ondelete: str | None) -> None:
    name = op.f("fk_jobs_dataset_id")
    op.drop_constraint(name, "jobs", type_="foreignkey")
    op.create_foreign_key(name, "jobs", "datasets", ["dataset_id"], ["id"], ondelete=ondelete)
