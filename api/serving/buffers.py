"""How much of requests' bodies may lie in memory, all of them together."""

from types import TracebackType
from typing import Self

from core.errors import Overloaded


class Buffers:
    """Counts the bytes of the bodies that arrive in several parts. For the event loop's thread."""

    def __init__(self, most: int) -> None:
        self.most, self.held = most, 0


class Buffer:
    """A context: the body of one request, which is no longer held when it is left."""

    def __init__(self, buffers: Buffers) -> None:
        self._buffers, self._size = buffers, 0

    def __enter__(self) -> Self:
        return self

    def add(self, part: bytes) -> bytes:
        """A part that has arrived.

        Raises:
            Overloaded: those of all requests would take too much memory.
        """
        if self._buffers.held + len(part) > self._buffers.most:
            raise Overloaded(f"the bodies under way hold {self._buffers.most:,} bytes already; try again")
        self._size += len(part)
        self._buffers.held += len(part)
        return part

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._buffers.held -= self._size
