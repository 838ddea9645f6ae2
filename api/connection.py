"""A client's connection: uvicorn's, but small predictions are answered without a task (:mod:`api.serving.direct`).

A request that is understood from its head is held until its body is there. If it turns out to need more, it goes on to
the application as if it had never been held.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.edge import HEADERS, named
from api.joined import Joining
from api.serving.direct import Direct, Field, Known

HOLD_SECONDS = 0.02
"""Head and body may come in two packets; the application waits for who is slower, by its own clocks and limits."""
_TAIL = b"".join(b"%s: %s\r\n" % (name.lower().encode(), value.encode()) for name, value in HEADERS.items()) + b"\r\n"


class _Event:
    """Wakes nobody: behind a request that is answered directly there is no task."""

    def set(self) -> None:
        """Nothing waits for it."""


class _Asked:
    """A request that is answered directly. To uvicorn it is one like others, so answers keep the requests' order."""

    message_event = _Event()

    def __init__(self, connection: "Connection", known: Known) -> None:
        self.known, self._connection = known, connection
        self.began = time.perf_counter()
        self.parts: list[bytes] = []
        self.request_id = ""
        self.response_complete = self.disconnected = False
        self.keep_alive = True

    @property
    def gone(self) -> bool:
        return self.disconnected or self._connection.transport.is_closing()

    def reply(self, status: int, headers: Sequence[Field], body: bytes) -> None:
        connection = self._connection
        head = [STATUS_LINE[status]]
        for name, value in (*connection.server_state.default_headers, *headers):
            head += (name, b": ", value, b"\r\n")
        head += (b"x-request-id: ", self.request_id.encode(), b"\r\n")
        if not self.keep_alive:
            head.append(b"connection: close\r\n")
        head += (_TAIL, body)
        if not self.gone:
            connection.transport.whole(b"".join(head))
        self.response_complete = True
        if not self.keep_alive:
            connection.transport.close()
        connection.on_response_complete()


class Connection(HttpToolsProtocol):
    """For one application, whose direct answers are ``direct``; see :func:`to`."""

    direct: Direct
    transport: Joining  # type: ignore[assignment]
    _held: _Asked | None = None
    _later: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(cast(asyncio.Transport, Joining(transport, self.loop)))

    def connection_lost(self, error: Exception | None) -> None:
        self._let_go()
        super().connection_lost(error)

    def shutdown(self) -> None:
        if self._held is not None:
            self._pass_on()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._held is not None and self._later is None:
            self._later = self.loop.call_later(HOLD_SECONDS, self._pass_on)

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        known = self.direct.recognise(self.url, self.headers) if self._is_plain() else None
        if known is None:
            self._as_usual()
        else:
            self._held = _Asked(self, known)

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._held.parts.append(body)

    def on_message_complete(self) -> None:
        if self._held is not None and self._answer(self._held):
            self._let_go()
            return
        if self._held is not None:
            self._pass_on()
        super().on_message_complete()

    def _is_plain(self) -> bool:
        """Whether nothing about this request, or before it, asks for more than an answer."""
        parser = self.parser
        return (
            (self.cycle is None or self.cycle.response_complete)  # type: ignore[redundant-expr]  # uvicorn's annotation
            and parser.get_method() == b"POST"
            and parser.should_keep_alive()
            and parser.get_http_version() == "1.1"
            and not (self.config.access_log or self.flow.write_paused)
        )

    def _answer(self, asked: _Asked) -> bool:
        before, self.cycle = self.cycle, asked  # type: ignore[assignment]
        given = next((value for name, value in self.headers if name == b"x-request-id"), b"")
        asked.request_id, parts = named(given.decode("latin-1")), asked.parts
        if self.direct.begin(asked, asked.known, parts[0] if len(parts) == 1 else b"".join(parts)):
            return True
        self.cycle = before
        return False

    def _let_go(self) -> None:
        self._held = None
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _pass_on(self) -> None:
        """To the application."""
        assert self._held is not None
        parts = self._held.parts
        self._let_go()
        self._as_usual()
        for part in parts:
            super().on_body(part)

    def _as_usual(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()


def to(answers: Direct) -> type[Connection]:
    """The class of connections to an application that answers so; uvicorn makes one of it for each."""
    return type("Connection", (Connection,), {"direct": answers})
