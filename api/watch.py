"""What every request needs to know from the catalog, kept in memory: the API keys, and the catalog's revision.

A thread reads the revision when something was committed, or may have been, every 250 ms at most, and the keys when it
has changed, so that authentication and predictions touch no database. While the database is away the process goes on
with what it knows for 300 s.
"""

import contextlib
import threading
import time
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from core import log
from core.catalog import revision
from core.db import Database
from core.errors import Unavailable
from core.tables import ApiKey

SECONDS = 0.25
GRACE_SECONDS = 300.0


@dataclass(frozen=True)
class _Known:
    revision: int
    keys: dict[str, ApiKey]


class CatalogWatch:
    """Knows the API keys and the revision of the catalog; ``start`` begins to look, ``stop`` ends it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: _Known | None = None
        self._looked = 0.0
        self._glance = database.glance()
        self._mark: int | None = None
        self._looking = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="catalog-watch", daemon=True)

    def start(self) -> None:
        """Look once, if the database is there, and go on in a thread."""
        self._try(away=False)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._glance.stop()
        self._thread.join(5)
        if not self._thread.is_alive():  # or the database is away, and it goes on for a while
            with self._looking:
                self._glance.close()

    def look_soon(self) -> None:
        """Look now if that is possible: after a write of this process, so that the caller's next request sees it."""
        with contextlib.suppress(SQLAlchemyError):  # the change is done; the thread looks again
            self.look()

    def look(self) -> None:
        """Look now."""
        with self._looking:
            mark = self._glance.mark()
            if mark is not None and mark == self._mark:
                self._looked = time.monotonic()
                return
            with self._database.looking() as connection:
                current = revision.current(connection)
            if self._known is None or current != self._known.revision:
                # Read after the revision: at worst these are the keys of a later one, and are read once more.
                with self._database.reading() as session:
                    self._known = _Known(current, {key.id: key for key in session.scalars(select(ApiKey))})
            self._looked, self._mark = time.monotonic(), mark

    @property
    def revision(self) -> int:
        """The catalog's revision, as of at most half a second ago or of the time the database went away."""
        return self._current().revision

    def key(self, key_id: str) -> ApiKey | None:
        """An API key's row, revoked ones too."""
        return self._current().keys.get(key_id)

    def _current(self) -> _Known:
        if self._known is None or time.monotonic() - self._looked > GRACE_SECONDS:
            raise Unavailable("the database has been away for too long; try again soon")
        return self._known

    def _run(self) -> None:
        away = False
        while self._glance.wait(SECONDS):
            away = self._try(away)

    def _try(self, away: bool) -> bool:
        """Look; returns whether the database is away, and says so when that changes."""
        try:
            self.look()
        except SQLAlchemyError as error:
            if not away:
                log.get(__name__).warning("database_away", error=str(error).splitlines()[0])
            return True
        if away:
            log.get(__name__).info("database_back")
        return False
