"""What a training reached, as the API sends it."""

from typing import NotRequired, Required, TypedDict


class Scores(TypedDict, total=False):
    """Of classes accuracy; of numbers the mean absolute error and the root of the mean squared one.

    Of a text accuracy and perplexity of the next token, and the bits that a character takes.
    """

    loss: Required[float]
    accuracy: float
    mae: float
    rmse: float
    perplexity: float
    bits_per_character: float


class TestScores(Scores, total=False):
    """Also, of classes, the means over them of F1 and of the area under the ROC curve (a class against the rest).

    Of a regression the share of the variance that is explained; of a forecast the absolute error by that of the
    naive forecast on the training rows. Of a text the share of tokens that the vocabulary does not have.
    """

    macro_f1: float
    auroc: float | None
    r2: float | None
    mase: float | None
    unknown: float


class Baseline(TypedDict):
    """What a forecast is compared with, on the same windows: the value one season before."""

    name: str
    season: int
    mae: float
    rmse: float
    mase: float | None


class Forecast(TypedDict):
    """One window of the test split: by target, the last rows seen, those that came, and those foretold."""

    window: int
    seen: dict[str, list[float]]
    truth: dict[str, list[float]]
    forecast: dict[str, list[float]]


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

    task: str
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
    baseline: Baseline | None
    forecasts: list[Forecast]
    weights_sha256: str
    environment: NotRequired[dict[str, str]]
    """Threads, libraries and hardware of the last attempt; older versions did not note them."""
    replay: NotRequired[Replay]
    """Of a replay only."""
