"""Sending tickets: "somebody is waiting", to the queue of a device class. The database is the truth, a ticket wakes.

A ticket that is lost or sent twice does no harm, so sending never delays or fails a request: a thread sends, and what
it cannot send the reconciler sends again later.
"""

import queue
import threading

from celery import Celery
from kombu.exceptions import OperationalError

from core import log

TASK = "epochd.run_waiting"
QUEUES = {"cpu": "epochd.cpu", "cuda": "epochd.cuda"}


def celery_app(broker_url: str) -> Celery:
    """The Celery application: early acknowledgement, no prefetch, JSON only, no result backend, no remote control."""
    app = Celery("epochd", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=False,
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=QUEUES["cpu"],
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"socket_timeout": 30, "socket_connect_timeout": 5, "socket_keepalive": True},
        task_publish_retry=False,
    )
    return app


class Tickets:
    """Sends tickets from a thread of its own."""

    def __init__(self, broker_url: str) -> None:
        self._app = celery_app(broker_url)
        self._waiting: queue.Queue[tuple[str, str, int] | None] = queue.Queue(maxsize=1000)
        self._thread = threading.Thread(target=self._send_all, name="tickets", daemon=True)
        self._thread.start()

    def send(self, job_id: str, queue_name: str, passed: int = 0) -> None:
        """Send a ticket soon. Call it after the commit. ``passed``: how many busy workers have had it already."""
        try:
            self._waiting.put_nowait((job_id, queue_name, passed))
        except queue.Full:
            log.get(__name__).debug("ticket_not_sent", job=job_id, reason="too many wait; it is sent again later")

    def _send_all(self) -> None:
        logger, away = log.get(__name__), False
        while (ticket := self._waiting.get()) is not None:
            job_id, queue_name, passed = ticket
            try:
                self._app.send_task(TASK, args=[job_id, passed], queue=queue_name)
            except (OperationalError, OSError) as error:
                if not away:
                    logger.warning("broker_away", job=job_id, reason=str(error))
                away = True
            else:
                if away:
                    logger.info("broker_back")
                away = False

    def close(self) -> None:
        """Send what waits, for a second at most; what is left the reconciler of another process sends."""
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(1)
