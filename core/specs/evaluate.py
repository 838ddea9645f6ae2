"""Asking for a model version of a checkpoint."""

from typing import Any, Literal

from core.specs.base import Name, Spec


class EvaluateJob(Spec):
    """A job that measures a checkpoint, exports it, and makes a version of ``model`` of it.

    ``trained`` is the spec of the training ``job`` that made the checkpoint; both may be deleted meanwhile.
    """

    kind: Literal["evaluate"] = "evaluate"
    model: Name
    job: str
    checkpoint: str
    step: int
    epoch: int
    trained: dict[str, Any]
