"""What a job would take."""

from typing import Literal, TypedDict

from epochd.resources.catalog import DatasetRef
from epochd.resources.jobs import Layer


class Memory(TypedDict):
    """Bytes beside the process itself; ``parts`` (weights, activations, ...) add up to ``training_bytes``.

    With less than ``total_bytes``, down to ``least_bytes``, the samples of the dataset stay on disk.
    """

    training_bytes: int
    dataset_bytes: int
    total_bytes: int
    least_bytes: int
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
