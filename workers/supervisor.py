"""Supervises one attempt: starts the child, passes on what it reports, stops it when asked, and says how it ended."""

import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core import jobs, log
from core.errors import LeaseLost
from core.jobs import Claim
from core.jobs.lanes import LANES
from workers import child, ending, memory, tasks
from workers.forkserver import kill
from workers.keeper import Keeper
from workers.output import Output
from workers.recorder import Recorder
from workers.runtime import Runtime

STOP_SECONDS = 6.0
DRAIN_SECONDS = 1.0
TICK_SECONDS = 0.2
METRICS_SECONDS = (0.25, 1.0)
"""All that a training says in so long is read and stored at once, since each time takes milliseconds from its cores:
a fifth of the time it has run so far, between these. A child that has said much rings before."""
FULL_SECONDS = 0.02
"""Until a recorder is looked at again that had no room for more."""
MOST_READS = 64
"""Between two looks at whether the child must stop, however much it prints."""


@dataclass
class Attempt:
    """One running child and all that belongs to it."""

    claim: Claim
    keeper: Keeper
    recorder: Recorder
    process: ForkServerProcess
    reports: Connection
    bell: Connection
    orders: Connection
    output: Output
    memory: memory.Watch
    timeout: float | None
    under_way_since: float | None = None
    sent_deadline: float = 0.0
    code: int | None = None
    killed_for: str | None = None
    pausing_since: float | None = None
    open: list[Any] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)

    def order(self, **message: Any) -> None:
        """Tell the child something; one that is gone does not mind."""
        with contextlib.suppress(OSError):
            self.orders.send_bytes(json.dumps(message).encode())

    def kill(self, reason: str) -> None:
        """End the child now."""
        if self.killed_for is None:
            self.killed_for = reason
            assert self.process.pid is not None
            if self.code is None:
                kill(self.process.pid)

    def close(self, runtime: Runtime) -> None:
        """Whatever happened: leave no child, no thread and no pipe behind."""
        if self.code is None:
            self.kill("error")
            self.code = runtime.forkserver.reap(self.process)
        for connection in (self.reports, self.bell, self.orders, self.output.reader):
            connection.close()
        self.recorder.close(lambda: True)


def run(runtime: Runtime, claim: Claim, device: str, claimed: float) -> None:
    """Run one attempt from claim to end; ``claimed`` is the monotonic time before the claim."""
    logger = log.get(__name__).bind(job=claim.lease.job_id, attempt=claim.lease.attempt)
    keeper = Keeper(runtime.database, claim.lease, runtime.settings.lease_seconds, claimed)
    scratch = runtime.scratch / f"{claim.lease.job_id}-{claim.lease.attempt}"
    attempt = None
    try:
        scratch.mkdir()
        attempt = _start(runtime, claim, keeper, tasks.make(runtime, claim, scratch, device, keeper.deadline))
        _watch(runtime, attempt)
        _settle(runtime, attempt, logger)
    except LeaseLost:
        logger.warning("lease_lost")
    except Exception as error:
        logger.exception("attempt_failed")
        if attempt is not None:
            attempt.kill("error")
        failure = ending.error("internal", f"The worker failed: {error}", True)
        _end(keeper, lambda: _fail(runtime, claim, failure))
    finally:
        if attempt is not None:
            attempt.close(runtime)
        keeper.close()
        shutil.rmtree(scratch, ignore_errors=True)
        runtime.cache.trim()  # its dataset may be one that is too large to keep


