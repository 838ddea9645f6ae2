"""Aliases of a model: movable names for one version, with a history of every move and a one-call rollback."""

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from core import ids
from core.catalog import models, revision
from core.db import now
from core.errors import Conflict, NotFound, PreconditionFailed, PreconditionRequired
from core.tables import AliasMove, ModelAlias, ModelVersion


def find(session: Session, tenant: str, name: str, alias: str) -> ModelAlias:
    """An alias of a tenant's model.

    Raises:
        NotFound: no such model or alias.
    """
    row = session.get(ModelAlias, (models.find(session, tenant, name).id, alias))
    if row is None:
        raise NotFound(f"model {name!r} has no alias {alias!r}")
    return row


def _locked(mine: tuple[ColumnElement[bool], ...]) -> Select[ModelAlias]:
    """The row as it is once the lock is held, also when this session has read it before."""
    return select(ModelAlias).where(*mine).with_for_update().execution_options(populate_existing=True)


def _current(session: Session, model_id: str, alias: str, expected: int | None) -> ModelAlias | None:
    """The locked row; ``expected`` is the revision that the caller saw (null: it saw none).

    Raises:
        PreconditionRequired: the alias exists and the caller did not say which revision it saw.
        PreconditionFailed: the alias moved, or went, since the caller looked.
    """
    mine = (ModelAlias.model_id == model_id, ModelAlias.alias == alias)
    row = session.scalar(_locked(mine))
    if row is None and expected is not None:
        raise PreconditionFailed(f"the alias {alias!r} no longer exists")
    if row is not None and expected is None:
        raise PreconditionRequired(f"the alias {alias!r} exists: send If-Match with its ETag to move it")
    if row is not None and row.revision != expected:
        raise PreconditionFailed(f"the alias {alias!r} moved meanwhile; it names version {row.version} now")
    return row


def move(
    session: Session,
    tenant: str,
    name: str,
    alias: str,
    version: int,
    *,
    by: str,
    reason: str | None,
    expected: int | None,
) -> tuple[ModelAlias, bool]:
    """Point an alias at a version; returns it and whether it is new.

    Raises:
        NotFound: no such model or version.
        PreconditionRequired, PreconditionFailed: see the alias's ETag.
    """
    target = models.find_version(session, tenant, name, version)
    row = _current(session, target.model_id, alias, expected)
    return _point(session, target.model_id, alias, row, version, by, reason), row is None


def _point(
    session: Session, model_id: str, alias: str, row: ModelAlias | None, version: int, by: str, reason: str | None
) -> ModelAlias:
    at = now(session)
    _write_move(session, model_id, alias, row.version if row else None, version, by, reason)
    if row is None:
        row = ModelAlias(
            model_id=model_id, alias=alias, version=version, revision=_moves(session, model_id, alias), updated_at=at
        )
        session.add(row)
    else:
        row.version, row.revision, row.updated_at = version, row.revision + 1, at
    session.flush()
    revision.raise_(session)
    return row


def _moves(session: Session, model_id: str, alias: str) -> int:
    """Number of moves so far: a re-created alias never repeats an ETag."""
    history = select(AliasMove.id).where(AliasMove.model_id == model_id, AliasMove.alias == alias)
    return len(session.scalars(history).all())


def _write_move(
    session: Session, model_id: str, alias: str, old: int | None, new: int | None, by: str, reason: str | None
) -> None:
    move_id, at = ids.new("move"), now(session)
    row = {"from_version": old, "to_version": new, "moved_by": by, "reason": reason, "moved_at": at}
    session.add(AliasMove(id=move_id, model_id=model_id, alias=alias, **row))
    session.flush()


def remove(session: Session, tenant: str, name: str, alias: str, *, by: str, expected: int | None) -> None:
    """Delete an alias; its history stays.

    Raises:
        NotFound: no such model or alias.
        PreconditionRequired, PreconditionFailed: see the alias's ETag.
    """
    model_id = find(session, tenant, name, alias).model_id
    row = _current(session, model_id, alias, expected)
    assert row is not None, "found above, in this transaction"
    _write_move(session, model_id, alias, row.version, None, by, "removed")
    session.delete(row)
    revision.raise_(session)


def rollback(session: Session, tenant: str, name: str, alias: str, *, by: str, reason: str | None) -> ModelAlias:
    """Point an alias back at the version that it named before its last move.

    Raises:
        NotFound: no such model or alias.
        Conflict: there was no version before.
    """
    model_id = find(session, tenant, name, alias).model_id
    mine = (ModelAlias.model_id == model_id, ModelAlias.alias == alias)
    row = session.scalars(_locked(mine)).one()
    history = select(AliasMove).where(AliasMove.model_id == model_id, AliasMove.alias == alias)
    last = session.scalars(history.order_by(AliasMove.moved_at.desc(), AliasMove.id.desc()).limit(1)).one()
    if last.from_version is None:
        raise Conflict(f"the alias {alias!r} named no version before {row.version}")
    assert session.get(ModelVersion, (model_id, last.from_version)) is not None, "versions are immutable"
    return _point(session, model_id, alias, row, last.from_version, by, reason or "rollback")
