"""The outermost layer: request ids, the site check, the size limit of bodies, security headers, and HTTP counters."""

import random
import re
import time
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from api.errors import answer
from api.metrics import METHODS
from api.service import Service
from api.serving.direct import Direct
from core.errors import Forbidden, NotFound, TooLarge

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UPLOAD = re.compile(r"POST /v1/datasets|PUT /v1/datasets/[^/]+")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer; pages set a Content-Security-Policy of their own."""
_RAW = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


def named(given: str) -> str:
    """A request's id: the one that its client gave, or one of ours."""
    return given if given and _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"


class Edge:
    """Wraps the whole application. ``routes`` are those of it that need nothing of the layers in between.

    ``direct`` is for the connections: it answers most requests for them.
    """

    def __init__(self, app: ASGIApp, service: Service, routes: Sequence[Route], direct: Direct) -> None:
        self._app, self.service, self._routes, self.direct = app, service, routes, direct
        self._most, self._most_uploaded = service.settings.max_body_bytes, service.settings.max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        headers = Headers(scope=scope)
        request_id = named(headers.get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        bind_contextvars(request_id=request_id)  # the server gives each request a context of its own

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                sent = list(message.get("headers", ()))
                names = {name for name, _ in sent}
                sent.append((b"x-request-id", request_id.encode()))
                sent.extend(one for one in _RAW if one[0] not in names)
                message["headers"] = sent
            await send(message)

        try:
            try:
                self.service.access.check_site(headers)
                if "\0" in scope["path"]:  # which no database takes as text
                    raise NotFound("there is nothing of that name")
                limited = self._limited(scope, headers, receive)
            except (Forbidden, NotFound, TooLarge) as error:
                response = answer(scope, error)
                response.headers["Connection"] = "close"  # its body is not read
                await response(scope, receive, send_with_headers)
            else:
                await self._routed(scope)(scope, limited, send_with_headers)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = getattr(scope.get("route"), "path", None) or "other"  # unknown paths share one label
            self.service.counters.observe(method, route, status, time.perf_counter() - began)

    def _routed(self, scope: Scope) -> ASGIApp:
        """Who answers: a direct route, else the application."""
        for route in self._routes:
            match, found = route.matches(scope)
            if match == Match.FULL:
                scope.update(found, route=route)
                return route.app
        return self._app

    def _limited(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """``receive`` that refuses to read more than the limit; uploads have a limit of their own."""
        most = self._most_uploaded if _UPLOAD.fullmatch(f"{scope['method']} {scope['path']}") else self._most
        sentence = f"the body is larger than {most:,} bytes"
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise TooLarge(sentence)
        left = most

        async def limited() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    raise HTTPException(413, sentence)  # the framework lets this one through while it reads a body
            return message

        return limited
