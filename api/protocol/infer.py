"""``POST /v2/models/{name}/infer`` as a plain ASGI callable, on the runtime of ``:predict``."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from numpy.typing import NDArray
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.errors import answer
from api.protocol import compression, metadata, request, response, samples
from api.service import Service
from api.serving.batching import Computed
from api.serving.patience import Patience, wanted_seconds
from api.serving.predict import LARGE_ANSWER, SMALL_BYTES, body_of, require_finite
from api.serving.versions import Loaded, Version
from core import log
from core.errors import EpochdError, UnsupportedMedia

PATH = "/v2/models/{name}/infer"
VERSION_PATH = "/v2/models/{name}/versions/{version}/infer"
T = TypeVar("T")
_HEADERS = {"cache-control": "no-store"}
MEDIA = ("application/json", "application/octet-stream")


def reference(name: str, version: str | None) -> str:
    """A model's name in a path, and perhaps a version's, as the catalog refers to them."""
    return name if version is None else f"{name}:{version}"


class Infer:
    """Answers inference requests; they count as predictions in every limit and metric."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            predict = self._service.predict
            with predict.at_work():
                async with Patience(wanted_seconds(scope, predict.most_seconds)) as patience:
                    made = await self._answer(scope, receive, patience)
        except ClientDisconnect:
            return
        except Exception as error:
            if not isinstance(error, (EpochdError, HTTPException)):
                log.get(__name__).exception("inference_failed")
            made = answer(scope, error)
        await made(scope, receive, send)

    def understand(self, found: dict[str, str], query: bytes, headers: Headers) -> tuple[str, Any] | None:
        """What :mod:`api.serving.direct` asks."""
        _require_media(headers)
        return reference(found["name"], found.get("version")), partial(_read, headers.get(request.HEADER))

    async def _answer(self, scope: Scope, receive: Receive, patience: Patience) -> Response:
        began, headers, service = time.perf_counter(), Headers(scope=scope), self._service
        caller = service.access.principal(headers)
        _require_media(headers)
        asked = reference(scope["path_params"]["name"], scope["path_params"].get("version"))
        loaded = await service.predict.versions.get(caller.tenant, asked)
        version = loaded.version
        metadata.require_answers(version)
        predict = service.predict
        with predict.served.counting(version, began) as counted, predict.at_its_work(loaded) as buffer:
            data = await body_of(receive, buffer)
            patience.watch(receive)
            made, counted.samples = await self._infer(loaded, headers, data)
        return made

    async def _infer(self, loaded: Loaded, headers: Headers, data: bytes) -> tuple[Response, int]:
        """The answer, and the number of samples it is about."""
        version, service = loaded.version, self._service
        small = "content-encoding" not in headers and len(data) <= SMALL_BYTES
        parsed = await _run(loaded, small, self._parse, data, headers)
        chosen = response.wanted(parsed, version)
        light = small and not samples.are_files(parsed.inputs, version.preprocessing)
        raw = await _run(loaded, light, samples.read, parsed.inputs, version.preprocessing)
        computed = await loaded.batcher.run(raw)
        require_finite(computed[0])
        service.counters.predictions.add(len(raw))
        short = computed[0].size <= LARGE_ANSWER
        body, more = await _run(loaded, short, _respond, parsed, version, raw, computed, chosen)
        return Response(body, headers={**_HEADERS, **more}), len(raw)

    def _parse(self, data: bytes, headers: Headers) -> request.Request:
        whole = compression.unpack(headers.get("content-encoding", ""), data, self._service.settings.max_body_bytes)
        return request.read(whole, headers.get(request.HEADER))


def _require_media(headers: Headers) -> None:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media and media not in MEDIA:
        raise UnsupportedMedia(f"send {' or '.join(MEDIA)}, not {media[:64]!r}")


def _read(header: str | None, version: Version, data: bytes) -> tuple[NDArray[Any], Any] | None:
    parsed = request.read(data, header)
    chosen = response.wanted(parsed, version)
    if samples.are_files(parsed.inputs, version.preprocessing):
        return None
    raw = samples.read(parsed.inputs, version.preprocessing)
    return raw, partial(_written, parsed, version, raw, chosen)


def _written(
    parsed: request.Request, version: Version, raw: NDArray[Any], chosen: dict[str, bool], computed: Computed
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    body, more = _respond(parsed, version, raw, computed, chosen)
    named = {**_HEADERS, **more, "content-length": str(len(body))}
    return body, [(name.encode(), value.encode()) for name, value in named.items()]


def _respond(
    parsed: request.Request, version: Version, raw: NDArray[Any], computed: Computed, chosen: dict[str, bool]
) -> tuple[bytes, dict[str, str]]:
    return response.encode(parsed, version, response.compute(version, raw, computed), chosen)


async def _run(loaded: Loaded, here: bool, work: Callable[..., T], *given: Any) -> T:
    """The work's result; done in the event loop, or in a thread of the version where it takes longer."""
    return work(*given) if here else await loaded.reading.run(work, *given)
