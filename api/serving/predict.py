"""``POST /v1/models/{reference}:predict`` as a plain ASGI callable: no framework between the socket and the model."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import msgspec
import numpy as np
from numpy.typing import NDArray
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from api import objects
from api.auth import Access
from api.errors import answer
from api.metrics import Counters
from api.pointers import unknown_parameter
from api.serving import bodies
from api.serving.batching import Computed
from api.serving.buffers import Buffer, Buffers
from api.serving.ledger import Ledger
from api.serving.patience import Patience, wanted_seconds
from api.serving.served import Served
from api.serving.shares import Shares
from api.serving.threads import Threads
from api.serving.versions import Loaded, Version, Versions
from api.serving.writing import Writing, wants_stream
from api.watch import CatalogWatch
from core import log
from core.db import Database
from core.errors import EpochdError, Invalid, Overloaded
from core.predictions.answer import TOO_LARGE, not_finite, of_class, of_numbers

PATH = "/v1/models/{reference}:predict"
SMALL_BYTES = 64 * 1024
"""JSON and texts up to this size are read in the event loop; larger ones, images and recordings in a thread."""
LARGE_ANSWER = 4096
"""Numbers of an answer; one that has more is written in a thread."""
BODIES = 8
"""The bodies of all requests may take so many times what one may."""
_ENCODER = msgspec.json.Encoder()
_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


class Predict:
    """Answers predictions. At most ``max_in_flight`` requests are at work; what comes on top is told to come back.

    So is what was not answered within ``most_seconds``, or within the time that its caller gave it.
    """

    def __init__(
        self,
        database: Database,
        watch: CatalogWatch,
        access: Access,
        counters: Counters,
        ledger: Ledger,
        *,
        max_in_flight: int,
        max_body_bytes: int,
        most_seconds: float,
    ) -> None:
        self._threads = Threads()
        self._writing = Writing()
        self.versions = Versions(database, watch, self._threads, counters.batch.observe)
        self.served = Served(counters, ledger)
        self.shares = Shares(max_in_flight)
        self.buffers = Buffers(BODIES * max_body_bytes)
        self._access, self._counters, self._most = access, counters, max_in_flight
        self.most_seconds = most_seconds
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self.at_work():
                async with Patience(wanted_seconds(scope, self.most_seconds)) as patience:
                    body = await self._answer(scope, receive, send, patience)
        except ClientDisconnect:
            return
        except Exception as error:
            if not isinstance(error, EpochdError):
                log.get(__name__).exception("prediction_failed")
            await answer(scope, error)(scope, receive, send)
            return
        if body is None:  # it was streamed
            return
        await send({"type": "http.response.start", "status": 200, "headers": _headers(body)})
        await send({"type": "http.response.body", "body": body})

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While a request is at work, by whichever protocol it came.

        Raises:
            Overloaded: too many are.
        """
        self._in_flight += 1
        self._counters.in_flight.add()
        try:
            if self._in_flight > self._most:
                raise Overloaded(f"{self._most} predictions are under way already; try again")
            yield
        finally:
            self._in_flight -= 1
            self._counters.in_flight.add(-1)

    def is_full(self, model_id: str) -> bool:
        """Whether one more request of this model would be told to come back."""
        return self._in_flight >= self._most or self.shares.is_taken(model_id)

    def begin(self, model_id: str) -> None:
        """A request of this model, which is not full, is at work until ``end``."""
        self._in_flight += 1
        self._counters.in_flight.add()
        self.shares.begin(model_id)

    def end(self, model_id: str) -> None:
        """It is no more."""
        self._in_flight -= 1
        self._counters.in_flight.add(-1)
        self.shares.end(model_id)

    def understand(self, found: dict[str, str], query: bytes, headers: Headers) -> tuple[str, Any] | None:
        """What :mod:`api.serving.direct` asks; files take too long for it."""
        top = _top(query)
        kind = bodies.media_type(headers.get("content-type", ""))
        return None if kind in bodies.FILES else (found["reference"], partial(_read, kind, top))

    @contextmanager
    def at_its_work(self, loaded: Loaded) -> Iterator[Buffer]:
        """While a request of this version is at work; for its body.

        Raises:
            Overloaded: the model has its share of the predictions at work already.
        """
        with self.shares.of(loaded.version.model_id), Buffer(self.buffers) as buffer:
            yield buffer

    async def _answer(self, scope: Scope, receive: Receive, send: Send, patience: Patience) -> bytes | None:
        began, headers = time.perf_counter(), Headers(scope=scope)
        caller = self._access.principal(headers)
        top = _top(scope["query_string"])
        kind = bodies.media_type(headers.get("content-type", ""))
        loaded = await self.versions.get(caller.tenant, scope["path_params"]["reference"])
        with self.served.counting(loaded.version, began) as asked, self.at_its_work(loaded) as buffer:
            data = await body_of(receive, buffer)
            if loaded.version.preprocessing.kind == "corpus":
                asked.samples = 1
                prompt = bodies.read_prompt(kind, data)
                if wants_stream(headers):
                    patience.endless()
                return await self._write(loaded, prompt, scope, receive, send)
            patience.watch(receive)
            samples, computed = await self._compute(loaded, kind, data, top)
            asked.samples = len(samples)
            if computed[0].size > LARGE_ANSWER:
                return await loaded.reading.run(in_parts, loaded.version, samples, computed, top)
            return _ENCODER.encode(express(loaded.version, samples, computed, top))

    async def _compute(self, loaded: Loaded, kind: str, data: bytes, top: int | None) -> tuple[NDArray[Any], Computed]:
        """The samples of a body and what the network says of them."""
        version = loaded.version
        _require_classes(version, top)
        if kind not in bodies.FILES and len(data) <= SMALL_BYTES:
            samples = bodies.read(kind, data, version.preprocessing)
        else:
            samples = await loaded.reading.run(bodies.read, kind, data, version.preprocessing)
        computed = await loaded.batcher.run(samples)
        require_finite(computed[0])
        self._counters.predictions.add(len(samples))
        return samples, computed

    async def _write(
        self, loaded: Loaded, body: bodies.PromptBody, scope: Scope, receive: Receive, send: Send
    ) -> bytes | None:
        if wants_stream(Headers(scope=scope)):
            tokens = await self._writing.stream(loaded, body, scope, receive, send)
            self._counters.tokens.add(tokens)
            return None
        generation = await self._writing.whole(loaded, body, receive)
        self._counters.tokens.add(generation["tokens"])
        return _ENCODER.encode(generation)

    def close(self) -> None:
        """End the threads."""
        self._writing.close()
        self._threads.close()


