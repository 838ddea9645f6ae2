"""Explanations inside the API process: on the sessions that predictions use, but in threads of their own."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from api import objects
from api.serving.shares import Shares
from api.serving.turns import Turns
from api.serving.versions import Loaded
from api.stream import until_gone
from core.errors import Invalid, Overloaded
from core.explain import Game, Method, Parts, answer, divide, explain

AT_ONCE = 2
MOST = 16
"""Explanations at work or waiting in one process; each takes a core for seconds."""


@dataclass(frozen=True)
class Question:
    """What is to be explained, and how. ``target`` is a class or the name of a number; null is the likeliest class."""

    method: Method
    target: str | None
    samples: int | None
    parts: Parts
    seed: int


class Explain:
    """Explains predictions; each within ``seconds``, the time that it waits for others included."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._executor = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="explain")
        self._stopping = threading.Event()
        self._shares, self._turns = Shares(MOST, "explanations"), Turns(AT_ONCE)
        self._under_way = 0

    async def answer(
        self, loaded: Loaded, sample: NDArray[Any], question: Question, receive: Receive
    ) -> objects.Explanation:
        """Explain what a version says of one raw sample, an array of length 1. For the event loop's thread.

        Raises:
            Invalid: the question does not suit the sample, or the explanation took too long.
            Overloaded: too many are under way.
            ClientDisconnect: nobody waits for it any more.
        """
        if self._under_way >= MOST:
            raise Overloaded(f"{MOST} explanations are under way already; try again", retry_after=2)
        self._under_way += 1
        gone = threading.Event()
        watcher = asyncio.create_task(until_gone(receive))
        watcher.add_done_callback(lambda _: gone.set())
        try:
            deadline = time.monotonic() + self._seconds
            model_id = loaded.version.model_id
            with self._shares.of(model_id):
                async with asyncio.timeout(self._seconds) as limit, self._turns.of(model_id):
                    limit.reschedule(None)  # from here on the work itself looks at the clock
                    loop = asyncio.get_running_loop()
                    given = loaded, sample, question, deadline, gone
                    return await loop.run_in_executor(self._executor, self._explain, *given)
        except TimeoutError:
            sentence = f"it had not begun within {self._seconds:g} s, since others are under way; try again"
            raise Overloaded(sentence, retry_after=2) from None
        finally:
            watcher.cancel()
            self._under_way -= 1

    def _explain(
        self, loaded: Loaded, sample: NDArray[Any], question: Question, deadline: float, gone: threading.Event
    ) -> objects.Explanation:
        def check(done: int) -> None:
            if gone.is_set():
                raise ClientDisconnect
            if time.monotonic() > deadline or self._stopping.is_set():
                raise self._late(question, preprocessing.kind, done)

        preprocessing = loaded.version.preprocessing
        check(0)
        players = divide(preprocessing, sample, question.parts)

        def outputs(samples: NDArray[Any]) -> NDArray[np.float64]:
            return answer.numbers(preprocessing, loaded.compute(samples), samples)

        version = loaded.version
        index = answer.chosen(preprocessing, version.classes, question.target, outputs(sample)[0])
        game = Game(players, lambda samples: outputs(samples)[:, index], check)
        found = explain(question.method, game, question.samples, question.seed)
        return {
            "object": "explanation",
            "model": version.model,
            "model_version": version.number,
            "method": question.method,
            "target": answer.names(preprocessing, version.classes)[index],
            "seed": question.seed,
            **answer.express(preprocessing, sample, players, found),  # type: ignore[typeddict-item]  # as the worker does
        }

    def _late(self, question: Question, kind: str, done: int) -> Invalid:
        field = "samples"
        if question.method in ("exact_shapley", "occlusion"):
            field = "grid" if kind == "image" else "segments"
        return Invalid(
            f"the explanation took longer than {self._seconds:g} s, in which {done:,} samples were computed: lower "
            f"{field}, or leave it to a worker with Prefer: respond-async",
            f"#/query/{field}",
        )

    def close(self) -> None:
        """End the threads; what is under way ends with its next batch."""
        self._stopping.set()
        self._executor.shutdown(wait=False, cancel_futures=True)
