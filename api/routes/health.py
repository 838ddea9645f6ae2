"""Is it alive, is it ready, what is it: for orchestrators, Prometheus and people."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from kombu.connection import Connection
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import TypedDict

from api import VERSION, objects
from api.answers import documented, json
from api.deps import Admin, Caller, DatabaseDep, ServiceDep
from api.errors import FULL, problem
from api.service import Service
from core import blobs
from core.db import disk_is_full
from core.settings import Settings
from migrations.upgrade import is_current

router = APIRouter(tags=["service"])
BROKER_SECONDS = 5
"""What a broker that is busy is given; one that is away is known at once."""


class Live(TypedDict):
    """The process answers."""

    status: Literal["alive"]


class Ready(TypedDict):
    """Everything that requests need is there. ``checks`` only when asked for with ``verbose``."""

    status: Literal["ready"]
    checks: dict[str, str] | None


@router.get("/livez", responses=documented(Live))
async def livez() -> Response:
    """Whether the process answers; asks nobody else."""
    return json({"status": "alive"})


@router.get("/readyz", responses=documented(Ready, "unavailable"))
def readyz(
    request: Request,
    service: ServiceDep,
    verbose: Annotated[Literal["", "true", "false"] | None, Query(description="Tell the checks one by one.")] = None,
) -> Response:
    """Whether database, schema and broker are there, the database has room, and the process is not ending."""
    checks = {name: _result(check, service) for name, check in CHECKS.items()}
    failed = {name: result for name, result in checks.items() if result != "ok"}
    told = verbose in ("", "true")
    if failed:
        detail = "; ".join(f"{name}: {result}" for name, result in failed.items())
        return problem(request.scope, "unavailable", detail, more={"checks": checks} if told else None)
    return json({"status": "ready", "checks": checks if told else None})


def _database(service: Service) -> str:
    with service.database.reading() as session:
        session.execute(text("SELECT 1"))
    if service.database.may_be_full:
        blobs.probe(service.database)
    return "ok"


def _schema(service: Service) -> str:
    if not service.schema_current:  # a schema never becomes older under a running process
        service.schema_current = is_current(service.database)
    return "ok" if service.schema_current else "not the newest; run python -m migrations"


def _broker(service: Service) -> str:
    with _connection(service.settings) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)
        connection.default_channel.client.ping()
    return "ok"


def _connection(settings: Settings) -> Connection:
    options = {"socket_timeout": BROKER_SECONDS, "socket_connect_timeout": BROKER_SECONDS}
    return Connection(settings.broker_url, transport_options=options)  # type: ignore[no-untyped-call]  # kombu has few types


def _process(service: Service) -> str:
    return "stopping" if service.stopping.is_set() else "ok"


CHECKS: dict[str, Callable[[Service], str]] = {
    "process": _process,
    "database": _database,
    "schema": _schema,
    "broker": _broker,
}


def _result(check: Callable[[Service], str], service: Service) -> str:
    try:
        return check(service)
    except (SQLAlchemyError, BrokerError, OSError) as error:
        if disk_is_full(error):
            return FULL
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


@router.get("/v1/info", responses=documented(objects.Info))
async def get_info(caller: Caller, service: ServiceDep) -> Response:
    """The version that runs, and since when."""
    return json({"object": "info", "version": VERSION, "started_at": service.started_at})


EXPOSITION = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text format."}
}


@router.get("/metrics", responses=documented(None, also=EXPOSITION), response_class=Response)
def get_prometheus(admin: Admin, service: ServiceDep, database: DatabaseDep) -> Response:
    """Metrics for Prometheus: the system's state from the database, requests and predictions of this process."""
    with database.reading() as session:
        body = service.counters.exposition(session)
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")
