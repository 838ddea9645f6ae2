"""The Open Inference Protocol but for inference itself: the server, its health, the models and their tensors."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from typing_extensions import TypedDict

from api import VERSION
from api.answers import documented, json
from api.deps import Caller, DatabaseDep, ServiceDep
from api.protocol import metadata
from api.protocol.document import TAG
from api.protocol.infer import reference
from api.service import Service
from core.errors import Unavailable
from core.tables import Model, ModelVersion

router = APIRouter(prefix="/v2", tags=[TAG])
EXTENSIONS = ["binary_tensor_data"]


class Server(TypedDict):
    """What answers, and which extensions of the protocol it knows."""

    name: Literal["epochd"]
    version: str
    extensions: list[str]


class Live(TypedDict):
    """The process answers."""

    live: Literal[True]


class Ready(TypedDict):
    """Inference requests can be answered."""

    ready: Literal[True]


class ModelReady(TypedDict):
    """The version is loaded."""

    name: str
    ready: Literal[True]


class Indexed(TypedDict):
    """A version in the repository; ``reason`` says why one is unavailable."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str


class IndexRequest(BaseModel):
    """What to list."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ready: bool = False


@router.get("", responses=documented(Server))
async def get_server(caller: Caller) -> Response:
    """The server's metadata."""
    return json({"name": "epochd", "version": VERSION, "extensions": EXTENSIONS})


@router.get("/health/live", responses=documented(Live))
async def get_live() -> Response:
    """Whether the process answers."""
    return json({"live": True})


@router.get("/health/ready", responses=documented(Ready, "unavailable"))
async def get_ready(service: ServiceDep) -> Response:
    """Whether inference can be answered: for as long as the catalog is known, even while the database is away."""
    if service.stopping.is_set():
        raise Unavailable("the process is stopping")
    _ = service.watch.revision
    return json({"ready": True})


REFUSED = ("not_found", "conflict", "invalid_request")


@router.get("/models/{name}", responses=documented(metadata.Metadata, *REFUSED))
def get_metadata(name: str, caller: Caller, service: ServiceDep) -> Response:
    """The tensors of the version that a name (or name@alias) means now."""
    return _metadata(service, caller.tenant, name, None)


@router.get("/models/{name}/versions/{version}", responses=documented(metadata.Metadata, *REFUSED))
def get_version_metadata(name: str, version: str, caller: Caller, service: ServiceDep) -> Response:
    """The tensors of one version."""
    return _metadata(service, caller.tenant, name, version)


def _metadata(service: Service, tenant: str, name: str, number: str | None) -> Response:
    version = service.predict.versions.look_up(tenant, reference(name, number))
    newest = ModelVersion.version.desc()
    ready = select(ModelVersion.version).where(ModelVersion.model_id == version.model_id, ModelVersion.ready)
    with service.database.reading() as session:
        numbers = list(session.scalars(ready.order_by(newest)))
    return json(metadata.describe(version, numbers))


@router.get("/models/{name}/ready", responses=documented(ModelReady, *REFUSED))
async def get_model_ready(name: str, caller: Caller, service: ServiceDep) -> Response:
    """Whether the version that a name means now can be asked; it is loaded if it is not yet."""
    return await _ready(service, caller.tenant, name, None)


@router.get("/models/{name}/versions/{version}/ready", responses=documented(ModelReady, *REFUSED))
async def get_version_ready(name: str, version: str, caller: Caller, service: ServiceDep) -> Response:
    """Whether one version can be asked; it is loaded if it is not yet."""
    return await _ready(service, caller.tenant, name, version)


async def _ready(service: Service, tenant: str, name: str, number: str | None) -> Response:
    loaded = await service.predict.versions.get(tenant, reference(name, number))
    metadata.require_answers(loaded.version)
    return json({"name": loaded.version.model, "ready": True})


@router.post("/repository/index", responses=documented(list[Indexed], "invalid_request"))
def post_index(caller: Caller, database: DatabaseDep, body: Annotated[IndexRequest | None, Body()] = None) -> Response:
    """Every version of every model; only those that are ready where that is asked for."""
    wanted: Any = (
        select(Model.name, ModelVersion.version, ModelVersion.ready, ModelVersion.reason)
        .join(ModelVersion, ModelVersion.model_id == Model.id)
        .where(Model.tenant == caller.tenant)
        .order_by(Model.name, ModelVersion.version)
    )
    if body is not None and body.ready:
        wanted = wanted.where(ModelVersion.ready)
    with database.reading() as session:
        rows = list(session.execute(wanted))
    return json(
        [
            Indexed(name=name, version=str(number), state="READY" if ready else "UNAVAILABLE", reason=reason or "")
            for name, number, ready, reason in rows
        ]
    )
