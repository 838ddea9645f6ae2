"""What a training reached, as the API sends it."""

from typing import NotRequired, TypedDict


class Scores(TypedDict):
    accuracy: float
    loss: float


class TestScores(Scores):
    """Also the means over the classes of F1 and of the area under the ROC curve (a class against the rest)."""

    macro_f1: float
    auroc: float | None


ClassScores = TypedDict(
    "ClassScores",
    {"class": str, "precision": float | None, "recall": float | None, "f1": float | None, "auroc": float | None,
     "support": int},
)  # fmt: skip
"""One class of the test split; null where a score is undefined, e.g. the precision of a class never predicted."""


class Replay(TypedDict):
    """How a replay compares with the job ``of`` that it trained again; ``differences`` are what may explain others."""

    of: str
    match: bool
    weights_sha256: str
    original_sha256: str
    differences: list[str]


class Result(TypedDict):
    """What a training reached. ``test`` was read once, after the weights had been chosen on ``validation``."""

    test: TestScores
    validation: Scores
    best_step: int
    best_epoch: int
    steps: int
    epochs: int
    stopped: str
    seconds: float
    confusion_matrix: list[list[int]] | None
    per_class: list[ClassScores]
    classes: list[str]
    weights_sha256: str
    environment: NotRequired[dict[str, str]]
    """Threads, libraries and hardware of the last attempt; older versions did not note them."""
    replay: NotRequired[Replay]
    """Of a replay only."""
