"""Bodies that take long to read are read in threads, of which no model can have all."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

AT_ONCE = 2
T = TypeVar("T")


class Reading:
    """The threads of one model: it has a few at a time, so that a flood of large pictures holds up nobody else."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)

    async def run(self, work: Callable[..., T], *given: Any) -> T:
        """The work's result. Work that waits when its request is dropped is not begun."""
        await self._free.acquire()
        try:
            under_way = asyncio.get_running_loop().run_in_executor(None, work, *given)
        except BaseException:
            self._free.release()
            raise
        under_way.add_done_callback(self._over)
        return await asyncio.shield(under_way)  # a thread cannot be stopped: its place is taken until it has ended

    def _over(self, ended: asyncio.Future[Any]) -> None:
        self._free.release()
        if not ended.cancelled():
            ended.exception()  # the request that it belongs to may be gone
