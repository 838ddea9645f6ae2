"""Marks of a database: the same while nothing is committed, another after any other connection's commit."""

from contextlib import closing
from pathlib import Path

from core import ids
from core.db import Database, now
from core.tables import Blob


def commit(database: Database) -> None:
    with database.transaction() as session:
        session.add(Blob(id=ids.new("blob"), touched_at=now(session)))


def test_a_mark_changes_with_every_commit_and_with_nothing_else(database: Database) -> None:
    with closing(database.glance()) as glance:
        if not database.is_sqlite:
            assert glance.mark() is None  # so that everybody looks for himself
            return
        other = Database(str(database.url))
        for writer in (database, other):  # another connection of this pool, and one of another process, say
            before = glance.mark()
            assert before is not None and glance.mark() == before
            with database.looking() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM blobs")
            assert glance.mark() == before
            with writer.transaction():
                pass  # nothing was written
            assert glance.mark() == before
            commit(writer)
            assert glance.mark() != before
        other.close()


def test_nothing_can_be_told_of_what_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "text.db"
    file.write_bytes(b"no database" * 1000)
    with closing(Database(f"sqlite:///{file}").glance()) as glance:
        assert glance.mark() is None
    with closing(Database(f"sqlite:///{tmp_path}/empty.db").glance()) as glance:
        assert glance.mark() is not None
        glance.close()
        assert glance.mark() is None
