"""Runs that would hold up the event loop, in threads; those who wait for one take turns, model after model."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from api.serving.turns import Turns

COUNT = 2
T = TypeVar("T")


class Threads:
    """``COUNT`` of them. For the event loop's thread."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(COUNT, thread_name_prefix="predict")
        self._turns = Turns(COUNT)

    async def run(self, model_id: str, work: Callable[..., T], *given: Any) -> T:
        """The work's result; do not cancel it, since a thread cannot be stopped."""
        async with self._turns.of(model_id):
            return await asyncio.get_running_loop().run_in_executor(self._executor, work, *given)

    def close(self) -> None:
        """Begin nothing more."""
        self._executor.shutdown(wait=False, cancel_futures=True)