def _start(runtime: Runtime, claim: Claim, keeper: Keeper, task: dict[str, Any]) -> Attempt:
    reports, child_reports = runtime.forkserver.pipe()
    bell, child_bell = runtime.forkserver.pipe()
    child_orders, orders = runtime.forkserver.pipe()
    output, child_output = runtime.forkserver.pipe()
    watch = memory.Watch()
    process = runtime.forkserver.start(child.main, task, child_reports, child_bell, child_orders, child_output)
    for connection in (child_reports, child_bell, child_orders, child_output):
        connection.close()  # or the end of file would never come
    assert process.pid is not None
    watch.pid = process.pid
    timeout = None if claim.seconds_left is None else time.monotonic() + claim.seconds_left
    recorder = Recorder(runtime.database, claim, lambda: attempt.order(stored=True))
    attempt = Attempt(claim, keeper, recorder, process, reports, bell, orders, Output(output), watch, timeout)
    attempt.open = [reports, output, process.sentinel]
    return attempt


def _watch(runtime: Runtime, attempt: Attempt) -> None:
    """Until the child is gone: pass on what it says, and stop it when that is asked for."""
    reads = 0
    while attempt.process.sentinel in attempt.open:
        if attempt.under_way_since is not None:
            # To be woken by every metric would take from the training's cores: all of a moment are read together, and
            # for what should not wait the child rings. Where more are there already it may be waiting for room.
            _wait_for_bell(attempt, 0 if reads == MOST_READS else _patience(attempt))
            reads = 0
            while reads < MOST_READS and _hear(attempt, 0):
                reads += 1
        else:
            _hear(attempt, TICK_SECONDS)
        _pass_on(attempt)
        attempt.memory.look()
        keeper = attempt.keeper
        if keeper.over or attempt.recorder.lost:
            attempt.recorder.give_up()
            attempt.kill("lost")
        elif attempt.recorder.failure is not None:
            attempt.kill("recording")
        elif keeper.requested == "cancel":
            attempt.recorder.drop_results()
            attempt.kill("cancel")
        elif attempt.timeout is not None and time.monotonic() > attempt.timeout:
            attempt.kill("timeout")
        elif runtime.stopping.is_set() and attempt.claim.kind in LANES["short"]:
            attempt.kill("stop")  # it has no checkpoint to wait for
        elif keeper.requested == "pause" or runtime.stopping.is_set():
            _pause(runtime, attempt)
        if keeper.deadline > attempt.sent_deadline:
            attempt.sent_deadline = keeper.deadline
            attempt.order(deadline=keeper.deadline)
    attempt.code = runtime.forkserver.reap(attempt.process)
    _drain(attempt)


def _patience(attempt: Attempt) -> float:
    """How long metrics may wait for each other."""
    assert attempt.under_way_since is not None
    if attempt.recorder.full:
        return FULL_SECONDS
    (shortest, longest), now = METRICS_SECONDS, time.monotonic()
    patience = min(max(shortest, (now - attempt.under_way_since) / 5), longest)
    if attempt.killed_for is not None:  # its end wakes us
        return patience
    return max(0.0, min(patience, min(attempt.timeout or math.inf, attempt.keeper.deadline) - now))


def _wait_for_bell(attempt: Attempt, timeout: float) -> None:
    bells = (attempt.bell.fileno(), attempt.keeper.bell)
    for rung in wait([attempt.process.sentinel, *bells], timeout):
        if rung in bells:
            os.read(rung, 4096)


def _drain(attempt: Attempt) -> None:
    """Read what the child said before it went: its reports to the end, its output for a moment."""
    drained = time.monotonic() + DRAIN_SECONDS
    while attempt.open and not attempt.keeper.over:
        wanted = attempt.reports in attempt.open and attempt.killed_for is None
        if not wanted and time.monotonic() > drained:
            return
        _hear(attempt, 0.05)
        _pass_on(attempt)


def _pass_on(attempt: Attempt) -> None:
    if attempt.heard:  # or its thread would wake for nothing
        attempt.recorder.put(*attempt.heard)
        attempt.heard.clear()


