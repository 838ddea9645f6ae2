"""Jobs and what they leave behind."""

from datetime import datetime
from typing import Any, Literal

from typing_extensions import TypedDict

from api.objects.catalog import DatasetRef

Kind = Literal["train", "ingest", "explain", "predict", "evaluate"]
State = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]


class Layer(TypedDict):
    """One layer of the plan; shapes leave the batch out, ``flops`` are those of one forward pass of one sample."""

    name: str
    kind: str
    input: list[int]
    output: list[int]
    parameters: int
    flops: int
    activation_bytes: int


class Progress(TypedDict):
    """How far a job is. ``ratio`` 0-1 is null while the end is not known.

    The steps of a training are those of its optimizer; all other kinds name the ``stage`` whose steps they count.
    """

    stage: str | None
    step: int
    total_steps: int | None
    epoch: int | None
    epochs: int | None
    ratio: float | None


class Queue(TypedDict):
    """The place in line; 1 is next. ``expected_start`` is null for ``reason``."""

    position: int
    expected_start: datetime | None
    reason: str | None


class WaitingFor(TypedDict):
    """Why no worker takes the job."""

    reason: str


class Failure(TypedDict):
    """Why a job failed; ``detail`` holds exit code or signal and the last log lines."""

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
    """What an explanation was asked for; ``model`` is ``name:version``. The job's result is the explanation."""

    model: str
    options: dict[str, Any]


class Evaluate(TypedDict):
    """The checkpoint that an evaluation measures and makes a version of, and the training that made it."""

    job: str
    checkpoint: str
    step: int


class Predict(TypedDict):
    """Which version answers which rows of the dataset, and how they are written; ``model`` is ``name:version``.

    The job's result has ``rows``, ``size_bytes`` and ``sha256`` of the file; ``scores`` {accuracy} of classes or {mae,
    rmse} of numbers, null for ``scores_reason``; ``confusion_matrix`` [target][prediction] of the ``classes``.
    """

    model: str
    split: Literal["train", "validation", "test", "all"]
    format: Literal["csv", "jsonl", "npz"]
    top: int | None


class Job(TypedDict):
    """A job. ``layers`` is null in lists; ``queue`` is null unless the job is queued.

    What only a training has, from ``network`` to ``seed`` and from ``parameters`` to ``layers``, is null for other
    kinds. ``dataset`` is what a training reads or a prediction answers; an ingest has it once it has made it, and says
    in ``ingest`` what was asked for, as ``explain``, ``predict`` and ``evaluate`` do of their kinds; the result of an
    evaluation is like a training's. ``fine_tune_from`` is the model version that a training starts from, as
    ``name:version`` whatever the request named. ``replay_of`` is the job that a replay trains again; the
    ``result.replay`` of one that succeeded compares the two.
    """

    id: str
    object: Literal["job"]
    kind: Kind
    status: State
    requested: Literal["cancel", "pause"] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    estimated_finish: datetime | None
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
    error: Failure | None
    result: dict[str, Any] | None
    replay_of: str | None
    last_seq: int


class Event(TypedDict):
    """One row of a job's history."""

    object: Literal["event"]
    job: str
    seq: int
    created_at: datetime
    attempt: int
    level: Literal["info", "warning", "error"]
    type: str
    message: str
    data: dict[str, Any]


class Series(TypedDict):
    """One metric: ``total`` points were measured; ``points`` are (step, value)."""

    name: str
    total: int
    points: list[tuple[int, float]]


class Metrics(TypedDict):
    """The metrics of a job, and the number of the last write they hold."""

    object: Literal["metrics"]
    job: str
    last_seq: int
    data: list[Series]


class Checkpoint(TypedDict):
    """A stored checkpoint: the best so far, the last, or both."""

    object: Literal["checkpoint"]
    id: str
    job: str
    step: int
    epoch: int
    attempt: int
    best: bool
    last: bool
    metrics: dict[str, Any]
    size_bytes: int
    weights_sha256: str
    created_at: datetime
