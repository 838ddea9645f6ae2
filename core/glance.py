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
        self._stopped, self._stop = os.pipe()
        self._descriptors: tuple[int, ...] = (self._stopped, self._stop)

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

    def wait(self, least: float, most: float = UNHEARD_SECONDS) -> bool:
        """Wait until it is worth to look again; False once another thread has called ``stop``.

        Where commits ring that is at the first one, ``least`` seconds after the last mark at the soonest and ``most``
        seconds from now at the latest; elsewhere it is ``least`` seconds from now.
        """
        pause = least
        if self.bell is not None:
            _await([self._stopped, self.bell], most)
            pause = max(0.0, self._looked + least - time.monotonic())
        return not _await([self._stopped], pause)

    def stop(self) -> None:
        """End the wait, and every later one."""
        os.write(self._stop, b".")

    def close(self) -> None:
        """Close the connection and the bell; only when nobody waits."""
        if self._connection is not None:
            self._connection.close()
        descriptors, self._descriptors, self.bell = self._descriptors, (), None
        for descriptor in descriptors:
            os.close(descriptor)

    def _hang_bell(self, path: str) -> None:
        try:
            self.bell = inotify.touched(path)
            self._descriptors = (*self._descriptors, self.bell)
        except OSError as error:
            reason = f"no inotify: {error.strerror or error}"  # at "Too many open files": fs.inotify.max_user_instances
            log.get(__name__).info("commits_do_not_ring", reason=reason)


def ring(path: str) -> None:
    """Tell every :class:`Glance` at this SQLite file, in all processes, that something was committed."""
    with contextlib.suppress(OSError):  # a file that was moved away, say; they look without it too
        os.utime(path)


def _await(descriptors: list[int], seconds: float) -> bool:
    """Wait until one of them can be read; whether one can."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
