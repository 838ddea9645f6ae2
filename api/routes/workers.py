"""The workers: who is there and what they run."""

from collections import defaultdict

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from api import express, objects
from api.answers import NOT_MODIFIED, documented
from api.deps import Caller, DatabaseDep
from api.paging import LINK, IdCursor, Limit, Page, page
from core.db import now
from core.tables import Job, Worker

router = APIRouter(prefix="/v1/workers", tags=["workers"])


@router.get("", responses=documented(Page[objects.Worker], also=NOT_MODIFIED, headers=LINK))
def list_workers(
    request: Request, caller: Caller, database: DatabaseDep, limit: Limit = 20, after: IdCursor = None
) -> Response:
    """The worker processes of the last day, newest first."""
    wanted = select(Worker).order_by(Worker.id.desc()).limit(limit + 1)
    if after is not None:
        wanted = wanted.where(Worker.id < after)
    with database.reading() as session:
        at = now(session)
        rows = list(session.scalars(wanted))
        running: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        held = select(Job.worker_id, Job.id, Job.tenant, Job.kind).where(Job.worker_id.in_([row.id for row in rows]))
        for worker_id, job_id, tenant, kind in session.execute(held.order_by(Job.id)):
            running[str(worker_id)].append((job_id, tenant, kind))
    shown = [express.worker(row, at, running[row.id], caller.tenant) for row in rows]
    return page(request, shown, limit, [row.id for row in rows])
