"""The lines that a child prints, Python's and C code's alike: events, and the last ones for the failure report."""

import os
from collections import deque
from multiprocessing.connection import Connection

TAIL_LINES = 50
MAX_LINE = 2000
MAX_LINES = 2000


class Output:
    """Reads a child's standard output and error."""

    def __init__(self, reader: Connection) -> None:
        self.reader = reader
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.ended = False
        self._rest = b""
        self._left = MAX_LINES

    def read(self) -> list[str]:
        """The lines to keep out of what is there now; call it when the reader is ready."""
        piece = os.read(self.reader.fileno(), 65536)
        self.ended = not piece
        *whole, self._rest = (self._rest + piece).split(b"\n")
        if self.ended and self._rest:
            whole, self._rest = [*whole, self._rest], b""
        if len(self._rest) > MAX_LINE * 4:  # a line without an end
            whole, self._rest = [*whole, self._rest], b""
        # PostgreSQL's text cannot hold a NUL.
        texts = (line.decode("utf-8", "replace").replace("\0", "").rstrip()[:MAX_LINE] for line in whole)
        lines = [text for text in texts if text]
        self.tail.extend(lines)
        kept = lines[: self._left]
        if 0 < self._left <= len(lines):
            kept.append(f"(more than {MAX_LINES} lines were printed; the rest is not kept)")
        self._left = max(0, self._left - len(lines))
        return kept
