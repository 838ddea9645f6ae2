"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_table(
        "blobs",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size", INT, nullable=False),
        sa.Column("stored_size", INT, nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("size >= 0 AND stored_size >= 0", name=op.f("ck_blobs_sizes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blobs")),
        sa.UniqueConstraint("sha256", name=op.f("uq_blobs_sha256")),
    )
    op.create_table(
        "catalog_revision",
        sa.Column("id", INT, autoincrement=False, nullable=False),
        sa.Column("revision", INT, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_catalog_revision_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_revision")),
    )
    op.create_table(
        "idempotent_requests",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("route", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_sha256", sa.String(length=64), nullable=False),
        sa.Column("status", INT, nullable=True),
        sa.Column("location", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "route", "key", name=op.f("pk_idempotent_requests")),
    )
    op.create_index(op.f("ix_idempotent_requests_created_at"), "idempotent_requests", ["created_at"], unique=False)
    op.create_table(
        "models",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("tenant", "name", name=op.f("uq_models_tenant_name")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", INT, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("slots", INT, nullable=False),
        sa.Column("threads", INT, nullable=False),
        sa.Column("memory_bytes", INT, nullable=False),
        sa.Column("devices", JSON, nullable=False),
        sa.Column("versions", JSON, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('online', 'stopping', 'stopped')", name=op.f("ck_workers_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_index(op.f("ix_workers_seen_at"), "workers", ["seen_at"], unique=False)
    op.create_table(
        "alias_moves",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("model_id", sa.String(length=48), nullable=False),
        sa.Column("alias", sa.String(length=64), nullable=False),
        sa.Column("from_version", INT, nullable=True),
        sa.Column("to_version", INT, nullable=True),
        sa.Column("moved_by", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.String(length=512), nullable=True),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_alias_moves_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alias_moves")),
    )
    op.create_index("ix_alias_moves_alias", "alias_moves", ["model_id", "alias", "id"], unique=False)
    op.create_table(
        "blob_chunks",
        sa.Column("blob_id", sa.String(length=48), nullable=False),
        sa.Column("number", INT, nullable=False),
        sa.Column("codec", sa.String(length=4), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("codec IN ('raw', 'zlib')", name=op.f("ck_blob_chunks_codec")),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name=op.f("fk_blob_chunks_blob_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("blob_id", "number", name=op.f("pk_blob_chunks")),
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("shape", JSON, nullable=False),
        sa.Column("dtype", sa.String(length=16), nullable=False),
        sa.Column("classes", JSON, nullable=False),
        sa.Column("splits", JSON, nullable=False),
        sa.Column("source", sa.String(length=512), nullable=False),
        sa.Column("size", INT, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_datasets_version")),
        sa.CheckConstraint("kind IN ('image', 'series')", name=op.f("ck_datasets_kind")),
        sa.ForeignKeyConstraint(["sha256"], ["blobs.sha256"], name=op.f("fk_datasets_sha256")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("tenant", "name", "version", name=op.f("uq_datasets_tenant_name_version")),
    )
    op.create_index(op.f("ix_datasets_name"), "datasets", ["name"], unique=False)
    op.create_index(op.f("ix_datasets_sha256"), "datasets", ["sha256"], unique=False)
    op.create_index(
        "uq_datasets_built_in",
        "datasets",
        ["name", "version"],
        unique=True,
        sqlite_where=sa.text("tenant IS NULL"),
        postgresql_where=sa.text("tenant IS NULL"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested", sa.String(length=16), nullable=True),
        sa.Column("priority", INT, nullable=False),
        sa.Column("device", sa.String(length=8), nullable=False),
        sa.Column("spec", JSON, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("dataset_id", sa.String(length=48), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=True),
        sa.Column("model_version", INT, nullable=True),
        sa.Column("parameters", INT, nullable=False),
        sa.Column("memory_bytes", INT, nullable=False),
        sa.Column("flops", INT, nullable=False),
        sa.Column("checkpoint_seconds", sa.Double(), nullable=False),
        sa.Column("timeout_seconds", sa.Double(), nullable=True),
        sa.Column("max_attempts", INT, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ticket_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seq", INT, nullable=False),
        sa.Column("attempt", INT, nullable=False),
        sa.Column("failures", INT, nullable=False),
        sa.Column("worker_id", sa.String(length=48), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_step", INT, nullable=False),
        sa.Column("threads", INT, nullable=True),
        sa.Column("stop_step", INT, nullable=True),
        sa.Column("progress", JSON, nullable=True),
        sa.Column("progress_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ran_seconds", sa.Double(), nullable=False),
        sa.Column("resume", sa.String(length=16), nullable=True),
        sa.Column("resume_reason", sa.String(length=512), nullable=True),
        sa.Column("error", JSON, nullable=True),
        sa.Column("result", JSON, nullable=True),
        sa.CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name=op.f("ck_jobs_error")),
        sa.CheckConstraint(
            "(state = 'running') = (worker_id IS NOT NULL) AND (state = 'running') = (lease_expires_at IS NOT NULL)"
            " AND (state = 'running') = (claimed_at IS NOT NULL)",
            name=op.f("ck_jobs_lease"),
        ),
        sa.CheckConstraint("(state = 'succeeded') = (result IS NOT NULL)", name=op.f("ck_jobs_result")),
        sa.CheckConstraint(
            "(state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name=op.f("ck_jobs_finished")
        ),
        sa.CheckConstraint("device IN ('auto', 'cpu', 'cuda')", name=op.f("ck_jobs_device")),
        sa.CheckConstraint("kind IN ('train')", name=op.f("ck_jobs_kind")),
        sa.CheckConstraint(
            "requested IS NULL OR (state = 'running' AND requested IN ('cancel', 'pause'))",
            name=op.f("ck_jobs_requested"),
        ),
        sa.CheckConstraint("resume IN ('exact', 'approximate')", name=op.f("ck_jobs_resume")),
        sa.CheckConstraint(
            "state <> 'running' OR (attempt > 0 AND started_at IS NOT NULL)", name=op.f("ck_jobs_started")
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')", name=op.f("ck_jobs_state")
        ),
        sa.CheckConstraint(
            "last_seq >= 0 AND attempt >= 0 AND failures >= 0 AND max_attempts >= 1",
            name=op.f("ck_jobs_counts"),
        ),
        sa.CheckConstraint("not_before IS NULL OR state = 'queued'", name=op.f("ck_jobs_not_before")),
        sa.CheckConstraint(
            "model_version IS NULL OR (state = 'succeeded' AND model IS NOT NULL)", name=op.f("ck_jobs_model_version")
        ),
        sa.CheckConstraint("priority BETWEEN -100 AND 100", name=op.f("ck_jobs_priority")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_jobs_dataset_id")),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_jobs_worker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_dataset_id"), "jobs", ["dataset_id"], unique=False)
    op.create_index("ix_jobs_ended", "jobs", ["state", "finished_at"], unique=False)
    op.create_index("ix_jobs_line", "jobs", ["state", "priority", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_jobs_model"), "jobs", ["model"], unique=False)
    op.create_index("ix_jobs_tenant_list", "jobs", ["tenant", "id"], unique=False)
    op.create_index(op.f("ix_jobs_worker_id"), "jobs", ["worker_id"], unique=False)
    op.create_table(
        "checkpoints",
        sa.Column("id", sa.String(length=48), nullable=False),
        sa.Column("job_id", sa.String(length=48), nullable=False),
        sa.Column("attempt", INT, nullable=False),
        sa.Column("step", INT, nullable=False),
        sa.Column("epoch", INT, nullable=False),
        sa.Column("is_best", sa.Boolean(), nullable=False),
        sa.Column("is_last", sa.Boolean(), nullable=False),
        sa.Column("metrics", JSON, nullable=False),
        sa.Column("weights_sha256", sa.String(length=64), nullable=False),
        sa.Column("state_sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("is_best OR is_last", name=op.f("ck_checkpoints_kept_for_a_reason")),
        sa.CheckConstraint("NOT is_last OR state_sha256 IS NOT NULL", name=op.f("ck_checkpoints_state")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_checkpoints_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["state_sha256"], ["blobs.sha256"], name=op.f("fk_checkpoints_state_sha256")),
        sa.ForeignKeyConstraint(["weights_sha256"], ["blobs.sha256"], name=op.f("fk_checkpoints_weights_sha256")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoints")),
        sa.UniqueConstraint("job_id", "step", name=op.f("uq_checkpoints_job_id_step")),
    )
    for kind in ("best", "last"):
        where = sa.text(f"is_{kind}")
        index = (f"uq_checkpoints_{kind}", "checkpoints", ["job_id"])
        op.create_index(*index, unique=True, sqlite_where=where, postgresql_where=where)
    op.create_index(op.f("ix_checkpoints_state_sha256"), "checkpoints", ["state_sha256"], unique=False)
    op.create_index(op.f("ix_checkpoints_weights_sha256"), "checkpoints", ["weights_sha256"], unique=False)
    op.create_table(
        "job_events",
        sa.Column("job_id", sa.String(length=48), nullable=False),
        sa.Column("seq", INT, nullable=False),
        sa.Column("attempt", INT, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.CheckConstraint("level IN ('info', 'warning', 'error')", name=op.f("ck_job_events_level")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_events_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "seq", name=op.f("pk_job_events")),
    )
    op.create_table(
        "metrics",
        sa.Column("job_id", sa.String(length=48), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("step", INT, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("seq", INT, nullable=False),
        sa.CheckConstraint("step >= 0", name=op.f("ck_metrics_step")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_metrics_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "name", "step", name=op.f("pk_metrics")),
    )
    op.create_index("ix_metrics_job_id_seq", "metrics", ["job_id", "seq"], unique=False)
    op.create_table(
        "model_versions",
        sa.Column("model_id", sa.String(length=48), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("job_id", sa.String(length=48), nullable=True),
        sa.Column("dataset_id", sa.String(length=48), nullable=False),
        sa.Column("checkpoint_step", INT, nullable=False),
        sa.Column("weights_sha256", sa.String(length=64), nullable=False),
        sa.Column("onnx_sha256", sa.String(length=64), nullable=True),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("parameters", INT, nullable=False),
        sa.Column("preprocessing", JSON, nullable=False),
        sa.Column("metrics", JSON, nullable=False),
        sa.Column("spec", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "ready AND onnx_sha256 IS NOT NULL AND reason IS NULL OR NOT ready AND reason IS NOT NULL",
            name=op.f("ck_model_versions_ready"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_model_versions_version")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_model_versions_dataset_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_model_versions_job_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_model_versions_model_id")),
        sa.ForeignKeyConstraint(["onnx_sha256"], ["blobs.sha256"], name=op.f("fk_model_versions_onnx_sha256")),
        sa.ForeignKeyConstraint(["weights_sha256"], ["blobs.sha256"], name=op.f("fk_model_versions_weights_sha256")),
        sa.PrimaryKeyConstraint("model_id", "version", name=op.f("pk_model_versions")),
    )
    op.create_index(op.f("ix_model_versions_job_id"), "model_versions", ["job_id"], unique=False)
    op.create_index(op.f("ix_model_versions_onnx_sha256"), "model_versions", ["onnx_sha256"], unique=False)
    op.create_index(op.f("ix_model_versions_weights_sha256"), "model_versions", ["weights_sha256"], unique=False)
    op.create_table(
        "model_aliases",
        sa.Column("model_id", sa.String(length=48), nullable=False),
        sa.Column("alias", sa.String(length=64), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("revision", INT, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id", "version"],
            ["model_versions.model_id", "model_versions.version"],
            name=op.f("fk_model_aliases_model_id_version"),
        ),
        sa.PrimaryKeyConstraint("model_id", "alias", name=op.f("pk_model_aliases")),
    )
    op.execute("INSERT INTO catalog_revision (id, revision) VALUES (1, 1)")


def downgrade() -> None:
    op.drop_table("model_aliases")
    op.drop_index(op.f("ix_model_versions_weights_sha256"), table_name="model_versions")
    op.drop_index(op.f("ix_model_versions_onnx_sha256"), table_name="model_versions")
    op.drop_index(op.f("ix_model_versions_job_id"), table_name="model_versions")
    op.drop_table("model_versions")
    op.drop_index("ix_metrics_job_id_seq", table_name="metrics")
    op.drop_table("metrics")
    op.drop_table("job_events")
    op.drop_index(op.f("ix_checkpoints_weights_sha256"), table_name="checkpoints")
    op.drop_index(op.f("ix_checkpoints_state_sha256"), table_name="checkpoints")
    op.drop_table("checkpoints")
    op.drop_index(op.f("ix_jobs_worker_id"), table_name="jobs")
    op.drop_index("ix_jobs_tenant_list", table_name="jobs")
    op.drop_index(op.f("ix_jobs_model"), table_name="jobs")
    op.drop_index("ix_jobs_line", table_name="jobs")
    op.drop_index("ix_jobs_ended", table_name="jobs")
    op.drop_index(op.f("ix_jobs_dataset_id"), table_name="jobs")
    op.drop_table("jobs")
    op.drop_index(
        "uq_datasets_built_in",
        table_name="datasets",
        sqlite_where=sa.text("tenant IS NULL"),
        postgresql_where=sa.text("tenant IS NULL"),
    )
    op.drop_index(op.f("ix_datasets_sha256"), table_name="datasets")
    op.drop_index(op.f("ix_datasets_name"), table_name="datasets")
    op.drop_table("datasets")
    op.drop_table("blob_chunks")
    op.drop_index("ix_alias_moves_alias", table_name="alias_moves")
    op.drop_table("alias_moves")
    op.drop_index(op.f("ix_workers_seen_at"), table_name="workers")
    op.drop_table("workers")
    op.drop_table("models")
    op.drop_index(op.f("ix_idempotent_requests_created_at"), table_name="idempotent_requests")
    op.drop_table("idempotent_requests")
    op.drop_table("catalog_revision")
    op.drop_table("blobs")
    op.drop_table("api_keys")