def _headers(body: bytes) -> list[tuple[bytes, bytes]]:
    return [*_HEADERS, (b"content-length", b"%d" % len(body))]


def _read(kind: str, top: int | None, version: Version, data: bytes) -> tuple[NDArray[Any], Any]:
    _require_classes(version, top)
    samples = bodies.read(kind, data, version.preprocessing)
    return samples, partial(_written, version, samples, top)


def _written(
    version: Version, samples: NDArray[Any], top: int | None, computed: Computed
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    body = _ENCODER.encode(express(version, samples, computed, top))
    return body, _headers(body)


def _require_classes(version: Version, top: int | None) -> None:
    if top is not None and version.preprocessing.targets is not None:
        raise Invalid("this model foretells numbers, of which none is the largest; leave top out", "#/query/top")


async def body_of(receive: Receive, buffer: Buffer) -> bytes:
    """All of a request's body.

    Raises:
        ClientDisconnect: the client has gone.
        Overloaded: there is no memory for it now.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return bytes(message.get("body", b""))
    parts = []
    while message["type"] == "http.request":
        parts.append(buffer.add(message.get("body", b"")))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    raise ClientDisconnect


def _top(query: bytes) -> int | None:
    if not query:
        return None
    asked = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if (unknown := next((name for name in asked if name != "top"), None)) is not None:
        raise unknown_parameter(unknown, ["top"])
    given = asked.get("top")
    if given is None:
        return None
    if not (given[-1].isascii() and given[-1].isdigit() and 1 <= int(given[-1][:10]) <= 1000):
        raise Invalid("top is the number of classes to show, 1 to 1000", "#/query/top")
    return int(given[-1])


def express(version: Version, samples: NDArray[Any], computed: Computed, top: int | None) -> objects.Predictions:
    """The answer: classes with probabilities, all of them or the ``top`` largest, or numbers in their own units."""
    targets = version.preprocessing.targets
    if targets is None:
        rows = computed[1].tolist()
        predictions: Any = [of_class(version.classes, row.index(max(row)), row, top) for row in rows]
    else:
        restored = targets.restore(computed[0], samples)
        predictions = [{"values": of_numbers(targets.names, row)} for row in restored]
    return {
        "object": "prediction",
        "model": version.model,
        "model_version": version.number,
        "predictions": predictions,
    }


def in_parts(version: Version, samples: NDArray[Any], computed: Computed, top: int | None) -> bytes:
    """The same as JSON, made some samples at a time: the event loop goes on between them."""
    step, pieces = max(1, LARGE_ANSWER * len(samples) // computed[0].size), []
    for first in range(0, len(samples), step):
        cut = slice(first, first + step)
        part = express(version, samples[cut], tuple(one[cut] for one in computed), top)
        pieces.append(_ENCODER.encode(part["predictions"])[1:-1])
    around = _ENCODER.encode({**part, "predictions": []})
    return around[:-2] + b",".join(pieces) + around[-2:]


def require_finite(outputs: NDArray[np.floating[Any]]) -> None:
    """Refuse samples whose numbers were so large that the answer is none.

    Raises:
        Invalid: names the first of them.
    """
    index = not_finite(outputs)
    if index is not None:
        raise Invalid(f"sample {index}: {TOO_LARGE}", f"#/inputs/{index}")
