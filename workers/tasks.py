"""What a child is told to do, as plain data; its input files are fetched from the database first."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core import blobs, fleet
from core.catalog import models
from core.encode import Preprocessing
from core.jobs import Claim
from core.jobs.submit import sample_of
from core.specs import ExplainJob, IngestJob, TrainJob, TrainSpec
from core.tables import Dataset
from workers.runtime import Runtime

COPIES = 3
"""Of an upload on the disk while it is read, at most: what archives unpack to, the samples, the file made of them."""


def make(runtime: Runtime, claim: Claim, scratch: Path, device: str, deadline: float) -> dict[str, Any]:
    """The task of one attempt; ``scratch`` is its folder, ``deadline`` the end of its lease (monotonic clock)."""
    if claim.kind == "train":
        own = _training(runtime, claim, scratch, device)
    else:
        own = {"ingest": _ingest, "explain": _explain}[claim.kind](runtime, claim, scratch)
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
