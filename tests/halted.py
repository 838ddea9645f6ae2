"""Children that are stopped (SIGSTOP) so that nothing ends before a test wants it, and leases that end when it does."""

import contextlib
import time

import psutil
from sqlalchemy import update
from stack import Stack, until

from core import ids
from core.db import Database, now
from core.tables import Job


def heard(stack: Stack, job_id: str, child: psutil.Process) -> None:
    """Wait until all that a child has said is recorded; it is stopped (SIGSTOP), in mid-training.

    What it prints is recorded by the one thread that records its reports, in their order. So a line is put into its
    mouth, and when that is recorded another: before the second is read, all that lay in the pipes beside the first is.
    """
    for _ in range(2):
        line = ids.new("line")
        with open(f"/proc/{child.pid}/fd/1", "w") as output:
            output.write(f"\n{line}\n")
        until(lambda line=line: line in _printed(stack, job_id), "what the child has said to be recorded")


def _printed(stack: Stack, job_id: str) -> list[str]:
    return [event["data"]["line"] for event in stack.events(job_id, "log")]


def inch(child: psutil.Process) -> None:
    """Let a stopped child go on for a moment; one that is gone stays so."""
    with contextlib.suppress(psutil.NoSuchProcess):
        child.resume()
        time.sleep(0.02)
        child.suspend()


def end_lease(stack: Stack, job_id: str) -> None:
    """Let the lease of a worker that is gone end now, and not when it would."""
    database = Database(stack.database_url)
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(lease_expires_at=now(session)))
    database.close()
