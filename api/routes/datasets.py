"""Datasets: which there are, what is in them, and deleting those that nobody uses."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response
from numpy.typing import NDArray
from sqlalchemy import select

from api import express, objects
from api.answers import NOT_MODIFIED, conditional, documented, matches
from api.deps import Caller, DatabaseDep
from api.paging import LINK, IdCursor, Limit, NumberCursor, Page, page
from api.samples import Samples, Value
from core import blobs
from core.catalog import datasets
from core.db import Database
from core.encode import audio, image
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


@router.delete(
    "/{dataset}",
    status_code=204,
    responses=documented(None, "not_found", "conflict", status=204, description="It is gone."),
)
def delete_dataset(dataset: str, caller: Caller, database: DatabaseDep) -> Response:
    """Delete one version (name@version, or an id) that no job was run on and no model version was made from."""
    with database.transaction() as session:
        sha256 = datasets.delete(session, caller.tenant, dataset)
    blobs.free(database, sha256)
    return Response(status_code=204)


Split = Annotated[Literal["train", "validation", "test"], Query()]


@router.get(
    "/{dataset}/samples", responses=documented(Page[objects.Sample], "not_found", also=NOT_MODIFIED, headers=LINK)
)
def list_samples(
    request: Request,
    dataset: str,
    caller: Caller,
    database: DatabaseDep,
    split: Split = "test",
    values: Annotated[bool, Query(description="False leaves the values out, and the labels stay.")] = True,
    limit: Limit = 20,
    after: NumberCursor = None,
) -> Response:
    """Raw samples of a split, by their index in it; of recordings only how long they are."""
    with database.reading() as session:
        row = datasets.find(session, caller.tenant, dataset)
    first = 0 if after is None else int(after) + 1
    samples = Samples(database, row, split)
    if row.kind == "audio":
        clips = samples.seconds(first, limit + 1)
        shown = [_sample(index, label, None, seconds) for index, (label, seconds) in enumerate(clips, first)]
    elif not values:
        shown = [_sample(index, label, None) for index, label in enumerate(samples.labels(first, limit + 1), first)]
    else:
        found = samples.read(first, limit + 1)
        shown = [_sample(index, label, value) for index, (label, value) in enumerate(found, first)]
    return page(request, shown, limit, [str(one["index"]) for one in shown])


def _sample(index: int, label: str, value: Value | None, seconds: float | None = None) -> dict[str, Any]:
    if isinstance(value, np.ndarray):
        value = value[..., 0].tolist() if value.shape[-1] == 1 else value.tolist()
    return {"object": "sample", "index": index, "label": label, "values": value, "seconds": seconds}


def _file(kind: str, description: str) -> dict[int | str, dict[str, Any]]:
    """The answers of a route that gives one sample as a file."""
    answers = documented(None, "not_found", also=NOT_MODIFIED, description=description)
    answers[200]["content"] = {kind: {"schema": {"type": "string", "format": "binary"}}}
    return answers


Index = Annotated[int, Path(ge=0, le=2**53)]


@router.get(
    "/{dataset}/samples/{index}/image",
    responses=_file("image/png", "The picture, pixel for pixel."),
    response_class=Response,
)
def get_sample_image(
    request: Request, dataset: str, index: Index, caller: Caller, database: DatabaseDep, split: Split = "test"
) -> Response:
    """One sample of images as a PNG."""
    with database.reading() as session:
        row = datasets.find(session, caller.tenant, dataset)
    if row.kind != "image":
        raise NotFound(f"the samples of {row.name} are no images")
    return _sample_file(request, dataset, row, split, index, database, image.png, "image/png")


@router.get(
    "/{dataset}/samples/{index}/audio",
    responses=_file("audio/wav", "The recording, sample for sample: 16 bits, mono."),
    response_class=Response,
)
def get_sample_audio(
    request: Request, dataset: str, index: Index, caller: Caller, database: DatabaseDep, split: Split = "test"
) -> Response:
    """One sample of recordings as a WAV file."""
    with database.reading() as session:
        row = datasets.find(session, caller.tenant, dataset)
    if row.rate is None:
        raise NotFound(f"the samples of {row.name} are no recordings")
    return _sample_file(request, dataset, row, split, index, database, partial(audio.wav, rate=row.rate), "audio/wav")


def _sample_file(
    request: Request,
    reference: str,
    row: Dataset,
    split: str,
    index: int,
    database: Database,
    encode: Callable[[NDArray[Any]], bytes],
    kind: str,
) -> Response:
    """A sample as a file; it never changes, but another version may be the newest."""
    found = Samples(database, row, split).read(index, 1)
    if not found:
        raise NotFound(f"the {split} split of {row.name} has no sample {index}")
    tag = f'"{row.sha256[:32]}-{split}-{index}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=31536000, immutable" if "@" in reference else "no-cache"}
    if matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    _, values = found[0]
    assert not isinstance(values, str)
    return Response(encode(values), 200, headers, kind)
