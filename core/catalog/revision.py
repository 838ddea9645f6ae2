"""One counter that every change of a key, alias or version raises, so that API processes know when to look again."""

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from core.tables import CatalogRevision

_REVISION = select(CatalogRevision.revision)


def current(connection: Connection) -> int:
    """The catalog's revision."""
    return connection.scalar(_REVISION) or 0


def raise_(session: Session) -> None:
    """Tell every process that the catalog changed; call it in the transaction of the change."""
    raised = session.execute(update(CatalogRevision).values(revision=CatalogRevision.revision + 1))
    assert raised.rowcount == 1, "migrations insert the one row"  # type: ignore[attr-defined]
