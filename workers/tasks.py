"""What a child is told to do, as plain data; its input files are fetched from the database first."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core import blobs, fleet
from core.catalog import models
from core.encode import Preprocessing
from core.jobs import Claim, prediction
from core.jobs.submit import sample_of
from core.predictions import fit
from core.specs import EvaluateJob, ExplainJob, IngestJob, PredictJob, TrainJob, TrainSpec
from core.tables import Dataset, Job
from workers.runtime import Runtime

COPIES = 3
"""Of an upload on the disk while it is read, at most: what archives unpack to, the samples, the file made of them."""


def make(runtime: Runtime, claim: Claim, scratch: Path, device: str, deadline: float) -> dict[str, Any]:
    """The task of one attempt; ``scratch`` is its folder, ``deadline`` the end of its lease (monotonic clock)."""
    if claim.kind == "train":
        own = _training(runtime, claim, scratch, device)
    else:
        makers = {"ingest": _ingest, "explain": _explain, "predict": _predict, "evaluate": _evaluate}
        own = makers[claim.kind](runtime, claim, scratch)
    return {
        "kind": claim.kind,
        "name": claim.lease.job_id[-12:],
        "scratch": str(scratch),
        "device": device.partition(":")[0],
        "visible": device.partition(":")[2],
        "deadline": deadline,
        **own,
    }


def _training(runtime: Runtime, claim: Claim, scratch: Path, device: str) -> dict[str, Any]:
    assert claim.dataset_sha256 is not None, "a training has a dataset"
    dataset = scratch / "dataset.safetensors"
    runtime.cache.give(runtime.database, claim.dataset_sha256, dataset)
    resume = []
    if claim.resume is not None:
        assert claim.resume.state_sha256 is not None, "the last checkpoint always has its state"
        for name, sha256 in (("weights", claim.resume.weights_sha256), ("state", claim.resume.state_sha256)):
            resume.append(str(scratch / f"resume-{name}.safetensors"))
            blobs.fetch(runtime.database, sha256, Path(resume[-1]))
    start = None
    if claim.start is not None:
        start = {
            "weights": str(scratch / "start.safetensors"),
            "keep_head": claim.start.keep_head,
            "tokens": claim.start.tokens,
        }
        blobs.fetch(runtime.database, claim.start.weights_sha256, scratch / "start.safetensors")
    request = TrainJob.model_validate(claim.spec)
    return {
        "spec": request.training.model_dump(mode="json"),
        "devices": request.devices,
        "dataset": str(dataset),
        "in_memory": claim.in_memory_bytes <= _limit(runtime, device),
        "resume": resume,
        "start": start,
        "threads": claim.threads,
        "stop_step": claim.stop_step,
        "checkpoint_seconds": claim.checkpoint_seconds,
    }


def _limit(runtime: Runtime, device: str) -> int:
    """Memory that an attempt may use: its slot's, and that of each of its GPUs, on which the data set lies too."""
    gpus = [one["memory_bytes"] for one in runtime.worker.devices if one["kind"] == "cuda"]
    numbers = [int(number) for number in device.partition(":")[2].split(",") if number]
    return min([fleet.slot_bytes(runtime.worker), *(int(gpus[number]) for number in numbers)])


def _ingest(runtime: Runtime, claim: Claim, scratch: Path) -> dict[str, Any]:
    spec = IngestJob.model_validate(claim.spec)
    uploads = []
    for position, one in enumerate(claim.inputs):
        path = scratch / f"upload-{position}"
        blobs.fetch(runtime.database, one.sha256, path)
        uploads.append({"name": one.name, "path": str(path)})
    return {
        "uploads": uploads,
        "options": spec.options.model_dump(mode="json"),
        "source": spec.source,
        "limit_bytes": shutil.disk_usage(scratch).free // COPIES,
        "memory_bytes": fleet.slot_bytes(runtime.worker) // 2,
    }


def _evaluate(runtime: Runtime, claim: Claim, scratch: Path) -> dict[str, Any]:
    assert claim.dataset_sha256 is not None, "a dataset on which a checkpoint is measured stays"
    request = EvaluateJob.model_validate(claim.spec)
    (file,) = claim.inputs
    dataset, weights = scratch / "dataset.safetensors", scratch / "weights.safetensors"
    runtime.cache.give(runtime.database, claim.dataset_sha256, dataset)
    blobs.fetch(runtime.database, file.sha256, weights)
    return {
        "spec": TrainJob.model_validate(request.trained).training.model_dump(mode="json"),
        "dataset": str(dataset),
        "weights": str(weights),
        "step": request.step,
        "epoch": request.epoch,
        "threads": claim.threads,
    }


def _explain(runtime: Runtime, claim: Claim, scratch: Path) -> dict[str, Any]:
    request = ExplainJob.model_validate(claim.spec)
    (sample,) = claim.inputs
    with runtime.database.reading() as session:
        name, version = models.refer(session, claim.tenant, request.model)
        dataset = session.get_one(Dataset, version.dataset_id)
        tokens = version.preprocessing.get("tokens")
        vocabulary = None if tokens is None else Preprocessing.from_dict(version.preprocessing).tokens
    weights, path = scratch / "weights.safetensors", scratch / "sample.json"
    blobs.fetch(runtime.database, version.weights_sha256, weights)
    blobs.fetch(runtime.database, sample.sha256, path)
    return {
        "model": name,
        "model_version": version.version,
        "spec": {field: version.spec[field] for field in TrainSpec.model_fields if field in version.spec},
        "plan_sample": asdict(sample_of(dataset, None if vocabulary is None else vocabulary.size)),
        "preprocessing": version.preprocessing,
        "classes": dataset.classes,
        "options": request.options.model_dump(mode="json"),
        "weights": str(weights),
        "sample": str(path),
        "threads": claim.threads,
    }


def _predict(runtime: Runtime, claim: Claim, scratch: Path) -> dict[str, Any]:
    """What is answered already lies in one file, behind whose end the attempt goes on."""
    request = PredictJob.model_validate(claim.spec)
    with runtime.database.reading() as session:
        dataset = session.get_one(Dataset, session.get_one(Job, claim.lease.job_id).dataset_id)
        asked = prediction.ask(session, claim.tenant, request, dataset)
    assert asked.version.onnx_sha256 is not None and claim.dataset_sha256 is not None, "it was checked"
    data, graph, written = (scratch / name for name in ("dataset.safetensors", "model.onnx", "answers"))
    runtime.cache.give(runtime.database, claim.dataset_sha256, data)
    blobs.fetch(runtime.database, asked.version.onnx_sha256, graph)
    stored = scratch / "stored"
    with written.open("wb") as file:
        for part in claim.parts:
            blobs.fetch(runtime.database, part.sha256, stored)  # checked against its hash
            with stored.open("rb") as source:
                shutil.copyfileobj(source, file)
            stored.unlink()
    return {
        "dataset": str(data),
        "graph": str(graph),
        "written": str(written),
        "done": claim.parts[-1].done if claim.parts else 0,
        "state": claim.parts[-1].state if claim.parts else None,
        "preprocessing": asked.version.preprocessing,
        "splits": fit.chosen(dataset.splits, request.split),
        "format": request.format,
        "layout": replace(asked.layout, top=request.top).as_dict(),
        "threads": claim.threads,
        "checkpoint_seconds": claim.checkpoint_seconds,
    }
