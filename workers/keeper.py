"""Keeps a lease alive and listens for what the user asks of the job, from a thread of its own."""

import os
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from core import jobs, log
from core.db import Database
from core.errors import LeaseLost
from core.glance import UNHEARD_SECONDS
from core.jobs.record import requested

POLL_SECONDS = 0.25
"""Between two looks, at the least."""
SAFETY_SECONDS = 1.0


class Keeper:
    """``deadline`` (monotonic clock) is when this attempt must have stopped unless the lease was renewed before.

    ``bell`` is a descriptor that can be read once the deadline is another, the lease is lost, or the user asks for
    something.
    """

    def __init__(self, database: Database, lease: jobs.Lease, lease_seconds: float, claimed: float) -> None:
        self._database, self._lease, self._seconds = database, lease, lease_seconds
        # Counted from before the database was asked, so our clock ends the lease before the database's does.
        self.deadline = claimed + lease_seconds - min(SAFETY_SECONDS, lease_seconds / 4)
        self.requested: str | None = None
        self.lost = False
        self._renewed = claimed
        self._glance = database.glance()
        self._mark: int | None = None
        self.bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name=f"keeper-{lease.job_id}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._glance.wait(POLL_SECONDS, min(UNHEARD_SECONDS, self._seconds / 8)):
            try:
                self._ask()
            except LeaseLost:
                self.lost = True
                self._ring()
                return
            except SQLAlchemyError as error:  # the deadline judges; an outage shorter than the lease harms nobody
                log.get(__name__).warning("lease_not_renewed", job=self._lease.job_id, error=str(error).splitlines()[0])

    def _ask(self) -> None:
        asked, mark = time.monotonic(), self._glance.mark()
        if asked - self._renewed < self._seconds / 3:
            if mark is not None and mark == self._mark:
                return
            with self._database.looking() as connection:
                self._hear(requested(connection, self._lease))
            self._mark = mark
            return
        with self._database.transaction() as session:
            asked_for = jobs.renew(session, self._lease, self._seconds)
        self._renewed = asked
        self.deadline = asked + self._seconds - min(SAFETY_SECONDS, self._seconds / 4)
        self._ring()
        self._hear(asked_for)

    def _hear(self, asked_for: str | None) -> None:
        if asked_for == "lost":
            raise LeaseLost(f"job {self._lease.job_id} is no longer ours")
        if asked_for != self.requested:
            self.requested = asked_for
            self._ring()

    def _ring(self) -> None:
        os.eventfd_write(self.bell, 1)

    @property
    def over(self) -> bool:
        """Whether this attempt must stop at once: another one may hold the job."""
        return self.lost or time.monotonic() > self.deadline

    def close(self) -> None:
        """Stop renewing."""
        self._glance.stop()
        self._thread.join()
        self._glance.close()
        os.close(self.bell)
