"""What routes ask for in their signatures. None of it touches the database, and none holds a session."""

from typing import Annotated

from fastapi import Depends, Request

from api.auth import Principal
from api.service import Service
from core.db import Database
from core.errors import Forbidden


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
