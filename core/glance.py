"""Whether anything was committed: so cheap to tell that it may be asked many times a second, beside a training."""

import sqlite3
from contextlib import closing


class Glance:
    """Marks of a database's content; use each object from one thread at a time.

    SQLite counts the commits of other connections (``PRAGMA data_version``), so this has a connection of its own, which
    commits nothing. PostgreSQL counts nothing so cheaply: there no mark is ever known.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def mark(self) -> int | None:
        """Two equal marks: nothing was committed between them. None: it cannot be told, so look.

        Take it before what it is to stand for is read.
        """
        if self._path is None:
            return None
        try:
            if self._connection is None:
                # It never waits for a lock: event loops glance too.
                self._connection = sqlite3.connect(self._path, timeout=0, check_same_thread=False, isolation_level=None)
            with closing(self._connection.execute("PRAGMA data_version")) as cursor:
                found: int = cursor.fetchone()[0]
        except sqlite3.Error:  # whoever looks for himself meets the fault, and says so
            return None
        return found

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
