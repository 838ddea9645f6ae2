"""What a training would take."""

from typing import Literal

from typing_extensions import TypedDict

from api.objects.catalog import DatasetRef
from api.objects.jobs import Layer


class MemoryParts(TypedDict):
    """Bytes at the peak of a training. ``checkpoint`` is a checkpoint in the making, or the export at the end, as far
    as it does not fit where activations were; ``libraries`` is what torch and ONNX Runtime load and keep; ``ranks`` are
    the other processes of a training on several devices.
    """

    weights: int
    gradients: int
    optimizer: int
    best_weights: int
    activations: int
    evaluation: int
    checkpoint: int
    libraries: int
    ranks: int


class Memory(TypedDict):
    """Bytes beside the process itself; ``parts`` add up to ``training_bytes``.

    ``total_bytes`` holds the dataset in memory; with less, down to ``least_bytes``, its samples stay on disk.
    """

    training_bytes: int
    dataset_bytes: int
    total_bytes: int
    least_bytes: int
    parts: MemoryParts


class Basis(TypedDict):
    """The run that the times were judged by: the same ``spec`` (but for its length and seed), the same ``network``, or
    one of the same ``family``, scaled by samples and FLOPs. ``job`` is null when it is another tenant's.
    """

    match: Literal["spec", "network", "family"]
    job: str | None


class Candidate(TypedDict):
    """A worker seen within a day. ``slot_bytes`` is the memory of one of its slots; ``reason``: why it cannot."""

    id: str
    name: str
    slot_bytes: int
    fits: bool
    reason: str | None


class Verdict(TypedDict):
    """Whether the job would be accepted; ``fits`` is null while no worker is known, and the job would wait.

    ``largest_batch_size`` is what would fit the largest slot: null for gd, and where no batch fits.
    """

    fits: bool | None
    reason: str | None
    largest_batch_size: int | None
    workers: list[Candidate]


class Estimate(TypedDict):
    """What a training would take; nothing is queued. ``flops_per_sample`` are those of one forward pass.

    ``training_flops`` are 3 times that (forward, and twice for backward) for every sample of the run; they, and
    ``total_steps``, are null when ``seconds`` limit it. Early stopping or a target may end a run sooner. The seconds
    are null for ``reason``.
    """

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
