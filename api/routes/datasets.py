"""Datasets, read only: which there are, and what is in them."""

from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray
from safetensors.numpy import load
from sqlalchemy import select

from api import express, objects
from api.answers import NOT_MODIFIED, conditional, documented
from api.deps import Caller, DatabaseDep
from api.paging import LINK, IdCursor, Limit, NumberCursor, Page, page
from core import blobs
from core.catalog import datasets
from core.db import Database
from core.errors import NotFound
from core.specs import NAME_PATTERN
from core.tables import Dataset

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])


@router.get("", responses=documented(Page[objects.Dataset], also=NOT_MODIFIED, headers=LINK))
def list_datasets(
    request: Request,
    caller: Caller,
    database: DatabaseDep,
    name: Annotated[str | None, Query(pattern=NAME_PATTERN)] = None,
    limit: Limit = 20,
    after: IdCursor = None,
) -> Response:
    """The datasets that you see: yours and the built-in ones, newest first."""
    wanted = select(Dataset).where(datasets.visible(caller.tenant)).order_by(Dataset.id.desc()).limit(limit + 1)
    if name is not None:
        wanted = wanted.where(Dataset.name == name)
    if after is not None:
        wanted = wanted.where(Dataset.id < after)
    with database.reading() as session:
        rows = list(session.scalars(wanted))
    return page(request, [express.dataset(row) for row in rows], limit, [row.id for row in rows])


@router.get("/{dataset}", responses=documented(objects.Dataset, "not_found", also=NOT_MODIFIED))
def get_dataset(request: Request, dataset: str, caller: Caller, database: DatabaseDep) -> Response:
    """One dataset by name (its newest version), name@version or id."""
    with database.reading() as session:
        return conditional(request, express.dataset(datasets.find(session, caller.tenant, dataset)))


@router.get(
    "/{dataset}/samples", responses=documented(Page[objects.Sample], "not_found", also=NOT_MODIFIED, headers=LINK)
)
def list_samples(
    request: Request,
    dataset: str,
    caller: Caller,
    database: DatabaseDep,
    split: Annotated[Literal["train", "test"], Query()] = "test",
    limit: Limit = 20,
    after: NumberCursor = None,
) -> Response:
    """Raw samples of a split, by their index in it."""
    with database.reading() as session:
        row = datasets.find(session, caller.tenant, dataset)
    inputs, targets = _split(database, row.sha256, split)
    first = 0 if after is None else int(after) + 1
    chosen = range(first, min(first + limit + 1, len(targets)))
    samples = [_sample(index, str(row.classes[targets[index]]), inputs[index]) for index in chosen]
    return page(request, samples, limit, [str(index) for index in chosen])


def _sample(index: int, label: str, values: NDArray[Any]) -> dict[str, Any]:
    shown = values[..., 0] if values.shape[-1] == 1 else values
    return {"object": "sample", "index": index, "label": label, "values": shown.tolist()}


def _split(database: Database, sha256: str, split: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    tensors = _tensors(database, sha256)
    return tensors[f"{split}.inputs"], tensors[f"{split}.targets"]


@lru_cache(maxsize=4)
def _tensors(database: Database, sha256: str) -> dict[str, NDArray[Any]]:
    """The arrays of a dataset file; the last few stay in memory."""
    data = b"".join(blobs.read(database, sha256))
    if not data:
        raise NotFound(f"the bytes of the dataset ({sha256}) are not stored")
    return load(data)
