"""The application: routes, error mapping, documentation, and the layer around them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from starlette.routing import Route

from api import VERSION, errors, openapi
from api.deps import only_known_parameters
from api.edge import Edge
from api.protocol import infer
from api.routes import (
    aliases,
    checkpoints,
    datasets,
    estimates,
    explanations,
    exports,
    health,
    history,
    jobs,
    keys,
    models,
    pages,
    predictions,
    protocol,
    uploads,
    versions,
    workers,
)
from api.service import Service
from api.serving import predict
from api.serving.direct import Direct
from api.serving.ledger import Ledger
from api.tally import Tally
from core.settings import Settings

ROUTERS = (
    jobs,
    estimates,
    history,
    checkpoints,
    predictions,
    datasets,
    uploads,
    models,
    aliases,
    versions,
    exports,
    explanations,
    workers,
    keys,
    health,
    protocol,
)


def create_app(settings: Settings, ledger: Ledger | None = None, tally: Tally | None = None) -> Edge:
    """The whole API of one process; its parts start and end with the ASGI lifespan.

    ``ledger`` and ``tally`` are shared by the processes of one API.
    """
    service = Service.wire(settings, ledger or Ledger(), tally or Tally())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.start)
        yield
        service.tailer.stop()
        await asyncio.to_thread(service.stop)

    app = FastAPI(
        title="Epochd",
        version=VERSION,
        summary="A model-training service.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False},
        dependencies=[Depends(only_known_parameters)],
    )
    app.state.service = service
    tensors = infer.Infer(service)
    answering: dict[str, Any] = {
        predict.PATH: service.predict,
        infer.PATH: tensors,
        infer.VERSION_PATH: tensors,
    }
    routes = [Route(path, one, methods=["POST"], include_in_schema=False) for path, one in answering.items()]
    app.router.routes.extend(routes)  # for other methods, and for whoever lists the routes
    for module in ROUTERS:
        app.include_router(module.router)
    app.router.routes.extend(pages.routes())
    errors.install(app)
    openapi.install(app, keys_required=settings.keys_required)
    direct = Direct(
        service.predict,
        service.watch,
        service.access,
        service.counters,
        list(zip(routes, answering.values(), strict=True)),
        settings.max_body_bytes,
    )
    return Edge(app, service, routes, direct)
