"""Pure SQL that sets right what crashes leave behind; it runs in every worker and every API process.

Jobs whose lease ended go back to the line, tickets that nobody answered are sent again, orphaned blobs are swept.
"""

import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from core import blobs, fleet, jobs, log
from core.broker import QUEUES, Tickets
from core.db import Database

SWEEP_SECONDS = 600.0


def queues_for(device: str, online: set[str]) -> list[str]:
    """The queues whose workers can run a job of this device class: for ``auto`` every class that has a live worker."""
    if device != "auto":
        return [QUEUES[device]]
    return [QUEUES["cuda"], QUEUES["cpu"]] if "cuda" in online else [QUEUES["cpu"]]


class Reconciler:
    """A thread that reconciles every ``seconds``; it outlives an outage of the database and says so once."""

    def __init__(
        self, database: Database, tickets: Tickets, seconds: float, also: Callable[[], None] = lambda: None
    ) -> None:
        self._database, self._tickets, self._seconds, self._also = database, tickets, seconds, also
        self._stop = threading.Event()
        self._swept = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; waits for the round under way, five seconds at most."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        logger, away = log.get(__name__), False
        while not self._stop.wait(self._seconds):
            try:
                self._also()
                self.reconcile()
            except SQLAlchemyError as error:
                if not away:
                    logger.warning("database_away", error=str(error).splitlines()[0])
                away = True
            except Exception:  # a fault of ours must not end the heartbeat with it
                logger.exception("reconciling_failed")
            else:
                if away:
                    logger.info("database_back")
                away = False

    def reconcile(self) -> None:
        """One round."""
        with self._database.reading() as session:
            left = jobs.any_left(session)
        if left:
            self._set_right()
        if time.monotonic() - self._swept > SWEEP_SECONDS:
            self._swept = time.monotonic()
            # In a thread of its own: a long sweep must not hold up the heartbeat.
            threading.Thread(target=blobs.sweep, args=(self._database,), name="sweep", daemon=True).start()

    def _set_right(self) -> None:
        with self._database.transaction() as session:
            requeued = jobs.requeue_expired(session)
        with self._database.transaction() as session:
            unsent = jobs.take_unsent(session)
            online = (
                {device["kind"] for worker in fleet.online(session) for device in worker.devices} if unsent else set()
            )
        for job_id in requeued:
            log.get(__name__).warning("lease_expired", job=job_id)
        for job_id, device in unsent:
            for queue in queues_for(device, online):
                self._tickets.send(job_id, queue)
