"""Answers leave in one piece: uvicorn writes head and body apart, each a call and a packet."""

import asyncio
from typing import Any

MOST_BYTES = 64 * 1024
"""More is not held back: whoever writes on must learn that the client reads slower."""


class Joining:
    """A transport that writes in one what it was given in one turn of the event loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []
        self._size = 0
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def whole(self, data: bytes) -> None:
        """Write an answer that is in one piece already."""
        self._flush()
        self._transport.write(data)

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > MOST_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts and not self._transport.is_closing():
            self._transport.write(b"".join(self._parts))
        self._parts.clear()
        self._size = 0
