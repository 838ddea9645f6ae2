"""Models and their versions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, defer

from api import express, objects
from api.answers import NOT_MODIFIED, conditional, documented
from api.deps import Caller, DatabaseDep, ServiceDep
from api.paging import LINK, Limit, NameCursor, NumberCursor, Page, page
from api.serving.served import Served
from core.catalog import models
from core.errors import NotFound
from core.tables import Dataset, Model, ModelAlias, ModelVersion

router = APIRouter(prefix="/v1/models", tags=["models"])


def shown(session: Session, rows: Sequence[Model], served: Served) -> list[objects.Model]:
    """Models with what their versions and aliases say."""
    wanted = [row.id for row in rows]
    newest_ready = func.max(case((ModelVersion.ready, ModelVersion.version)))
    counts = select(ModelVersion.model_id, func.count(), newest_ready).group_by(ModelVersion.model_id)
    known = {
        model_id: (count, newest)
        for model_id, count, newest in session.execute(counts.where(ModelVersion.model_id.in_(wanted)))
    }
    aliases: dict[str, dict[str, int]] = defaultdict(dict)
    production_ready: dict[str, bool] = {}
    named = (
        select(ModelAlias.model_id, ModelAlias.alias, ModelAlias.version, ModelVersion.ready)
        .join(
            ModelVersion, (ModelVersion.model_id == ModelAlias.model_id) & (ModelVersion.version == ModelAlias.version)
        )
        .where(ModelAlias.model_id.in_(wanted))
        .order_by(ModelAlias.alias)
    )
    for model_id, alias, version, ready in session.execute(named):
        aliases[model_id][alias] = version
        if alias == models.PRODUCTION:
            production_ready[model_id] = ready
    return [
        express.model(
            row,
            served.of_model(row.id),
            *known.get(row.id, (0, None)),
            aliases[row.id],
            production_ready.get(row.id, False),
        )
        for row in rows
    ]


@router.get("", responses=documented(Page[objects.Model], also=NOT_MODIFIED, headers=LINK))
def list_models(
    request: Request,
    caller: Caller,
    service: ServiceDep,
    database: DatabaseDep,
    limit: Limit = 20,
    after: NameCursor = None,
) -> Response:
    """The models by name."""
    wanted = select(Model).where(Model.tenant == caller.tenant).order_by(Model.name).limit(limit + 1)
    if after is not None:
        wanted = wanted.where(Model.name > after)
    with database.reading() as session:
        rows = list(session.scalars(wanted))
        found = shown(session, rows, service.predict.served)
    return page(request, found, limit, [row.name for row in rows], stored=[_stored(one) for one in found])


@router.get("/{name}", responses=documented(objects.Model, "not_found", also=NOT_MODIFIED))
def get_model(request: Request, name: str, caller: Caller, service: ServiceDep, database: DatabaseDep) -> Response:
    """One model."""
    with database.reading() as session:
        (found,) = shown(session, [models.find(session, caller.tenant, name)], service.predict.served)
    return conditional(request, found, stored=_stored(found))


@router.get(
    "/{name}/versions", responses=documented(Page[objects.ModelVersion], "not_found", also=NOT_MODIFIED, headers=LINK)
)
def list_versions(
    request: Request,
    name: str,
    caller: Caller,
    service: ServiceDep,
    database: DatabaseDep,
    limit: Limit = 20,
    after: NumberCursor = None,
) -> Response:
    """The versions of a model, newest first."""
    with database.reading() as session:
        model = models.find(session, caller.tenant, name)
        wanted = (
            select(ModelVersion, Dataset)
            .join(Dataset, Dataset.id == ModelVersion.dataset_id)
            .where(ModelVersion.model_id == model.id)
            .order_by(ModelVersion.version.desc())
            .limit(limit + 1)
            .options(defer(ModelVersion.preprocessing, raiseload=True))
        )
        if after is not None:
            wanted = wanted.where(ModelVersion.version < int(after))
        rows = list(session.execute(wanted))
    served = service.predict.served
    found = [express.version(name, row, made_from, served.of(row.model_id, row.version)) for row, made_from in rows]
    cursors = [str(version.version) for version, _ in rows]
    return page(request, found, limit, cursors, stored=[_stored(one) for one in found])


@router.get("/{name}/versions/{version}", responses=documented(objects.ModelVersion, "not_found", also=NOT_MODIFIED))
def get_version(
    request: Request, name: str, version: str, caller: Caller, service: ServiceDep, database: DatabaseDep
) -> Response:
    """One version of a model, with its preprocessing."""
    with database.reading() as session:
        row = models.find_version(session, caller.tenant, name, numbered(name, version))
        dataset = session.get_one(Dataset, row.dataset_id)
    shown = express.version(name, row, dataset, service.predict.served.of(row.model_id, row.version))
    found: objects.ModelVersion = {**shown, "preprocessing": row.preprocessing}
    return conditional(request, found, stored=_stored(found))


def _stored(found: Mapping[str, Any]) -> dict[str, Any]:
    """A model or a version without what was served of it, which its ETag does not name."""
    return {field: value for field, value in found.items() if field != "served"}


def numbered(name: str, version: str) -> int:
    """The number of a version in a path.

    Raises:
        NotFound: it is none.
    """
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise NotFound(f"model {name!r} has no version {version!r}: versions are numbers")
    return int(version)
