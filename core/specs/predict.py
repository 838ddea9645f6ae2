"""What a client asks for who wants a whole data set answered."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from core.specs.base import DatasetRef, MetadataKey, MetadataValue, ModelRef, PositiveFloat, Spec
from core.specs.jobs import TrainJob

AnswerFormat = Literal["csv", "jsonl", "npz"]
Chosen = Literal["train", "validation", "test", "all"]
"""A split, or all of them, one after the other."""


class PredictJob(Spec):
    """The body of ``POST /v1/jobs`` with the kind ``predict``: what a model version says of every row of a data set."""

    kind: Literal["predict"]
    model: ModelRef
    """An accepted job names it as ``name:version``: wherever an alias moves, one version answers every row."""
    dataset: DatasetRef
    split: Chosen = "test"
    format: AnswerFormat = "csv"
    top: int | None = Field(default=None, ge=1, le=1000)
    """Of classifications: keep the so many likeliest classes of each row; all unless said."""
    priority: int = Field(default=0, ge=-100, le=100)
    metadata: dict[MetadataKey, MetadataValue] = Field(default={}, max_length=16)
    checkpoint_seconds: float = Field(default=30.0, ge=0, le=86_400)
    """How often what has been answered is stored, so that another attempt goes on behind it."""
    max_attempts: int = Field(default=3, ge=1, le=100)
    timeout_seconds: PositiveFloat | None = None


def _kind(body: Any) -> Any:
    """A body that names no kind asks for a training, as all did once."""
    kind = body.get("kind", "train") if isinstance(body, dict) else getattr(body, "kind", "train")
    return kind if isinstance(kind, str) else "train"


JobRequest = Annotated[
    Annotated[TrainJob, Tag("train")] | Annotated[PredictJob, Tag("predict")],
    Discriminator(
        _kind,
        custom_error_type="kind",
        custom_error_message="kind must be 'train' or 'predict'; an upload and an explanation have routes of their own",
    ),
]
"""The body of ``POST /v1/jobs``."""
