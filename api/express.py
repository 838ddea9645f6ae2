"""Rows of the database as the API's objects. Only a job's needs to look around (line, plan, dataset)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from api import objects
from core import fleet
from core.catalog.models import PRODUCTION
from core.db import now
from core.jobs.lanes import lane_of
from core.jobs.line import Place, places, remaining_seconds
from core.jobs.submit import Intake, make_plan, sample_of
from core.plan import Plan
from core.plan_forecast import windowed
from core.specs import Data, TrainJob
from core.tables import AliasMove, ApiKey, Checkpoint, Dataset, Job, JobEvent, Model, ModelAlias, ModelVersion, Worker

_LAYER_FIELDS = ("name", "kind", "input", "output", "parameters", "flops", "activation_bytes")


def jobs(session: Session, rows: Sequence[Job]) -> list[objects.Job]:
    """Jobs as a list shows them."""
    lines, at = places(session, rows), now(session)
    wanted = {row.dataset_id for row in rows if row.dataset_id is not None}
    found = session.execute(select(Dataset.id, Dataset.name, Dataset.version).where(Dataset.id.in_(wanted)))
    datasets: dict[str, objects.DatasetRef] = {one.id: {**one._mapping} for one in found}  # type: ignore[typeddict-item]
    return [_job(row, datasets.get(str(row.dataset_id)), lines.get(row.id), at) for row in rows]


def job(session: Session, row: Job) -> objects.Job:
    """One job, with its layers."""
    (shown,) = jobs(session, [row])
    if row.kind != "train":
        return shown
    dataset = session.get_one(Dataset, row.dataset_id)
    plan = make_plan(TrainJob.model_validate(row.spec), dataset, row.vocabulary)
    return {**shown, "layers": layers(plan)}


def accepted(session: Session, intake: Intake) -> list[objects.Job]:
    """The jobs that were accepted in this very transaction, with their layers."""
    lines = places(session, [one.job for one in intake.accepted], intake.online)
    found = []
    for one in intake.accepted:
        row, dataset = one.job, one.dataset
        reference: objects.DatasetRef = {"id": dataset.id, "name": dataset.name, "version": dataset.version}
        shown = _job(row, reference, lines.get(row.id), row.created_at)
        found.append(cast(objects.Job, {**shown, "layers": None if one.plan is None else layers(one.plan)}))
    return found


def layers(plan: Plan) -> list[objects.Layer]:
    """The table of a network's layers."""
    return [cast(objects.Layer, {field: getattr(one, field) for field in _LAYER_FIELDS}) for one in plan.layers]


def _job(row: Job, dataset: objects.DatasetRef | None, place: Place | None, at: datetime) -> objects.Job:
    left = remaining_seconds(row, at)
    spec, trains = row.spec, row.kind == "train"
    return {
        "id": row.id,
        "object": "job",
        "kind": cast(objects.Kind, row.kind),
        "status": cast(objects.State, row.state),
        "requested": cast(Literal["cancel", "pause"] | None, row.requested),
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        # to the second: the same until the next progress report, so that polling gets 304s
        "estimated_finish": None if left is None else (at + timedelta(seconds=left)).replace(microsecond=0),
        "dataset": dataset,
        "model": row.model,
        "model_version": row.model_version,
        "ingest": _asked(row, "ingest", "dataset", "options", "source"),
        "explain": _asked(row, "explain", "model", "options"),
        "predict": _asked(row, "predict", "model", "split", "format", "top"),
        "evaluate": _asked(row, "evaluate", "job", "checkpoint", "step"),
        "fine_tune_from": spec.get("fine_tune_from"),
        "network": spec.get("network"),
        "data": spec.get("data"),
        "hyperparameters": spec.get("hyperparameters"),
        "seed": spec.get("seed"),
        "device": row.device,
        "devices": row.devices,
        "priority": row.priority,
        "metadata": row.labels,
        "checkpoint_seconds": row.checkpoint_seconds,
        "max_attempts": row.max_attempts,
        "timeout_seconds": row.timeout_seconds,
        "parameters": row.parameters if trains else None,
        "memory_bytes": row.memory_bytes,
        "flops_per_sample": row.flops if trains else None,
        "layers": None,
        "progress": _progress(row.progress),
        "attempt": row.attempt,
        "worker": row.worker_id,
        "threads": row.threads,
        "queue": None
        if place is None
        else {"position": place.position, "expected_start": place.expected_start, "reason": place.reason},
        "waiting_for": None if place is None or place.waiting_for is None else {"reason": place.waiting_for},
        "resume": cast(Literal["exact", "approximate"] | None, row.resume),
        "resume_reason": row.resume_reason,
        "error": cast(objects.Failure | None, row.error),
        "result": row.result,
        "replay_of": None if row.replay is None else row.replay["of"],
        "last_seq": row.last_seq,
    }


def _asked(row: Job, kind: str, *fields: str) -> Any:
    """What a job of this kind was asked for; null of all others."""
    return {field: row.spec[field] for field in fields} if row.kind == kind else None


def _progress(stored: dict[str, Any] | None) -> objects.Progress | None:
    if stored is None:
        return None
    step, total = stored["step"], stored.get("total_steps")
    return {
        "stage": stored.get("stage"),
        "step": step,
        "total_steps": total,
        "epoch": stored.get("epoch"),
        "epochs": stored.get("epochs"),
        "ratio": min(1.0, step / total) if total else None,
    }


