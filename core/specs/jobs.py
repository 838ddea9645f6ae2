"""The jobs that a client asks for."""

from typing import Literal

from pydantic import Field

from core.specs.base import DatasetRef, Device, MetadataKey, MetadataValue, ModelRef, Name, PositiveFloat
from core.specs.training import TrainSpec


class TrainJob(TrainSpec):
    """The body of ``POST /v1/jobs``: a training and how to run it."""

    kind: Literal["train"] = "train"
    dataset: DatasetRef
    model: Name | None = None
    fine_tune_from: ModelRef | None = None
    """The model version whose weights the training starts from; an accepted job names it as ``name:version``."""
    device: Device = "auto"
    devices: int = Field(default=1, ge=1, le=64)
    """Devices of one worker that share every batch; on a CPU they are processes that share the slot's threads."""
    priority: int = Field(default=0, ge=-100, le=100)
    metadata: dict[MetadataKey, MetadataValue] = Field(default={}, max_length=16)
    checkpoint_seconds: float = Field(default=30.0, ge=0, le=86_400)
    max_attempts: int = Field(default=3, ge=1, le=100)
    timeout_seconds: PositiveFloat | None = None

    @property
    def training(self) -> TrainSpec:
        """The part that decides the weights."""
        return TrainSpec(network=self.network, data=self.data, hyperparameters=self.hyperparameters, seed=self.seed)