def _hear(attempt: Attempt, timeout: float) -> bool:
    """Read what is ready; returns whether anything was.

    While the recorder is full the child's words wait in its pipes, and so does the child.
    """
    speaking = (attempt.reports, attempt.output.reader)
    listen = [one for one in attempt.open if one not in speaking or not attempt.recorder.full]
    if not listen:
        time.sleep(timeout)
        return False
    found = wait(listen, timeout)
    for ready in found:
        if ready is attempt.output.reader:
            if lines := attempt.output.read():
                attempt.heard.append({"type": "log", "lines": lines})
            if attempt.output.ended:
                attempt.open.remove(ready)
        elif ready is attempt.reports:
            try:
                message = json.loads(attempt.reports.recv_bytes())
            except (EOFError, OSError):
                attempt.open.remove(ready)
            else:
                if message["type"] == "first_step":
                    attempt.under_way_since = time.monotonic()
                attempt.heard.append(message)
        else:
            attempt.open.remove(ready)
    return bool(found)


def _pause(runtime: Runtime, attempt: Attempt) -> None:
    """Ask for a checkpoint and an end; a worker that must leave does not wait for ever."""
    if attempt.pausing_since is None:
        attempt.pausing_since = time.monotonic()
        attempt.order(pause=True)
    stopping_since = runtime.stopping_since
    if stopping_since is not None and time.monotonic() - stopping_since > STOP_SECONDS:
        attempt.kill("stop")


def _settle(runtime: Runtime, attempt: Attempt, logger: Any) -> None:
    """Finish writing, and record how the attempt ended."""
    assert attempt.code is not None
    attempt.recorder.close(lambda: attempt.keeper.over)
    recorder, lease = attempt.recorder, attempt.claim.lease
    if recorder.succeeded:  # asked first: the keeper finds the lease of a job that has ended lost
        logger.info("succeeded")
        return
    if recorder.lost or attempt.keeper.lost or attempt.killed_for == "lost":
        raise LeaseLost(f"attempt {lease.attempt} no longer holds job {lease.job_id}")
    end = _ending(runtime, attempt, attempt.code)
    _end(attempt.keeper, end)
    logger.info("ended", code=attempt.code, killed_for=attempt.killed_for)


def _ending(runtime: Runtime, attempt: Attempt, code: int) -> Callable[[], None]:
    """The transaction that records why the child is gone."""
    recorder, claim = attempt.recorder, attempt.claim
    if attempt.killed_for == "cancel":
        return lambda: _write(runtime, jobs.cancelled, claim.lease)
    detail = ending.detail(code, attempt.output, attempt.memory)
    if attempt.killed_for == "timeout":
        message = f"The job ran longer than its timeout_seconds ({claim.spec['timeout_seconds']:g})."
        return lambda: _fail(runtime, claim, ending.error("timed_out", message, False, **detail))
    if recorder.paused_step is not None and attempt.keeper.requested == "pause":
        return lambda: _write(runtime, jobs.paused, claim.lease, recorder.paused_step)
    if recorder.paused_step is not None or attempt.killed_for == "stop":
        return lambda: _write(runtime, jobs.hand_back, claim.lease, "the worker is shutting down")
    if recorder.failure is not None:
        message = f"The worker could not store the results: {str(recorder.failure).splitlines()[0]}"
        return lambda: _fail(runtime, claim, ending.error("internal", message, True, **detail))
    return lambda: _fail(runtime, claim, ending.crash(code, recorder.error, attempt.memory, detail))


def _write(runtime: Runtime, end: Callable[..., Any], lease: jobs.Lease, *arguments: Any) -> None:
    with runtime.database.transaction() as session:
        end(session, lease, *arguments)


def _fail(runtime: Runtime, claim: Claim, error: dict[str, Any]) -> None:
    _write(runtime, jobs.fail, claim.lease, error)


def _end(keeper: Keeper, end: Callable[[], None]) -> None:
    """Record the end, as long as the lease lasts; after that the reconciler takes the job back."""
    while not keeper.over:
        try:
            return end()
        except LeaseLost:
            return None
        except (OperationalError, PoolTimeout) as error:
            log.get(__name__).warning("database_away", error=str(error).splitlines()[0])
            time.sleep(0.5)