def event(row: JobEvent) -> objects.Event:
    """One row of a job's history."""
    return {
        "object": "event",
        "job": row.job_id,
        "seq": row.seq,
        "created_at": row.created_at,
        "attempt": row.attempt,
        "level": cast(Literal["info", "warning", "error"], row.level),
        "type": row.type,
        "message": row.message,
        "data": row.data,
    }


def checkpoint(row: Checkpoint, size: int) -> objects.Checkpoint:
    """A checkpoint whose weights file has ``size`` bytes."""
    return {
        "object": "checkpoint",
        "id": row.id,
        "job": row.job_id,
        "step": row.step,
        "epoch": row.epoch,
        "attempt": row.attempt,
        "best": row.is_best,
        "last": row.is_last,
        "metrics": row.metrics,
        "size_bytes": size,
        "weights_sha256": row.weights_sha256,
        "created_at": row.created_at,
    }


def dataset(row: Dataset) -> objects.Dataset:
    """A dataset version."""
    return {
        "object": "dataset",
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "kind": row.kind,
        "task": row.task,
        "created_at": row.created_at,
        "shape": row.shape,
        "lengths": row.lengths,
        "rate": row.rate,
        "dtype": row.dtype,
        "classes": row.classes,
        "columns": row.columns,
        "targets": row.targets,
        "splits": row.splits,
        "size_bytes": row.size,
        "sha256": row.sha256,
        "source": row.source,
        "findings": row.findings,
    }


def model(
    row: Model, served: list[objects.Served], versions: int, latest: int | None, aliases: dict[str, int], ready: bool
) -> objects.Model:
    """A model; its alias ``production`` (if it is ``ready``) decides what it serves, else the ``latest`` that is."""
    production = aliases.get(PRODUCTION)
    return {
        "object": "model",
        "name": row.name,
        "created_at": row.created_at,
        "production": production,
        "latest_ready": latest,
        "serves": latest if production is None else production if ready else None,
        "versions": versions,
        "aliases": aliases,
        "served": served,
    }


def version(name: str, row: ModelVersion, made_from: Dataset, served: objects.Served) -> objects.ModelVersion:
    """A model version as a list shows it: its preprocessing, whose vocabulary may be long, is left out."""
    return {
        "object": "model_version",
        "model": name,
        "version": row.version,
        "job": row.job_id,
        "fine_tune_from": row.spec.get("fine_tune_from"),
        "checkpoint_step": row.checkpoint_step,
        "created_at": row.created_at,
        "ready": row.ready,
        "reason": row.reason,
        "weights_sha256": row.weights_sha256,
        "onnx_sha256": row.onnx_sha256,
        "parameters": row.parameters,
        "task": made_from.task,
        "input": input_of(row, made_from),
        "preprocessing": None,
        "classes": made_from.classes,
        "columns": made_from.columns,
        "targets": made_from.targets,
        "metrics": row.metrics,
        "dataset": {"id": made_from.id, "name": made_from.name, "version": made_from.version},
        "spec": row.spec,
        "served": served,
    }


def input_of(row: ModelVersion, read: Dataset) -> objects.Input:
    """One sample that a version reads; of a forecast's table the window that is seen."""
    table = read.task == "forecast"
    shape = list(windowed(sample_of(read), Data.model_validate(row.spec["data"])).shape) if table else read.shape
    return {"kind": read.kind, "shape": shape, "dtype": read.dtype}


def alias(name: str, row: ModelAlias) -> objects.Alias:
    """An alias of a model."""
    return {
        "object": "alias",
        "model": name,
        "alias": row.alias,
        "version": row.version,
        "updated_at": row.updated_at,
    }


def alias_move(row: AliasMove) -> objects.AliasMove:
    """One entry of an alias's history."""
    return {
        "object": "alias_move",
        "alias": row.alias,
        "from": row.from_version,
        "to": row.to_version,
        "by": row.moved_by,
        "reason": row.reason,
        "at": row.moved_at,
    }


def worker(row: Worker, at: datetime, running: Sequence[tuple[str, str, str]], tenant: str) -> objects.Worker:
    """A worker at a time of the database's clock; ``running`` are (id, tenant, kind) of its jobs."""
    return {
        "object": "worker",
        "id": row.id,
        "name": row.name,
        "host": row.host,
        "pid": row.pid,
        "status": cast(Literal["online", "stopping", "offline"], fleet.status(row, at)),
        "slots": row.slots,
        "busy": sum(lane_of(kind) == "long" for _, _, kind in running),
        "devices": row.devices,
        "memory_bytes": row.memory_bytes,
        "threads": row.threads,
        "started_at": row.started_at,
        "seen_at": row.seen_at,
        "versions": row.versions,
        "jobs": [job_id for job_id, owner, _ in running if owner == tenant],
    }


def key(row: ApiKey) -> objects.Key:
    """An API key, without its secret."""
    return {
        "object": "key",
        "id": row.id,
        "name": row.name,
        "tenant": row.tenant,
        "admin": row.admin,
        "created_at": row.created_at,
        "revoked_at": row.revoked_at,
    }
