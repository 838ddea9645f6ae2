"""The service's answers, typed. They are the JSON itself: what a newer server adds is not lost on the way."""

from typing import Any, Literal, TypedDict

Status = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
ENDED: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})


class DatasetRef(TypedDict):
    id: str
    name: str
    version: int


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
    step: int
    total_steps: int | None
    epoch: int
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


class Scores(TypedDict):
    accuracy: float
    loss: float


class Result(TypedDict):
    """What a training reached. ``test`` was read once, after the weights had been chosen on ``validation``."""

    test: Scores
    validation: Scores
    best_step: int
    best_epoch: int
    steps: int
    epochs: int
    stopped: str
    seconds: float
    confusion_matrix: list[list[int]]
    classes: list[str]
    weights_sha256: str


class Job(TypedDict):
    """A job. ``layers`` is null in lists; times are RFC 3339 in UTC."""

    id: str
    object: Literal["job"]
    kind: str
    status: Status
    requested: Literal["cancel", "pause"] | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    estimated_finish: str | None
    dataset: DatasetRef
    model: str | None
    model_version: int | None
    network: dict[str, Any]
    data: dict[str, Any]
    hyperparameters: dict[str, Any]
    seed: int
    device: str
    priority: int
    metadata: dict[str, str]
    checkpoint_seconds: float
    max_attempts: int
    timeout_seconds: float | None
    parameters: int
    memory_bytes: int
    flops_per_sample: int
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
    result: Result | None
    last_seq: int


class Memory(TypedDict):
    """Bytes beside the process itself; ``parts`` (weights, activations, ...) add up to ``training_bytes``."""

    training_bytes: int
    dataset_bytes: int
    total_bytes: int
    parts: dict[str, int]


class Basis(TypedDict):
    """The run that times were judged by; ``job`` is null when it is another tenant's."""

    match: Literal["spec", "network", "family"]
    job: str | None


class Candidate(TypedDict):
    """A worker, and why it cannot run the job."""

    id: str
    name: str
    slot_bytes: int
    fits: bool
    reason: str | None


class Verdict(TypedDict):
    """``fits`` is null while no worker is known; ``largest_batch_size`` would fit the largest slot."""

    fits: bool | None
    reason: str | None
    largest_batch_size: int | None
    workers: list[Candidate]


class Estimate(TypedDict):
    """What a job would take. ``flops_per_sample`` are of one forward pass; the seconds are null for ``reason``."""

    object: Literal["estimate"]
    dataset: DatasetRef
    parameters: int
    flops_per_sample: int
    training_flops: int | None
    layers: list[Layer]
    samples_per_epoch: int
    steps_per_epoch: int
    total_steps: int | None
    memory: Memory
    seconds_per_epoch: float | None
    seconds_total: float | None
    reason: str | None
    basis: Basis | None
    verdict: Verdict


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


class Dataset(TypedDict):
    object: Literal["dataset"]
    id: str
    name: str
    version: int
    kind: str
    created_at: str
    shape: list[int]
    dtype: str
    classes: list[str]
    splits: dict[str, int]
    size_bytes: int
    sha256: str
    source: str


class Sample(TypedDict):
    """One raw sample: rows of pixels 0-255 (a channel axis only if there are several channels)."""

    object: Literal["sample"]
    index: int
    label: str
    values: list[Any]


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
    checkpoint_step: int
    created_at: str
    ready: bool
    reason: str | None
    weights_sha256: str
    onnx_sha256: str | None
    parameters: int
    input: dict[str, Any]
    preprocessing: dict[str, Any]
    classes: list[str]
    metrics: dict[str, Any]
    dataset: DatasetRef
    spec: dict[str, Any]


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


class Prediction(TypedDict):
    """One answer for each input, in order."""

    object: Literal["prediction"]
    model: str
    model_version: int
    predictions: list[Answer]


class Worker(TypedDict):
    object: Literal["worker"]
    id: str
    name: str
    host: str
    pid: int
    status: Literal["online", "stopping", "offline"]
    slots: int
    busy: int
    devices: list[dict[str, Any]]
    memory_bytes: int
    threads: int
    started_at: str
    seen_at: str
    versions: dict[str, str]
    jobs: list[str]


class Key(TypedDict):
    object: Literal["key"]
    id: str
    name: str
    tenant: str
    admin: bool
    created_at: str
    revoked_at: str | None


class NewKey(Key):
    """A key as it is shown once, when made."""

    secret: str


class Info(TypedDict):
    object: Literal["info"]
    version: str
    started_at: str
