"""What a job leaves behind while it runs: events, metrics, and the live stream of both."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from api import express, objects
from api.answers import NOT_MODIFIED, conditional, documented
from api.deps import Caller, DatabaseDep, ServiceDep
from api.paging import LINK, Limit, NumberCursor, Page, page
from api.stream import EventStream
from api.submissions import find
from core.db import Database
from core.jobs.history import series
from core.tables import ENDED, JobEvent

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])


@router.get("/events", responses=documented(Page[objects.Event], "not_found", also=NOT_MODIFIED, headers=LINK))
def list_events(
    request: Request,
    job_id: str,
    caller: Caller,
    database: DatabaseDep,
    limit: Limit = 20,
    after: NumberCursor = None,
    order: Annotated[Literal["asc", "desc"], Query()] = "asc",
) -> Response:
    """The history of a job, oldest or newest first."""
    number = JobEvent.seq if order == "asc" else JobEvent.seq.desc()
    wanted = select(JobEvent).where(JobEvent.job_id == job_id).order_by(number).limit(limit + 1)
    if after is not None:
        wanted = wanted.where(JobEvent.seq > int(after) if order == "asc" else JobEvent.seq < int(after))
    with database.reading() as session:
        find(session, caller.tenant, job_id)
        rows = list(session.scalars(wanted))
    return page(request, [express.event(row) for row in rows], limit, [str(row.seq) for row in rows])


@router.get("/metrics", responses=documented(objects.Metrics, "not_found", also=NOT_MODIFIED))
def get_metrics(
    request: Request,
    job_id: str,
    caller: Caller,
    database: DatabaseDep,
    name: Annotated[
        list[Annotated[str, Query(pattern=r"^[a-z_]{1,64}$")]] | None,
        Query(max_length=32, description="Only these series; may be repeated."),
    ] = None,
    max_points: Annotated[int, Query(ge=2, le=5000, description="Most points of one series.")] = 500,
) -> Response:
    """The curves. A series with more points is thinned so that every peak, the first and the last point stay."""
    with database.reading() as session:
        # read first: what is written meanwhile comes again with the stream from this number on
        last_seq = find(session, caller.tenant, job_id).last_seq
        found = series(session, job_id, name or [], max_points)
    data = [{"name": one.name, "total": one.total, "points": one.points} for one in found]
    return conditional(request, {"object": "metrics", "job": job_id, "last_seq": last_seq, "data": data})


MESSAGE = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "id": {"type": "string", "description": "The sequence number, to resume from."},
        "event": {"type": "string", "enum": ["event", "metrics", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
STREAM = {
    200: {
        "description": "`event: event` (an event object), `event: metrics` ({seq, points}), at last `event: end`"
        " ({status}); ids are sequence numbers.",
        "content": {"text/event-stream": {"schema": MESSAGE}},
    },
    204: {"description": "The job has ended and everything was seen."},
}
Number = Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^[0-9]{1,18}$")]


@router.get(
    "/stream", status_code=200, responses=documented(None, "not_found", also=STREAM), response_class=EventStream
)
async def stream_job(
    job_id: str,
    caller: Caller,
    service: ServiceDep,
    last_event_id: Number = None,
    after: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="As Last-Event-ID.")] = None,
) -> Response:
    """Everything that is recorded about a job, as it happens (server-sent events). It goes on after any restart."""
    seq = int(last_event_id or after or 0)
    if await run_in_threadpool(_seen_all, service.database, caller.tenant, job_id, seq):
        return Response(status_code=204)
    return EventStream(service.tailer, job_id, seq)


def _seen_all(database: Database, tenant: str, job_id: str, seq: int) -> bool:
    with database.reading() as session:
        job = find(session, tenant, job_id)
        return job.state in ENDED and seq >= job.last_seq
