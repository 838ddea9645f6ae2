"""A language model's answer over HTTP: whole, or token by token as server-sent events."""

import asyncio
import secrets
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from api import objects
from api.errors import answer
from api.serving.bodies import MOST_SEED, PromptBody
from api.serving.generation import Prompt, Written, write
from api.serving.turns import Turns
from api.serving.versions import Loaded
from api.stream import PING, PING_SECONDS, sse, until_gone
from core import log
from core.sampling import Sampling

AT_ONCE = 2
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Writing:
    """Has language models write, each text in a thread of its own; a text whose reader has gone is not finished."""

    def __init__(self) -> None:
        # not the threads of the predictions: a text may take seconds
        self._executor = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="write")
        self._turns = Turns(AT_ONCE)

    def close(self) -> None:
        """End the threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def whole(self, loaded: Loaded, body: PromptBody, receive: Receive) -> objects.Generation:
        """The text once it is written.

        Raises:
            ClientDisconnect: nobody waits for it any more.
        """
        prompt, pieces = _prompt(body), list[str]()
        async with aclosing(self._steps(loaded, prompt, receive)) as steps:
            async for step in steps:
                if isinstance(step, Written):
                    text: objects.Generation = _end(loaded, prompt, step) | {"text": "".join(pieces)}
                    return text
                pieces.append(step or "")
        raise AssertionError("a text comes to its end or its reader goes")

    async def stream(self, loaded: Loaded, body: PromptBody, scope: Scope, receive: Receive, send: Send) -> int:
        """One event a token (``token``), and at last ``end`` or ``error``; gives the number of tokens.

        Raises:
            ClientDisconnect: nobody reads any more.
        """
        prompt, tokens = _prompt(body), 0
        await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
        try:
            async with aclosing(self._steps(loaded, prompt, receive)) as steps:
                async for step in steps:
                    if isinstance(step, Written):
                        data, tokens = sse("end", _end(loaded, prompt, step)), step.tokens
                    else:
                        data = PING if step is None else sse("token", {"text": step})
                    await send({"type": "http.response.body", "body": data, "more_body": True})
        except ClientDisconnect:
            raise
        except Exception as error:  # the answer has begun: its status cannot say it any more
            log.get(__name__).exception("generation_failed")
            await send({"type": "http.response.body", "body": sse("error", _problem(scope, error)), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return tokens

    async def _steps(self, loaded: Loaded, prompt: Prompt, receive: Receive) -> AsyncGenerator[str | Written | None]:
        """What the thread writes, and null when it has been silent for a while."""
        loop, gone = asyncio.get_running_loop(), threading.Event()
        queue: asyncio.Queue[str | Written | Exception] = asyncio.Queue()
        tokens = loaded.version.preprocessing.tokens
        assert tokens is not None

        def work() -> None:
            try:
                for step in write(loaded.session, tokens, prompt, gone.is_set):
                    loop.call_soon_threadsafe(queue.put_nowait, step)
            except Exception as error:  # it belongs to the request
                loop.call_soon_threadsafe(queue.put_nowait, error)

        watcher = asyncio.create_task(until_gone(receive))
        watcher.add_done_callback(lambda _: queue.put_nowait(ClientDisconnect()))
        working = asyncio.create_task(self._in_turn(loaded.version.model_id, work))
        try:
            while True:
                try:
                    step = await asyncio.wait_for(queue.get(), PING_SECONDS)
                except TimeoutError:
                    yield None
                    continue
                if isinstance(step, Exception):
                    raise step
                yield step
                if isinstance(step, Written):
                    return
        finally:
            gone.set()
            watcher.cancel()
            working.cancel()  # if no thread has begun it

    async def _in_turn(self, model_id: str, work: Callable[[], None]) -> None:
        async with self._turns.of(model_id):
            await asyncio.get_running_loop().run_in_executor(self._executor, work)


def wants_stream(headers: Headers) -> bool:
    """Whether a request asks for server-sent events."""
    accepted = (one.partition(";")[0].strip().lower() for one in headers.get("accept", "").split(","))
    return "text/event-stream" in accepted


def _prompt(body: PromptBody) -> Prompt:
    seed = secrets.randbelow(MOST_SEED + 1) if body.seed is None else body.seed
    return Prompt(body.prompt, body.max_tokens, Sampling(body.temperature, body.top_k, seed), body.stop)


def _end(loaded: Loaded, prompt: Prompt, written: Written) -> Any:
    """All of the answer but its text."""
    return {
        "object": "generation",
        "model": loaded.version.model,
        "model_version": loaded.version.number,
        **vars(written),
        "seed": prompt.sampling.seed,
    }


def _problem(scope: Scope, error: Exception) -> Any:
    return msgspec.json.decode(answer(scope, error).body)
