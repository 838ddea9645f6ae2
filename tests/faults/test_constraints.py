"""States that cannot be are refused by the database itself, whoever tries to store them, on both engines."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from core import jobs
from core.db import Database
from core.specs import TrainJob
from core.tables import (
    AliasMove,
    Base,
    Blob,
    BlobChunk,
    CatalogRevision,
    Checkpoint,
    Dataset,
    IdempotentRequest,
    Job,
    JobEvent,
    JobInput,
    JobOutput,
    Metric,
    Model,
    ModelAlias,
    ModelVersion,
    Worker,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHA, OTHER_SHA = "0" * 64, "1" * 64
Row = dict[str, Any]

#: (the constraint, the job that is changed, what is written into it)
UPDATES: list[tuple[str, str, Row]] = [
    ("ck_jobs_state", "queued", {"state": "dreaming"}),
    ("ck_jobs_kind", "queued", {"kind": "dream"}),
    ("ck_jobs_dataset", "queued", {"dataset_id": None}),
    ("ck_jobs_dataset", "queued", {"kind": "predict", "dataset_id": None}),
    ("ck_jobs_device", "queued", {"device": "tpu"}),
    ("ck_jobs_lease", "queued", {"worker_id": "{worker}"}),
    ("ck_jobs_lease", "queued", {"lease_expires_at": NOW}),
    ("ck_jobs_lease", "running", {"worker_id": None}),
    ("ck_jobs_lease", "running", {"lease_expires_at": None}),
    ("ck_jobs_lease", "running", {"claimed_at": None}),
    ("ck_jobs_finished", "queued", {"finished_at": NOW}),
    ("ck_jobs_finished", "queued", {"state": "cancelled"}),
    ("ck_jobs_error", "queued", {"error": {"code": "crashed"}}),
    ("ck_jobs_error", "queued", {"state": "failed", "finished_at": NOW}),
    ("ck_jobs_result", "queued", {"result": {"steps": 1}}),
    ("ck_jobs_result", "queued", {"state": "succeeded", "finished_at": NOW}),
    ("ck_jobs_started", "running", {"attempt": 0}),
    ("ck_jobs_started", "running", {"started_at": None}),
    ("ck_jobs_requested", "queued", {"requested": "cancel"}),
    ("ck_jobs_requested", "running", {"requested": "dance"}),
    ("ck_jobs_not_before", "running", {"not_before": NOW}),
    ("ck_jobs_model_version", "queued", {"model": "m", "model_version": 1}),
    ("ck_jobs_priority", "queued", {"priority": 101}),
    ("ck_jobs_counts", "queued", {"last_seq": -1}),
    ("ck_jobs_counts", "queued", {"max_attempts": 0}),
    ("ck_jobs_resume", "queued", {"resume": "perhaps"}),
    ("ck_jobs_sizes", "queued", {"devices": 0}),
    ("ck_jobs_sizes", "queued", {"parameters": -1}),
    ("ck_jobs_sizes", "queued", {"memory_bytes": -1}),
    ("ck_jobs_sizes", "queued", {"flops": -1}),
    ("ck_jobs_sizes", "queued", {"vocabulary": -1}),
    ("ck_jobs_steps", "running", {"claimed_step": -1}),
    ("ck_jobs_steps", "running", {"stop_step": -1}),
    ("ck_jobs_steps", "running", {"threads": 0}),
    ("ck_jobs_seconds", "queued", {"checkpoint_seconds": -0.5}),
    ("ck_jobs_seconds", "queued", {"timeout_seconds": 0.0}),
    ("fk_jobs_dataset_id", "queued", {"dataset_id": "ds_none"}),
]

#: Rows that can be. `{queued}` and `{running}` are the ids of the two jobs.
CHECKPOINT: Row = {
    "attempt": 1,
    "epoch": 1,
    "metrics": {},
    "weights_sha256": SHA,
    "state_sha256": SHA,
    "created_at": NOW,
}
BEST: Row = {**CHECKPOINT, "id": "c1", "job_id": "{running}", "step": 1, "is_best": True, "is_last": False}
LAST: Row = {**CHECKPOINT, "id": "c2", "job_id": "{queued}", "step": 1, "is_best": False, "is_last": True}
VERSION: Row = {
    "model_id": "model_1",
    "version": 1,
    "dataset_id": "{dataset}",
    "checkpoint_step": 1,
    "weights_sha256": SHA,
    "onnx_sha256": SHA,
    "ready": True,
    "reason": None,
    "parameters": 1,
    "preprocessing": {},
    "metrics": {},
    "spec": {},
    "created_at": NOW,
}
DATASET: Row = {
    "id": "ds_1",
    "tenant": None,
    "name": "mine",
    "version": 1,
    "kind": "image",
    "shape": [],
    "dtype": "uint8",
    "classes": [],
    "splits": {},
    "source": "",
    "size": 1,
    "sha256": SHA,
    "created_at": NOW,
}
BLOB: Row = {"id": "blob_1", "sha256": SHA, "size": 1, "stored_size": 1, "touched_at": NOW}
CHUNK: Row = {"blob_id": "blob_1", "number": 0, "codec": "raw", "data": b"x"}
METRIC: Row = {"job_id": "{running}", "name": "loss", "step": 1, "value": 1.0, "seq": 90}
EVENT: Row = {
    "job_id": "{running}",
    "seq": 90,
    "attempt": 1,
    "created_at": NOW,
    "level": "info",
    "type": "log",
    "message": "",
    "data": {},
}
INPUT: Row = {"job_id": "{queued}", "position": 0, "name": "a.zip", "size": 1, "sha256": SHA}
OUTPUT: Row = {"job_id": "{queued}", "position": 0, "done": 64, "size": 1, "sha256": SHA, "state": {}}
MODEL: Row = {"id": "model_1", "tenant": "t", "name": "m", "created_at": NOW}
WORKER: Row = {
    "id": "wrk_1",
    "name": "w",
    "host": "h",
    "pid": 1,
    "state": "online",
    "slots": 1,
    "threads": 1,
    "memory_bytes": 1,
    "devices": [],
    "versions": {},
    "started_at": NOW,
    "seen_at": NOW,
}
ALIAS: Row = {"model_id": "model_1", "alias": "production", "version": 1, "revision": 1, "updated_at": NOW}
MOVE: Row = {
    "id": "move_1",
    "model_id": "model_1",
    "alias": "production",
    "from_version": None,
    "to_version": 1,
    "moved_by": "me",
    "moved_at": NOW,
}
REQUEST: Row = {"tenant": "t", "route": "r", "key": "k", "request_sha256": SHA, "created_at": NOW}
POSSIBLE: list[tuple[type[Base], Row]] = [
    (Blob, BLOB),
    (BlobChunk, CHUNK),
    (Dataset, DATASET),
    (Model, MODEL),
    (ModelVersion, VERSION),
    (ModelAlias, ALIAS),
    (AliasMove, MOVE),
    (Checkpoint, BEST),
    (Checkpoint, LAST),
    (Metric, METRIC),
    (JobEvent, EVENT),
    (JobInput, INPUT),
    (JobOutput, OUTPUT),
    (IdempotentRequest, REQUEST),
]

#: (the constraint, the table, a row that can be, what makes it one that cannot)
INSERTS: list[tuple[str, type[Base], Row, Row]] = [
    ("ck_checkpoints_kept_for_a_reason", Checkpoint, BEST, {"id": "c3", "step": 2, "is_best": False}),
    ("ck_checkpoints_state", Checkpoint, LAST, {"id": "c3", "step": 2, "state_sha256": None}),
    ("uq_checkpoints_best", Checkpoint, BEST, {"id": "c3", "step": 2}),
    ("uq_checkpoints_last", Checkpoint, LAST, {"id": "c3", "step": 2}),
    ("uq_checkpoints_job_id_step", Checkpoint, BEST, {"id": "c3", "is_best": False, "is_last": True}),
    (
        "fk_checkpoints_weights_sha256",
        Checkpoint,
        LAST,
        {"id": "c3", "job_id": "{running}", "step": 2, "weights_sha256": OTHER_SHA},
    ),
    ("ck_checkpoints_counts", Checkpoint, LAST, {"id": "c3", "job_id": "{running}", "step": -1}),
    ("ck_checkpoints_counts", Checkpoint, LAST, {"id": "c3", "job_id": "{running}", "step": 2, "attempt": 0}),
    ("ck_checkpoints_counts", Checkpoint, LAST, {"id": "c3", "job_id": "{running}", "step": 2, "epoch": -1}),
    ("pk_metrics", Metric, METRIC, {"value": 2.0}),
    ("ck_metrics_step", Metric, METRIC, {"step": -1}),
    ("fk_metrics_job_id", Metric, METRIC, {"job_id": "job_none"}),
    ("pk_job_events", JobEvent, EVENT, {"message": "another"}),
    ("ck_job_events_level", JobEvent, EVENT, {"seq": 91, "level": "loud"}),
    ("pk_job_inputs", JobInput, INPUT, {"name": "b.zip"}),
    ("ck_job_inputs_sizes", JobInput, INPUT, {"position": 1, "size": -1}),
    ("fk_job_inputs_sha256", JobInput, INPUT, {"position": 1, "sha256": OTHER_SHA}),
    ("fk_job_inputs_job_id", JobInput, INPUT, {"position": 1, "job_id": "job_none"}),
    ("pk_job_outputs", JobOutput, OUTPUT, {"done": 128}),
    ("ck_job_outputs_sizes", JobOutput, OUTPUT, {"position": 1, "done": 0}),
    ("fk_job_outputs_sha256", JobOutput, OUTPUT, {"position": 1, "sha256": OTHER_SHA}),
    ("fk_job_outputs_job_id", JobOutput, OUTPUT, {"job_id": "job_none"}),
    ("uq_blobs_sha256", Blob, BLOB, {"id": "blob_2"}),
    ("ck_blobs_sizes", Blob, BLOB, {"id": "blob_2", "sha256": None, "size": -1}),
    ("ck_blob_chunks_codec", BlobChunk, CHUNK, {"number": 1, "codec": "lzma"}),
    ("fk_blob_chunks_blob_id", BlobChunk, CHUNK, {"blob_id": "blob_none"}),
    ("uq_datasets_built_in", Dataset, DATASET, {"id": "ds_2"}),
    ("ck_datasets_version", Dataset, DATASET, {"id": "ds_2", "version": 0}),
    ("ck_datasets_kind", Dataset, DATASET, {"id": "ds_2", "version": 2, "kind": "rumour"}),
    ("ck_datasets_task", Dataset, DATASET, {"id": "ds_2", "version": 2, "task": "guesswork"}),
    ("ck_datasets_sizes", Dataset, DATASET, {"id": "ds_2", "version": 2, "size": 0}),
    ("ck_datasets_sizes", Dataset, DATASET, {"id": "ds_2", "version": 2, "rate": 0}),
    ("uq_models_tenant_name", Model, MODEL, {"id": "model_2"}),
    ("pk_model_versions", ModelVersion, VERSION, {"parameters": 2}),
    ("ck_model_versions_version", ModelVersion, VERSION, {"version": 0}),
    ("ck_model_versions_ready", ModelVersion, VERSION, {"version": 2, "onnx_sha256": None}),
    ("ck_model_versions_ready", ModelVersion, VERSION, {"version": 2, "ready": False}),
    ("ck_model_versions_sizes", ModelVersion, VERSION, {"version": 2, "checkpoint_step": -1}),
    ("ck_model_versions_sizes", ModelVersion, VERSION, {"version": 2, "parameters": -1}),
    ("ck_model_aliases_revision", ModelAlias, ALIAS, {"alias": "staging", "revision": 0}),
    ("ck_alias_moves_versions", AliasMove, MOVE, {"id": "move_2", "from_version": 0}),
    ("ck_alias_moves_versions", AliasMove, MOVE, {"id": "move_2", "to_version": 0}),
    ("fk_model_aliases_model_id_version", ModelAlias, ALIAS, {"alias": "staging", "version": 7}),
    ("pk_idempotent_requests", IdempotentRequest, REQUEST, {"request_sha256": OTHER_SHA}),
    ("ck_idempotent_requests_status", IdempotentRequest, REQUEST, {"key": "another", "status": 0}),
    ("ck_catalog_revision_single", CatalogRevision, {}, {"id": 2, "revision": 1}),
    ("ck_catalog_revision_revision", CatalogRevision, {}, {"id": 1, "revision": 0}),
    ("ck_workers_state", Worker, WORKER, {"state": "asleep"}),
    *(("ck_workers_counts", Worker, WORKER, {name: 0}) for name in ("pid", "slots", "threads", "memory_bytes")),
]


@pytest.fixture
def world(database: Database, worker: Worker) -> dict[str, str]:
    """A queued job, a running one, and every row that can be; gives the ids."""
    request = TrainJob.model_validate({"dataset": "digits", "network": {"family": "rnn", "hidden": 4}})
    with database.transaction() as session:
        for used in (AliasMove, ModelAlias, ModelVersion, Model, BlobChunk, IdempotentRequest):
            session.execute(delete(used))
        session.execute(delete(Dataset).where(Dataset.id == DATASET["id"]))
        session.execute(delete(Blob).where(Blob.sha256 == SHA))
        jobs.submit(session, "default", request)
    with database.transaction() as session:
        running = jobs.claim(session, worker, 3600, {"cpu"})
        queued = jobs.submit(session, "default", request).id
        dataset = session.scalars(select(Dataset.id).limit(1)).one()
    assert running is not None
    ids = {"running": running.lease.job_id, "queued": queued, "dataset": dataset, "worker": worker.id}
    with database.transaction() as session:
        for table, row in POSSIBLE:
            session.execute(insert(table).values(filled(row, ids)))
    return ids


def filled(row: Row, ids: dict[str, str]) -> Row:
    return {name: value.format(**ids) if isinstance(value, str) else value for name, value in row.items()}


def assert_names(error: IntegrityError, constraint: str, database: Database) -> None:
    """SQLite tells the names of its CHECK constraints only."""
    kind = constraint.partition("_")[0]
    said = {"uq": "UNIQUE constraint failed", "pk": "UNIQUE constraint failed", "fk": "FOREIGN KEY constraint failed"}
    assert (said.get(kind, constraint) if database.is_sqlite else constraint) in str(error.orig)


@pytest.mark.parametrize(("constraint", "state", "change"), UPDATES, ids=lambda value: str(value))
def test_no_job_can_be(database: Database, world: dict[str, str], constraint: str, state: str, change: Row) -> None:
    with pytest.raises(IntegrityError) as refused, database.transaction() as session:
        session.execute(update(Job).where(Job.id == world[state]).values(filled(change, world)))
    assert_names(refused.value, constraint, database)


@pytest.mark.parametrize(("constraint", "table", "possible", "change"), INSERTS, ids=lambda value: str(value)[:40])
def test_no_row_can_be(
    database: Database, world: dict[str, str], constraint: str, table: type[Base], possible: Row, change: Row
) -> None:
    with pytest.raises(IntegrityError) as refused, database.transaction() as session:
        session.execute(insert(table).values(filled({**possible, **change}, world)))
    assert_names(refused.value, constraint, database)


def test_every_constraint_has_a_name_and_every_check_was_tried() -> None:
    """Nameless ones could never be migrated on both databases."""
    constraints = [constraint for table in Base.metadata.tables.values() for constraint in table.constraints]
    assert None not in {constraint.name for constraint in constraints}
    checks = {str(constraint.name) for constraint in constraints if isinstance(constraint, CheckConstraint)}
    assert checks - {one[0] for one in UPDATES} - {one[0] for one in INSERTS} == set()
