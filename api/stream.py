"""Live streams of jobs. One task per process reads what is new, in short sessions in a thread, and hands it out.

It looks once something was committed (:class:`core.glance.Glance`), or ten times a second where nothing tells it.

A stream holds no session and no thread. Each has a bounded queue and its own place in the job's history: while its
queue is full nothing is read for it, and a client that takes nothing for ten seconds is cut off (it resumes by
Last-Event-ID).
"""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api import express
from core import log
from core.db import Database
from core.glance import UNHEARD_SECONDS
from core.jobs.history import Written, written_after
from core.tables import ENDED, Job

SECONDS, SOON_SECONDS = 0.1, 0.02
FOLLOWS_SECONDS = 0.2
"""Where something happened to a job more follows at once: so long it is looked for sooner."""
SHARE = 0.1
"""Of the time may go into looking where commits ring, unless that made anybody wait for longer than ``SECONDS``."""
BATCH = 200
QUEUE = 8
"""Batches that may wait for a client."""
PATIENCE_SECONDS = 10.0
PING_SECONDS = 15.0
PING = b": ping\n\n"
RETRY = b"retry: 2000\n\n"
_STATES = select(Job.id, Job.last_seq, Job.state).where(Job.id.in_(bindparam("ids", expanding=True)))
"""Built once: it is asked up to ten times a second."""


@dataclass(eq=False)
class Listener:
    """One open stream: all up to number ``seq`` was put into its queue, as (bytes, whether they are the last).

    At the database's ``mark`` there was no more.
    """

    job_id: str
    seq: int
    queue: asyncio.Queue[tuple[bytes, bool]] = field(default_factory=lambda: asyncio.Queue(QUEUE))
    mark: int | None = None
    full_since: float | None = None
    cut: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class _News:
    """What was found for one place in one job's history."""

    data: bytes
    seq: int
    ended: bool
    more: bool
    happened: bool


