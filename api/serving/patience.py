"""How long a prediction is worked on: until the caller's time is up, or ours, or until nobody waits any more."""

import asyncio
import math
import re
from types import TracebackType
from typing import Self

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from api.stream import until_gone
from core.errors import Overloaded

WATCH_SECONDS = 0.02
"""Most answers are there sooner; to watch them too would cost more than it could save."""
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?([1-9]\d{0,8})\"?\s*(?=[,;]|$)", re.IGNORECASE)


def wanted_seconds(scope: Scope, most: float) -> float:
    """What ``Prefer: wait=N`` (RFC 7240) asks for, at most ``most``; that when it asks for nothing we can read."""
    for name, value in scope["headers"]:
        if name == b"prefer" and (found := _WAIT.search(value.decode("latin-1"))):
            return min(float(found[1]), most)
    return most


class Patience:
    """An asynchronous context in which a request is answered; work that waits when it is left is dropped.

    Raises (when left):
        Overloaded: the time was up.
        ClientDisconnect: the client has gone.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._limit = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._receive: Receive | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._late = self._gone = self._left = False

    def watch(self, receive: Receive) -> None:
        """From now on notice when the client goes away; the request's body must have been read."""
        self._receive = receive
        if self._late:
            self._start_watching()

    def endless(self) -> None:
        """Wait as long as it takes: the answer comes bit by bit, and who reads it sees that."""
        self._seconds = math.inf
        self._end_at(None)

    def _look(self) -> None:
        """It takes longer than most: only now the clock and the client matter."""
        self._late = True
        if self._seconds < math.inf:
            self._end_at(self._loop.time() + self._seconds - WATCH_SECONDS)
        if self._receive is not None:
            self._start_watching()

    def _start_watching(self) -> None:
        assert self._receive is not None
        self._watcher = self._loop.create_task(until_gone(self._receive))
        self._watcher.add_done_callback(self._leave)

    def _leave(self, watcher: asyncio.Task[None]) -> None:
        if not watcher.cancelled():
            self._gone = True
            self._end_at(self._loop.time())

    def _end_at(self, time: float | None) -> None:
        if not self._left and not self._limit.expired():  # it may be over in this very turn of the loop
            self._limit.reschedule(time)

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self._later = self._loop.call_later(WATCH_SECONDS, self._look)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left = True
        if self._later is not None:
            self._later.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:
            if self._gone:
                raise ClientDisconnect from None
            raise Overloaded(f"it was not answered within {self._seconds:g} s and was dropped; try again") from None
