"""Data sets, models and predictions."""

from typing import Any, Literal, TypedDict


class DatasetRef(TypedDict):
    id: str
    name: str
    version: int


class Dataset(TypedDict):
    object: Literal["dataset"]
    id: str
    name: str
    version: int
    kind: str
    task: str
    created_at: str
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
    """One raw sample: rows of pixels 0-255 (a channel axis only if there are several channels).

    ``values`` are null where they were not asked for, and of a recording, of which ``seconds`` says how long it is.
    """

    object: Literal["sample"]
    index: int
    label: str
    values: Any
    seconds: float | None


class Model(TypedDict):
    """``serves`` is the version that answers when none is named."""

    object: Literal["model"]
    name: str
    created_at: str
    production: int | None
    latest_ready: int | None
    serves: int | None
    versions: int
    aliases: dict[str, int]


class ModelVersion(TypedDict):
    object: Literal["model_version"]
    model: str
    version: int
    job: str | None
    fine_tune_from: str | None
    checkpoint_step: int
    created_at: str
    ready: bool
    reason: str | None
    weights_sha256: str
    onnx_sha256: str | None
    parameters: int
    task: str
    input: dict[str, Any]
    preprocessing: dict[str, Any] | None
    """Null in lists."""
    classes: list[str]
    columns: list[str] | None
    targets: list[str] | None
    metrics: dict[str, Any]
    dataset: DatasetRef
    spec: dict[str, Any]


class StoredFile(TypedDict):
    sha256: str
    size_bytes: int


class Manifest(TypedDict):
    """What a model version is; ``onnx`` is null where it is not ready, for ``reason``."""

    object: Literal["manifest"]
    model: str
    version: int
    job: str | None
    checkpoint_step: int
    created_at: str
    dataset: DatasetRef
    task: str
    input: dict[str, Any]
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
    object: Literal["alias"]
    model: str
    alias: str
    version: int
    updated_at: str


# "from" is a word of Python's, hence the other form.
AliasMove = TypedDict(
    "AliasMove",
    {"object": Literal["alias_move"], "alias": str, "from": int | None, "to": int | None, "by": str,
     "reason": str | None, "at": str},
)  # fmt: skip


# The same for "class".
Answer = TypedDict("Answer", {"class": str, "index": int, "probability": float, "probabilities": dict[str, float]})


class Foretold(TypedDict):
    """Numbers by the names of the targets, in their own units; of a forecast the next ones in turn."""

    values: dict[str, float | list[float]]


class Prediction(TypedDict):
    """One answer for each input, in order: classes, or numbers where the model foretells them."""

    object: Literal["prediction"]
    model: str
    model_version: int
    predictions: list[Any]


class Generation(TypedDict):
    """What a language model wrote. ``seed`` gives it again; ``finish_reason`` is ``length`` or ``stop``."""

    object: Literal["generation"]
    model: str
    model_version: int
    text: str
    prompt_tokens: int
    tokens: int
    finish_reason: Literal["length", "stop"]
    seed: int
