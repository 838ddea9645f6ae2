"""What a training says while it runs; every event is a frozen value."""

from dataclasses import dataclass
from typing import Any

from core.encode import Preprocessing
from core.plan import Plan
from models.checkpoint import Checkpoint


@dataclass(frozen=True)
class Started:
    """Ready for step ``step + 1``. ``exact`` is false, with a ``reason``, if a resumed run may differ in its bits."""

    step: int
    epoch: int
    total_steps: int | None
    epochs: int | None
    steps_per_epoch: int
    plan: Plan
    threads: int
    device: str
    devices: int
    exact: bool
    reason: str | None


@dataclass(frozen=True)
class FirstStep:
    """The first step of this attempt is done."""

    step: int


@dataclass(frozen=True)
class Metrics:
    """Numbers of one step.

    ``train_loss``, ``train_accuracy`` (means since they were last given) and ``learning_rate`` every ``log_every``
    steps and at the end; ``validation_loss`` and ``validation_accuracy`` at the end of every epoch and of the run.
    Tasks without classes have other metrics in the place of accuracy.
    """

    step: int
    epoch: int
    values: dict[str, float]


@dataclass(frozen=True)
class Checkpointed:
    """Every ``Metrics`` up to ``step`` came before. ``best``: these weights are the best so far."""

    checkpoint: Checkpoint
    epoch: int
    step: int
    best: bool
    values: dict[str, float]


@dataclass(frozen=True)
class Paused:
    """The run ends here, after its checkpoint, because it was asked to."""

    step: int


@dataclass(frozen=True)
class StopStep:
    """A run limited by seconds will end with this step; later attempts are given it as ``stop_step``."""

    step: int


@dataclass(frozen=True)
class Finished:
    """The end. ``best`` has the chosen weights; ``test`` was measured once, with them.

    ``stopped`` is epochs, steps, seconds, target or early_stopping; ``confusion_matrix`` counts [target][prediction] on
    the test split. ``per_class`` has precision, recall, F1, AUROC and support of each class there, ``test`` their means
    over the classes (``macro_f1``, ``auroc``) beside loss and accuracy.

    A regression's ``test`` has loss, mae, rmse and r2, a forecast's loss, mae, rmse and mase, and its ``baseline``
    those of the naive forecast {name, season, mae, rmse, mase}; ``forecasts`` are some test windows {window, seen,
    truth, forecast}, the last three {target: numbers}.
    """

    step: int
    epoch: int
    stopped: str
    best: Checkpoint
    best_step: int
    best_epoch: int
    validation: dict[str, float]
    test: dict[str, float | None]
    confusion_matrix: list[list[int]] | None
    per_class: list[dict[str, float | int | None]]
    baseline: dict[str, Any] | None
    forecasts: list[dict[str, Any]]
    preprocessing: Preprocessing
    plan: Plan


Event = Started | FirstStep | Metrics | Checkpointed | Paused | StopStep | Finished


class Diverged(ValueError):
    """A loss is no longer a finite number, or has exploded."""

    def __init__(self, step: int, name: str, value: float) -> None:
        super().__init__(
            f"{name} is {value:g} at step {step}: the training diverged; use a smaller learning rate or clip_norm"
        )
        self.step, self.name, self.value = step, name, value
