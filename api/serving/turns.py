"""Places that take long to become free, given to those who wait in turn: model after model, whoever came first."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """``places`` at a time. A hundred requests of one model make one of another wait for one of them, not for all.

    For the event loop's thread.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # by model; the first is next

    @asynccontextmanager
    async def of(self, model_id: str) -> AsyncIterator[None]:
        """While a request of this model has a place."""
        await self._take(model_id)
        try:
            yield
        finally:
            self._give()

    async def _take(self, model_id: str) -> None:
        if self._free:
            self._free -= 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(model_id, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was given the place in this very turn of the loop
                self._give()
            raise

    def _give(self) -> None:
        while self._waiting:
            model_id, line = self._waiting.popitem(last=False)
            first = line.popleft()
            if line:
                self._waiting[model_id] = line  # behind all others
            if not first.done():
                first.set_result(None)
                return
        self._free += 1
