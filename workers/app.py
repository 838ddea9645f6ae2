"""The Celery application of the worker, and what happens when it starts and stops."""

import signal
import sys
import time
from typing import Any

from celery import signals
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from core import jobs, log
from core.broker import TASK, celery_app
from core.settings import Settings
from workers import supervisor
from workers.runtime import Runtime

try:
    settings = Settings()
except ValidationError as error:
    sys.exit(f"the settings cannot be used: {error}")
app = celery_app(settings.broker_url)
_runtime: list[Runtime] = []

SLOT_FREE_SECONDS = 0.02
"""How soon after a ticket's task Celery itself counts its slot as free."""


@app.task(name=TASK)
def run_waiting(job_id: str, passed: int = 0) -> None:
    """A ticket: somebody waits. Claim and run jobs until none that fits is left; the id says who is passed on.

    Whoever frees a slot looks into that slot's line first, so that a job whose ticket found no free slot is not left.
    One that another worker may have a slot for is passed on: this worker took it with the slot of the other line.
    """
    lanes: list[jobs.Lane] = ["short", "long"]
    while (ran := next((lane for lane in lanes if _run_next(_runtime[0], lane, job_id)), None)) is not None:
        lanes.sort(key=lambda lane: lane != ran)
    _runtime[0].pass_on(job_id, passed)


def _run_next(runtime: Runtime, lane: jobs.Lane, ticket: str) -> bool:
    """Run the next job of a line; false if there is none, or no free slot for it."""
    claimed = time.monotonic()
    with runtime.claim(lane) as found:
        if found is None:
            return False
        claim, device = found
        log.get(__name__).info("claimed", job=claim.lease.job_id, attempt=claim.lease.attempt, ticket=ticket)
        supervisor.run(runtime, claim, device, claimed)
    return True


@signals.setup_logging.connect
def _configure_logging(**_: Any) -> None:
    log.configure(settings.log_level, settings.log_format)


@signals.worker_init.connect
def _start(sender: Any, **_: Any) -> None:
    try:
        runtime = Runtime(settings)
        runtime.start()
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        sys.exit(f"the worker cannot use the database ({reason}); is it running, and did `python -m migrations` run?")
    except (OSError, RuntimeError) as error:
        sys.exit(f"the worker cannot start: {error}")
    except Exception:  # Celery would only log it, and then take tickets that nobody works on
        log.get(__name__).exception("start_failed")
        sys.exit("the worker cannot start; its log says why")
    _runtime.append(runtime)
    for queue in runtime.queues:
        sender.app.amqp.queues.select_add(queue)


@signals.worker_ready.connect
def _ready(sender: Any, **_: Any) -> None:
    # Celery's cold shutdown hangs a threads worker, so that INT and QUIT do what TERM does.
    handler = signal.getsignal(signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, handler)

    # Celery's loop sees only once a second that a slot has become free: wake it, or a ticket waits that long.
    @signals.task_postrun.connect(weak=False)
    def look_for_the_next(**_: Any) -> None:
        sender.hub.call_soon(sender.hub.call_later, SLOT_FREE_SECONDS, lambda: None)


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    for runtime in _runtime:
        runtime.stop()  # in the signal's context: it only sets an event


@signals.worker_shutdown.connect
def _close(**_: Any) -> None:
    for runtime in _runtime:
        runtime.close()