class Tailer:
    """Reads the histories of the jobs that somebody listens to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._glance = database.glance()
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._happened = 0.0
        self._woken = asyncio.Event()

    def add(self, listener: Listener) -> None:
        """Begin to read for a stream."""
        if self._stopped:
            listener.queue.put_nowait((b"", True))
            return
        self._listeners.add(listener)
        self._woken.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def remove(self, listener: Listener) -> None:
        """The client has left."""
        self._listeners.discard(listener)

    def has_room(self) -> None:
        """A queue that was full is so no more."""
        self._woken.set()

    def listeners(self, job_id: str) -> list[Listener]:
        """The open streams of a job."""
        return [one for one in self._listeners if one.job_id == job_id]

    def stop(self) -> None:
        """End all streams; call it in the event loop's thread."""
        self._stopped = True
        for listener in self._listeners:
            while not listener.queue.empty():
                listener.queue.get_nowait()
            listener.queue.put_nowait((b"", True))
        self._listeners.clear()
        self._woken.set()
        if self._task is None or self._task.done():
            self._glance.close()

    async def _run(self) -> None:
        try:
            await self._follow()
        finally:
            if self._stopped:
                self._glance.close()

    async def _follow(self) -> None:
        away = False
        while self._listeners:
            more, looked = False, time.monotonic()
            self._woken.clear()
            try:
                more = await self._round()
            except SQLAlchemyError as error:
                if not away:
                    log.get(__name__).warning("database_away", error=str(error).splitlines()[0])
                away = True
            else:
                away = False
            if more:
                await asyncio.sleep(0)
            else:
                await self._wait(looked)

    async def _wait(self, looked: float) -> None:
        """Until it is worth to look again after the last look."""
        now, bell, loop = time.monotonic(), self._glance.bell, asyncio.get_running_loop()
        if bell is None:
            least = most = SOON_SECONDS if now - self._happened < FOLLOWS_SECONDS else SECONDS
        else:
            least, most = min((now - looked) / SHARE, SECONDS), UNHEARD_SECONDS
            loop.add_reader(bell, self._woken.set)
        try:
            async with asyncio.timeout(most):
                await self._woken.wait()
        except TimeoutError:
            pass
        finally:
            if bell is not None:
                loop.remove_reader(bell)
        await asyncio.sleep(looked + least - time.monotonic())

    async def _round(self) -> bool:
        """Read once for everybody who can take something; returns whether more is there already."""
        places: dict[tuple[str, int], list[Listener]] = defaultdict(list)
        mark = self._glance.mark()
        for listener in list(self._listeners):
            if not listener.queue.full():
                listener.full_since = None
                if mark is None or listener.mark != mark:
                    places[listener.job_id, listener.seq].append(listener)
            elif listener.full_since is None:
                listener.full_since = time.monotonic()
            elif time.monotonic() - listener.full_since > PATIENCE_SECONDS:
                log.get(__name__).info("stream_cut", job=listener.job_id, reason="the client does not read")
                self._listeners.discard(listener)
                listener.cut.set()
        news = await asyncio.to_thread(self._read, list(places)) if places else {}
        for place, found in news.items():
            for listener in places[place]:
                listener.seq, listener.mark = found.seq, None if found.more else mark
                if self._stopped:
                    return False
                if found.data or found.ended:
                    listener.queue.put_nowait((found.data, found.ended))
                if found.ended:
                    self._listeners.discard(listener)
        if any(found.happened for found in news.values()):
            self._happened = time.monotonic()
        return any(found.more for found in news.values())

    def _read(self, places: list[tuple[str, int]]) -> dict[tuple[str, int], _News]:
        """The news for each (job, number)."""
        found: dict[tuple[str, int], _News] = {}
        wanted = list({job_id for job_id, _ in places})
        states: dict[str, tuple[int, str]] = {}
        with self._database.looking() as connection:
            for first in range(0, len(wanted), 500):
                found_here = connection.execute(_STATES, {"ids": wanted[first : first + 500]})
                states.update({job_id: (last_seq, state) for job_id, last_seq, state in found_here})
            for job_id, seq in places:
                last, state = states.get(job_id, (seq, "deleted"))
                until = min(last, seq + BATCH)
                written = written_after(connection, job_id, seq, until) if seq < until else []
                data = b"".join(message(job_id, one) for one in written)
                ended = until == last and state in (*ENDED, "deleted")
                if ended and state != "deleted":
                    data += sse("end", {"status": state})
                happened = any(one.event is not None and one.event.type != "log" for one in written)
                found[job_id, seq] = _News(data, until, ended, until < last, happened)
        return found


class EventStream(Response):
    """The live stream of one job, as an ASGI response."""

    media_type = "text/event-stream"

    def __init__(self, tailer: Tailer, job_id: str, after: int) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._tailer, self._job_id, self._after = tailer, job_id, after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listener = Listener(self._job_id, self._after)
        self._tailer.add(listener)
        tasks = [
            asyncio.create_task(self._write(listener, send)),
            asyncio.create_task(until_gone(receive)),
            asyncio.create_task(listener.cut.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._tailer.remove(listener)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, listener: Listener, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        data, last = RETRY, False
        while True:
            await send({"type": "http.response.body", "body": data, "more_body": not last})
            if last:
                return
            try:
                data, last = await asyncio.wait_for(listener.queue.get(), PING_SECONDS)
            except TimeoutError:
                data = PING
            if listener.queue.qsize() == QUEUE - 1:
                self._tailer.has_room()


async def until_gone(receive: Receive) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def message(job_id: str, written: Written) -> bytes:
    """One write as an SSE message."""
    if written.event is not None:
        return sse("event", express.event(written.event), written.seq)
    points = [{"name": name, "step": step, "value": value} for name, step, value in written.points]
    return sse("metrics", {"seq": written.seq, "points": points}, written.seq)


def sse(event: str, data: Any, seq: int | None = None) -> bytes:
    """Server-sent event (HTML standard, 9.2); JSON has no line breaks."""
    number = b"" if seq is None else b"id: %d\n" % seq
    return number + b"event: %s\ndata: %s\n\n" % (event.encode(), msgspec.json.encode(data))
