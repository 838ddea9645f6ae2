"""Explanations that a worker makes: put into the line, and waited for as long as the client wants."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from api import express, objects
from api.once import once
from api.service import Service
from api.serving.versions import Version
from api.submissions import address, find, wake
from core import blobs, fleet, jobs
from core.jobs import Input
from core.specs import ExplainJob, ExplainOptions
from core.tables import ENDED

MOST_WAIT = 60
ROUTE = "POST /v1/models/{reference}:explain"
USUAL_WAIT = 10
FIRST_LOOK, LAST_LOOK = 0.05, 0.5
"""Seconds between two looks at a job: the longer it takes, the more rarely."""


def preferences(header: str) -> tuple[bool, int | None]:
    """(respond-async, wait) of a Prefer header (RFC 7240); what is not understood there is ignored, as it says."""
    found = {}
    for one in header.split(","):
        name, _, value = one.partition(";")[0].strip().partition("=")
        found[name.strip().lower()] = value.strip().strip('"')
    wait = found.get("wait", "")
    seconds = min(MOST_WAIT, int(wait[:9])) if wait.isascii() and wait.isdigit() else None
    return "respond-async" in found, seconds


@dataclass(frozen=True)
class Asked:
    """The model as the client named it, and its Idempotency-Key: the same are one job, wherever an alias moves."""

    reference: str
    key: str | None


async def by_worker(
    service: Service,
    tenant: str,
    version: Version,
    sample: NDArray[Any],
    options: ExplainOptions,
    wait: int,
    asked: Asked,
) -> objects.Job:
    """A job that explains a raw sample (an array of length 1), as it stands when it ended, or after ``wait`` seconds.

    Nobody waits for a worker that is not there.

    Raises:
        IdempotencyMismatch: the key was used for another question.
        NotFound: the job that the key made was deleted.
    """
    request = ExplainJob(model=f"{version.model}:{version.number}", options=options)
    job_id, online = await asyncio.to_thread(_submit, service, tenant, request, sample, asked)
    until, pause = time.monotonic() + (wait if online else 0), FIRST_LOOK
    while True:
        shown = await asyncio.to_thread(_look, service, tenant, job_id)
        left = until - time.monotonic()
        if shown["status"] in ENDED or left <= 0 or service.stopping.is_set():
            return shown
        await asyncio.sleep(min(pause, left))
        pause = min(LAST_LOOK, 1.5 * pause)


def _submit(service: Service, tenant: str, request: ExplainJob, sample: NDArray[Any], asked: Asked) -> tuple[str, bool]:
    """The job's id, and whether anybody is there to take it."""
    rows = [one if isinstance(one, str) else one.tolist() for one in sample]
    content = json.dumps(rows, separators=(",", ":")).encode()
    sha256, size = blobs.write(service.database, [content])
    with service.database.transaction() as session:

        def make() -> str:
            return address(jobs.submit_explain(session, tenant, request, Input("sample.json", size, sha256)).id)

        question = [asked.reference, request.options.model_dump(mode="json"), sha256]
        location, made = once(session, tenant, ROUTE, asked.key, question, make, 202)
        online = bool(fleet.online(session))
    job_id = location.rpartition("/")[2]
    if made:
        wake(service.database, service.tickets, job_id, "cpu")
    return job_id, online


def _look(service: Service, tenant: str, job_id: str) -> objects.Job:
    with service.database.reading() as session:
        return express.job(session, find(session, tenant, job_id))
