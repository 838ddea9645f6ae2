"""The files of a model version, for whoever runs it elsewhere: its ONNX graph, its weights, and what they mean."""

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from api import express, objects
from api.answers import NOT_MODIFIED, conditional, documented
from api.deps import Caller, DatabaseDep
from api.downloads import File, IfRange, Range, documented_file, send_blob
from api.routes.models import numbered
from core import blobs
from core.catalog import models
from core.db import Database
from core.errors import Conflict
from core.tables import Dataset, ModelVersion

router = APIRouter(prefix="/v1/models/{name}/versions/{version}", tags=["models"])
BINARY = "application/octet-stream"
ONNX = documented_file((BINARY,), "The ONNX graph, with its preprocessing and classes in its metadata.", "conflict")
WEIGHTS = documented_file((BINARY,), "The weights as safetensors: the plain state dict of the network.")


@router.get("/manifest", responses=documented(objects.Manifest, "not_found", also=NOT_MODIFIED))
def get_manifest(request: Request, name: str, version: str, caller: Caller, database: DatabaseDep) -> Response:
    """What a version reads and answers, what made it, and the hashes of its files."""
    with database.reading() as session:
        row = models.find_version(session, caller.tenant, name, numbered(name, version))
        dataset = session.get_one(Dataset, row.dataset_id)
        sizes = {sha256: blobs.size(session, sha256) for sha256 in (row.weights_sha256, row.onnx_sha256) if sha256}
    return conditional(request, _manifest(name, row, dataset, sizes))


@router.get("/onnx", responses=ONNX, response_class=StreamingResponse)
def get_onnx(
    request: Request,
    name: str,
    version: str,
    caller: Caller,
    database: DatabaseDep,
    range_: Range = None,
    if_range: IfRange = None,
) -> Response:
    """The graph that predictions run, for any ONNX runtime."""
    return _onnx(request, database, _found(database, caller.tenant, name, version), name, range_, if_range)


@router.head("/onnx", responses=ONNX, response_class=Response)
def head_onnx(
    request: Request, name: str, version: str, caller: Caller, database: DatabaseDep, range_: Range = None
) -> Response:
    """Size and hash of a version's graph."""
    return _onnx(request, database, _found(database, caller.tenant, name, version), name, range_, None)


@router.get("/weights", responses=WEIGHTS, response_class=StreamingResponse)
def get_version_weights(
    request: Request,
    name: str,
    version: str,
    caller: Caller,
    database: DatabaseDep,
    range_: Range = None,
    if_range: IfRange = None,
) -> Response:
    """The weights, byte for byte those of the checkpoint that the version was made from."""
    row = _found(database, caller.tenant, name, version)
    return _send(request, database, row.weights_sha256, f"{name}-{row.version}.safetensors", range_, if_range)


@router.head("/weights", responses=WEIGHTS, response_class=Response)
def head_version_weights(
    request: Request, name: str, version: str, caller: Caller, database: DatabaseDep, range_: Range = None
) -> Response:
    """Size and hash of a version's weights."""
    row = _found(database, caller.tenant, name, version)
    return _send(request, database, row.weights_sha256, f"{name}-{row.version}.safetensors", range_, None)


def _manifest(name: str, row: ModelVersion, made_from: Dataset, sizes: dict[str, int]) -> objects.Manifest:
    def file(sha256: str) -> objects.StoredFile:
        return {"sha256": sha256, "size_bytes": sizes[sha256]}

    return {
        "object": "manifest",
        "model": name,
        "version": row.version,
        "job": row.job_id,
        "checkpoint_step": row.checkpoint_step,
        "created_at": row.created_at,
        "dataset": {"id": made_from.id, "name": made_from.name, "version": made_from.version},
        "task": made_from.task,
        "input": express.input_of(row, made_from),
        "preprocessing": row.preprocessing,
        "classes": made_from.classes,
        "columns": made_from.columns,
        "targets": made_from.targets,
        "parameters": row.parameters,
        "metrics": row.metrics,
        "spec": row.spec,
        "weights": file(row.weights_sha256),
        "onnx": None if row.onnx_sha256 is None else file(row.onnx_sha256),
        "reason": row.reason,
    }


def _found(database: Database, tenant: str, name: str, version: str) -> ModelVersion:
    with database.reading() as session:
        return models.find_version(session, tenant, name, numbered(name, version))


def _onnx(
    request: Request, database: Database, row: ModelVersion, name: str, range_: str | None, if_range: str | None
) -> Response:
    if row.onnx_sha256 is None:
        raise Conflict(f"model {name} version {row.version} has no ONNX file: {row.reason}")
    return _send(request, database, row.onnx_sha256, f"{name}-{row.version}.onnx", range_, if_range)


def _send(
    request: Request, database: Database, sha256: str, name: str, range_: str | None, if_range: str | None
) -> Response:
    with database.reading() as session:
        size = blobs.size(session, sha256)
    return send_blob(request, database, File(sha256, size, name, BINARY), range_, if_range)
