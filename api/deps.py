"""What routes ask for in their signatures. None of it touches the database, and none holds a session."""

from typing import Annotated

from fastapi import Depends, Request

from api.auth import Principal
from api.pointers import unknown_parameter
from api.service import Service
from core.db import Database
from core.errors import Forbidden


async def only_known_parameters(request: Request) -> None:
    """Hold ``/v1`` to the parameters that its document has: a misspelt filter would let everything through.

    Raises:
        Invalid: names the parameter that is not known.
    """
    path = request.scope["route"].path
    if not request.query_params or not path.startswith("/v1/"):
        return
    known: frozenset[str] = request.app.state.parameters[request.method, path]
    for name in request.query_params:
        if name not in known and f"{name.partition('[')[0]}[" not in known:
            raise unknown_parameter(name, (one for one in known if not one.endswith("[")))


async def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


ServiceDep = Annotated[Service, Depends(_service)]


async def _principal(request: Request, service: ServiceDep) -> Principal:
    return service.access.principal(request.headers)


Caller = Annotated[Principal, Depends(_principal)]


async def _admin(caller: Caller) -> Principal:
    if not caller.admin:
        raise Forbidden("this needs an administrator's key")
    return caller


Admin = Annotated[Principal, Depends(_admin)]


async def _database(service: ServiceDep) -> Database:
    return service.database


DatabaseDep = Annotated[Database, Depends(_database)]
