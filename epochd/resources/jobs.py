"""Jobs and what they leave behind."""

from typing import Any, Literal, TypedDict

from epochd.resources.catalog import DatasetRef

Status = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
ENDED: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})


class Layer(TypedDict):
    """One layer of the plan; shapes are per sample."""

    name: str
    kind: str
    input: list[int]
    output: list[int]
    parameters: int
    flops: int
    activation_bytes: int


class Progress(TypedDict):
    """An ingest names the ``stage`` whose steps it counts."""

    stage: str | None
    step: int
    total_steps: int | None
    epoch: int | None
    epochs: int | None
    ratio: float | None


class Queue(TypedDict):
    """The place in line (1 is next)."""

    position: int
    expected_start: str | None
    reason: str | None


class WaitingFor(TypedDict):
    reason: str


class JobError(TypedDict):
    """Why a job failed. ``code``: invalid_data, out_of_memory, diverged, timed_out, worker_lost, crashed, internal."""

    code: str
    message: str
    param: str | None
    retryable: bool
    detail: dict[str, Any]


class Ingest(TypedDict):
    """What an ingest was asked for."""

    dataset: str
    options: dict[str, Any]
    source: str


class Explain(TypedDict):
    """What an explanation was asked for; the job's result is an :class:`~epochd.resources.Explanation`."""

    model: str
    options: dict[str, Any]


class Evaluate(TypedDict):
    """The checkpoint that becomes a version, and the training that made it; the job's result is like a training's."""

    job: str
    checkpoint: str
    step: int


class Predict(TypedDict):
    """Which version (``name:version``) answers which rows of the job's dataset, and how they are written."""

    model: str
    split: Literal["train", "validation", "test", "all"]
    format: Literal["csv", "jsonl", "npz"]
    top: int | None


class Answered(TypedDict):
    """What came of answering a data set.

    ``scores`` are {accuracy} of classes or {mae, rmse} of numbers in their own units, null for ``scores_reason``;
    ``confusion_matrix`` counts [target][prediction] of ``classes``. ``sha256`` and ``size_bytes`` are the file's.
    """

    model: str
    model_version: int
    split: str
    format: str
    rows: int
    size_bytes: int
    sha256: str
    scores: dict[str, float] | None
    scores_reason: str | None
    confusion_matrix: list[list[int]] | None
    classes: list[str]
    seconds: float


class Job(TypedDict):
    """A job. ``layers`` is null in lists; times are RFC 3339 in UTC.

    What only a training has (network, hyperparameters, parameters, ...) is null for other kinds. The ``dataset``
    of an ingest is what it made, of a prediction what it answers.
    """

    id: str
    object: Literal["job"]
    kind: str
    status: Status
    requested: Literal["cancel", "pause"] | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    estimated_finish: str | None
    dataset: DatasetRef | None
    ingest: Ingest | None
    explain: Explain | None
    evaluate: Evaluate | None
    predict: Predict | None
    model: str | None
    model_version: int | None
    fine_tune_from: str | None
    network: dict[str, Any] | None
    data: dict[str, Any] | None
    hyperparameters: dict[str, Any] | None
    seed: int | None
    device: str
    devices: int
    priority: int
    metadata: dict[str, str]
    checkpoint_seconds: float
    max_attempts: int
    timeout_seconds: float | None
    parameters: int | None
    memory_bytes: int
    flops_per_sample: int | None
    layers: list[Layer] | None
    progress: Progress | None
    attempt: int
    worker: str | None
    threads: int | None
    queue: Queue | None
    waiting_for: WaitingFor | None
    resume: Literal["exact", "approximate"] | None
    resume_reason: str | None
    error: JobError | None
    result: dict[str, Any] | None
    """Of a training: :class:`Result`. Of a prediction: :class:`Answered`. Of an ingest: splits, findings, seconds."""
    replay_of: str | None
    """The job that a replay trains again."""
    last_seq: int


class Event(TypedDict):
    """One row of a job's history."""

    object: Literal["event"]
    job: str
    seq: int
    created_at: str
    attempt: int
    level: Literal["info", "warning", "error"]
    type: str
    message: str
    data: dict[str, Any]


class Series(TypedDict):
    """A metric; ``points`` are [step, value], down-sampled from ``total``."""

    name: str
    total: int
    points: list[tuple[int, float]]


class Metrics(TypedDict):
    object: Literal["metrics"]
    job: str
    last_seq: int
    data: list[Series]


class Point(TypedDict):
    name: str
    step: int
    value: float


class Checkpoint(TypedDict):
    """A saved state; ``weights_sha256`` is that of the safetensors file."""

    object: Literal["checkpoint"]
    id: str
    job: str
    step: int
    epoch: int
    attempt: int
    best: bool
    last: bool
    metrics: dict[str, float]
    size_bytes: int
    weights_sha256: str
    created_at: str
