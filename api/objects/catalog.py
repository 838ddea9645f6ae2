"""Datasets, models and their versions, aliases, predictions."""

from datetime import datetime
from typing import Any, Literal

from typing_extensions import TypedDict

from core.specs import Task


class DatasetRef(TypedDict):
    """The exact dataset version that a job or model version was made from."""

    id: str
    name: str
    version: int


class Dataset(TypedDict):
    """An immutable version of a dataset; ``shape`` is that of one raw sample.

    ``lengths`` is [shortest, longest] where samples differ in length, else null; ``rate`` is that of recordings, in Hz.
    ``classes`` is empty unless the task is classification; ``targets`` are the names of the numbers to foretell
    (regression, forecast), ``columns`` all those of a forecast's table. ``findings`` is what its ingest saw; null for
    what is built in.
    """

    object: Literal["dataset"]
    id: str
    name: str
    version: int
    kind: str
    task: Task
    created_at: datetime
    shape: list[int]
    lengths: list[int] | None
    rate: int | None
    dtype: str
    classes: list[str]
    columns: list[str] | None
    targets: list[str] | None
    splits: dict[str, int]
    size_bytes: int
    sha256: str
    source: str
    findings: dict[str, Any] | None


class Sample(TypedDict):
    """One raw sample; ``values`` are nested lists of its shape (a single channel is left out), or a text.

    Of a recording they are null, and ``seconds`` says how long it is; of all else ``seconds`` is null. They are null
    too where they were not asked for. ``label`` is the class, or the number to foretell. Of a forecast's table the
    samples are stretches of 96 rows.
    """

    object: Literal["sample"]
    index: int
    label: str
    values: list[Any] | str | None
    seconds: float | None


class Served(TypedDict):
    """What a model version was asked in the last 60 minutes, as the API that answers counted it.

    ``errors`` are those of the ``requests`` that were refused or failed. The times, true to 9 %, are those within which
    half, 95 % and 99 % of the others were answered; null when there were none.
    """

    version: int
    requests: int
    samples: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    last_request_at: datetime | None


class Model(TypedDict):
    """A registered name. ``serves`` is the version that answers predictions by this name.

    ``served`` are the versions that were asked in the last hour, the one asked most first.
    """

    object: Literal["model"]
    name: str
    created_at: datetime
    production: int | None
    latest_ready: int | None
    serves: int | None
    versions: int
    aliases: dict[str, int]
    served: list[Served]


class Input(TypedDict):
    """What a model version reads."""

    kind: str
    shape: list[int]
    dtype: str


class ModelVersion(TypedDict):
    """An immutable version of a model. Not ``ready``: it cannot answer predictions, for ``reason``.

    ``fine_tune_from`` is the version (``name:version``) whose weights its training started from. ``preprocessing`` is
    null in lists. A forecast reads as many rows as ``input`` says, of ``columns``, and foretells ``targets`` for
    ``preprocessing.targets.horizon`` rows.
    """

    object: Literal["model_version"]
    model: str
    version: int
    job: str | None
    fine_tune_from: str | None
    checkpoint_step: int
    created_at: datetime
    ready: bool
    reason: str | None
    weights_sha256: str
    onnx_sha256: str | None
    parameters: int
    task: Task
    input: Input
    preprocessing: dict[str, Any] | None
    classes: list[str]
    columns: list[str] | None
    targets: list[str] | None
    metrics: dict[str, Any]
    dataset: DatasetRef
    spec: dict[str, Any]
    served: Served


class StoredFile(TypedDict):
    """A file that can be fetched."""

    sha256: str
    size_bytes: int


class Manifest(TypedDict):
    """What a model version is, for whoever runs its files elsewhere; the fields are those of the version.

    ``onnx`` is null where the version is not ready, for ``reason``.
    """

    object: Literal["manifest"]
    model: str
    version: int
    job: str | None
    checkpoint_step: int
    created_at: datetime
    dataset: DatasetRef
    task: Task
    input: Input
    preprocessing: dict[str, Any]
    classes: list[str]
    columns: list[str] | None
    targets: list[str] | None
    parameters: int
    metrics: dict[str, Any]
    spec: dict[str, Any]
    weights: StoredFile
    onnx: StoredFile | None
    reason: str | None


class Alias(TypedDict):
    """A movable name for one version of a model."""

    object: Literal["alias"]
    model: str
    alias: str
    version: int
    updated_at: datetime


AliasMove = TypedDict(
    "AliasMove",
    {
        "object": Literal["alias_move"],
        "alias": str,
        "from": int | None,
        "to": int | None,
        "by": str,
        "reason": str | None,
        "at": datetime,
    },
)
"""One entry of an alias's history."""

Prediction = TypedDict(
    "Prediction", {"class": str, "index": int, "probability": float, "probabilities": dict[str, float]}
)
"""The likeliest class of one sample, and the probability of every class (or of the ``top`` ones)."""


class Foretold(TypedDict):
    """The numbers of one sample by the names of the targets, in their own units; of a forecast those to come."""

    values: dict[str, float | list[float]]


class Predictions(TypedDict):
    """One prediction for each input, in their order, and the version that made them."""

    object: Literal["prediction"]
    model: str
    model_version: int
    predictions: list[Prediction] | list[Foretold]


class Generation(TypedDict):
    """What a language model wrote, and the version that did. The same ``seed`` gives the same text.

    ``tokens`` were written after ``prompt_tokens`` had been read; ``finish_reason`` is ``length`` (``max_tokens``) or
    ``stop``.
    """

    object: Literal["generation"]
    model: str
    model_version: int
    text: str
    prompt_tokens: int
    tokens: int
    finish_reason: Literal["length", "stop"]
    seed: int
