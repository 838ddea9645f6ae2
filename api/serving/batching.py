"""Micro-batching without a timer: what arrived in this turn of the event loop for one version is computed together."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from core.predictions import AT_ONCE

INLINE_SECONDS = 0.002
"""A run that takes less is done in the event loop itself: a thread would cost more than it frees."""

Computed = tuple[NDArray[Any], ...]
"""Of N samples: logits float32 [N, classes], and what else is made of them for all samples together, [N, ...]."""
Compute = Callable[[NDArray[Any]], Computed]
"""Of raw samples, [N, *shape] or an object array [N] of sequences of several lengths."""
InThread = Callable[[Compute, NDArray[Any]], Awaitable[Computed]]
"""The same in a thread."""


class _Waiting(NamedTuple):
    samples: NDArray[Any]
    answer: asyncio.Future[Computed]


class Soon(Protocol):
    """A small question, whose answer waits for nothing but what came with it."""

    @property
    def samples(self) -> NDArray[Any]:
        """Raw samples, N >= 1."""

    @property
    def gone(self) -> bool:
        """Whether nobody waits for it any more."""

    def answer(self, computed: Computed | Exception | None) -> None:
        """Hear what was computed, or that it failed, or (null) that it was dropped."""


class Batcher:
    """The requests of one loaded version; ``compute`` is its graph. For the event loop's thread."""

    def __init__(self, compute: Compute, in_thread: InThread, observe: Callable[[int], None]) -> None:
        self._compute, self._in_thread, self._observe = compute, in_thread, observe
        self._waiting: deque[_Waiting] = deque()
        self._soon: deque[Soon] = deque()
        self._running: asyncio.Future[Computed] | None = None  # in a thread; one at a time
        self._planned = False
        self._seconds_a_unit: float | None = None

    async def run(self, samples: NDArray[Any]) -> Computed:
        """What is computed of raw samples, N >= 1."""
        loop = asyncio.get_running_loop()
        parts = [samples[first : first + AT_ONCE] for first in range(0, len(samples), AT_ONCE)]
        waiting = [_Waiting(part, loop.create_future()) for part in parts]
        self._waiting.extend(waiting)
        self._plan(loop)
        if len(waiting) == 1:
            return await waiting[0].answer
        found = await asyncio.gather(*(one.answer for one in waiting))
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))

    def is_quick(self, samples: NDArray[Any]) -> bool:
        """Whether a run of these is so short that the event loop itself does it."""
        return len(samples) <= AT_ONCE and self._is_short(_units(samples))

    def soon(self, question: Soon) -> None:
        """Answer what ``is_quick``, in the event loop, together with all such that came in this turn of it."""
        if not self._soon:
            asyncio.get_running_loop().call_soon(self._answer_soon)
        self._soon.append(question)

    def _answer_soon(self) -> None:
        """One run; what does not fit into it has another turn, so that others have theirs between.

        It waits for no run in a thread: a session may be used by both.
        """
        batch, count, longest = list[Soon](), 0, 0
        while self._soon:
            one = self._soon[0]
            size = len(one.samples)
            longest = max(longest, _units(one.samples) // size)
            if batch and not (count + size <= AT_ONCE and self._is_short((count + size) * longest)):
                asyncio.get_running_loop().call_soon(self._answer_soon)
                break
            self._soon.popleft()
            if one.gone:
                one.answer(None)
            else:
                batch.append(one)
                count += size
        if not batch:
            return
        self._observe(count)
        samples = batch[0].samples if len(batch) == 1 else np.concatenate([one.samples for one in batch])
        try:
            computed = self._timed(samples)
        except Exception as error:  # whatever the runtime raises belongs to the requests
            for one in batch:
                one.answer(error)
            return
        if len(batch) == 1:
            batch[0].answer(computed)
            return
        first = 0
        for one in batch:
            end = first + len(one.samples)
            one.answer(tuple(part[first:end] for part in computed))
            first = end

    def _is_short(self, units: int) -> bool:
        return self._seconds_a_unit is not None and self._seconds_a_unit * units < INLINE_SECONDS

    def _plan(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._planned and self._running is None:
            self._planned = True
            loop.call_soon(self._next, loop)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._planned = False
        while self._waiting and self._running is None:
            batch = self._take()
            if not batch:
                continue
            count = sum(len(one.samples) for one in batch)
            self._observe(count)
            samples = batch[0].samples if len(batch) == 1 else np.concatenate([one.samples for one in batch])
            if self._is_short(_units(samples)):
                try:
                    computed = self._timed(samples)
                except Exception as error:  # whatever the runtime raises belongs to the requests
                    _fail(batch, error)
                else:
                    _answer(batch, computed)
            else:
                self._running = asyncio.ensure_future(self._in_thread(self._timed, samples))
                self._running.add_done_callback(lambda done, batch=batch: self._finished(loop, batch, done))  # type: ignore[misc]

    def _finished(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting], done: asyncio.Future[Computed]) -> None:
        self._running = None
        error = done.exception()
        if error is not None:
            _fail(batch, error)
        else:
            _answer(batch, done.result())
        if self._waiting:
            self._plan(loop)

    def _take(self) -> list[_Waiting]:
        """The next requests that fit into one run; those whose client has gone are dropped."""
        batch: list[_Waiting] = []
        count = 0
        while self._waiting and count + len(self._waiting[0].samples) <= AT_ONCE:
            one = self._waiting.popleft()
            if not one.answer.done():
                batch.append(one)
                count += len(one.samples)
        return batch

    def _timed(self, samples: NDArray[Any]) -> Computed:
        began = time.perf_counter()
        computed = self._compute(samples)
        took = (time.perf_counter() - began) / _units(samples)
        known = self._seconds_a_unit  # a run that was interrupted says little: it counts as one of twice the time
        self._seconds_a_unit = took if known is None else 0.8 * known + 0.2 * min(took, 2 * known)
        return computed


def _units(samples: NDArray[Any]) -> int:
    """How much work: the samples, or the steps of all of them, each as long as the longest; at least 1."""
    return max(1, len(samples) * max(map(len, samples))) if samples.dtype == object else len(samples)


def _answer(batch: list[_Waiting], computed: Computed) -> None:
    first = 0
    for one in batch:
        end = first + len(one.samples)
        if not one.answer.done():
            one.answer.set_result(tuple(part[first:end] for part in computed))
        first = end


def _fail(batch: list[_Waiting], error: BaseException) -> None:
    for one in batch:
        if not one.answer.done():
            one.answer.set_exception(error)
