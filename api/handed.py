"""The other end of :mod:`api.front`: connections that this process is handed, served by uvicorn's own protocol."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from api.front import CLOSED, READY, TAKEN
from core import log


class Handed:
    """Takes connections from a channel from ``start`` on, and tells of those that end.

    ``protocol`` is uvicorn's class for a connection and ``given`` its arguments; ``left`` is called when the front has
    gone, without which nobody can reach us.
    """

    def __init__(
        self, channel: socket.socket, protocol: type[asyncio.Protocol], given: dict[str, Any], left: Callable[[], None]
    ) -> None:
        self._channel, self._given, self._left = channel, given, left
        self._channel.setblocking(False)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._untold = bytearray()
        self._protocol = _telling(protocol, self._closed)
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Say that we serve."""
        self._loop.add_reader(self._channel, self._take)
        self._tell(READY)

    def stop(self) -> None:
        """Take no more."""
        self._loop.remove_reader(self._channel)

    def _take(self) -> None:
        try:
            said, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
        except BlockingIOError:
            return
        except ConnectionResetError:  # the front has gone, and had not read all that we told
            said = b""
        if not said:
            self.stop()
            self._left()
            return
        self._tell(TAKEN)
        if not descriptors:  # this process may have no more of them, and the kernel has dropped it
            log.get(__name__).warning("accept_failed", error="no descriptor is left")
            self._closed()
            return
        connection = socket.socket(fileno=descriptors[0])
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(
            self._loop.connect_accepted_socket(lambda: self._protocol(**self._given), connection)
        )
        self._tasks.add(task)
        task.add_done_callback(self._begun)

    def _begun(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is not None:
            self._closed()

    def _closed(self) -> None:
        self._tell(CLOSED)

    def _tell(self, what: bytes) -> None:
        self._untold += what
        self._send()

    def _send(self) -> None:
        try:
            del self._untold[: self._channel.send(self._untold)]
        except BlockingIOError:  # the channel is full
            pass
        except OSError:  # the front has gone
            self._untold.clear()
        if self._untold:
            self._loop.add_writer(self._channel, self._send)
        else:
            self._loop.remove_writer(self._channel)


def _telling(protocol: type[asyncio.Protocol], closed: Callable[[], None]) -> Any:
    class Telling(protocol):  # type: ignore[misc, valid-type]  # uvicorn chooses the class when it loads
        def connection_lost(self, error: Exception | None) -> None:
            super().connection_lost(error)
            closed()

    return Telling
