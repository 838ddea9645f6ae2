"""Whether anything was committed: so cheap to tell that it may be asked many times a second, beside a training."""

import contextlib
import os
import select
import sqlite3
import time
from contextlib import closing

from core import inotify, log

UNHEARD_SECONDS = 0.5
"""Whoever commits rings, unless it is killed between the two: so long a look waits at most."""


class Glance:
    """Marks of a database's content, and a bell; use each object from one thread at a time.

    SQLite counts the commits of other connections (``PRAGMA data_version``), so this has a connection of its own, which
    commits nothing, and :func:`ring` tells of them. PostgreSQL counts nothing so cheaply: there no mark is ever known,
    and nothing rings.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._looked = time.monotonic()
        self.bell: int | None = None
        """A descriptor that can be read once something was committed; known from the first mark on, if there is one."""

    def mark(self) -> int | None:
        """Two equal marks: nothing was committed between them. None: it cannot be told, so look.

        Take it before what it is to stand for is read. A commit after it rings.
        """
        self._looked = time.monotonic()
        if self._path is None:
            return None
        try:
            if self._connection is None:
                # It never waits for a lock: event loops glance too.
                self._connection = sqlite3.connect(self._path, timeout=0, check_same_thread=False, isolation_level=None)
                self._hang_bell(self._path)
            if self.bell is not None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.bell, 4096)
            with closing(self._connection.execute("PRAGMA data_version")) as cursor:
                found: int = cursor.fetchone()[0]
        except sqlite3.Error:  # whoever looks for himself meets the fault, and says so
            return None
        return found

    def wait(self, stop: int, least: float, most: float = UNHEARD_SECONDS) -> bool:
        """Wait until it is worth to look again; False once the descriptor ``stop`` can be read.

        That is ``least`` seconds after the last mark, or, where commits ring, at the first one after that; ``most``
        seconds from now if none does.
        """
        if self.bell is not None and stop in _readable([stop, self.bell], most):
            return False
        early = self._looked + least - time.monotonic()
        return not _readable([stop], max(0.0, early))

    def close(self) -> None:
        """Close the connection and the bell."""
        if self._connection is not None:
            self._connection.close()
        if self.bell is not None:
            os.close(self.bell)
            self.bell = None

    def _hang_bell(self, path: str) -> None:
        try:
            self.bell = inotify.touched(path)
        except OSError as error:
            log.get(__name__).info("commits_do_not_ring", reason=error.strerror or str(error))


def ring(path: str) -> None:
    """Tell every :class:`Glance` at this SQLite file, in all processes, that something was committed."""
    with contextlib.suppress(OSError):  # it may be touched only by its owner; they look without it too
        os.utime(path)


def _readable(descriptors: list[int], seconds: float) -> list[int]:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(seconds * 1000)]
