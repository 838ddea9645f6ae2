"""Where a training stands: plain values, kept in the checkpoint's manifest."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from core.plan_task import better_if_higher
from core.specs import Hyperparameters, Monitor


@dataclass
class Progress:
    """Counted and chosen so far. Epochs count from 1; ``epoch`` is the one that step ``step`` belongs to."""

    step: int = 0
    epoch: int = 0
    logged: int = 0
    """Samples in the running sums of training."""
    validation: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    best_epoch: int = 0
    patience_value: float | None = None
    """The monitored value that early stopping compares with."""
    waited: int = 0
    seconds: float = 0.0
    """Spent so far; counted only in a run limited by seconds."""
    stopped: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """What ``as_dict`` gave."""
        return cls(**fields)

    def advance(self, samples: int, steps_per_epoch: int) -> None:
        """One more step is made, by so many samples."""
        self.step += 1
        self.epoch = (self.step - 1) // steps_per_epoch + 1
        self.logged += samples

    def note_validation(self, values: dict[str, float], rules: Hyperparameters, monitor: Monitor) -> bool:
        """Take in the validation scores of this step; true if they are the best so far."""
        self.validation = values
        self._note_patience(values[monitor.removeprefix("validation_")], rules, better_if_higher(monitor))
        if self.best and _rank(values, monitor) <= _rank(self.best, monitor):
            return False
        self.best, self.best_step, self.best_epoch = values, self.step, self.epoch
        return True

    def _note_patience(self, value: float, rules: Hyperparameters, higher: bool) -> None:
        margin = rules.early_stopping.min_delta if rules.early_stopping else 0.0
        gain = 0.0
        if self.patience_value is not None:
            gain = value - self.patience_value if higher else self.patience_value - value
        if self.patience_value is None or (gain > 0 and gain >= margin):
            self.patience_value, self.waited = value, 0
        else:
            self.waited += 1

    def decide(self, rules: Hyperparameters, at_limit: str | None) -> bool:
        """After a validation: stop? Notes why. The target counts before the run's limit, that before patience."""
        if rules.target is not None:
            value = self.validation[rules.target.metric.removeprefix("validation_")]
            if value >= rules.target.value if better_if_higher(rules.target.metric) else value <= rules.target.value:
                self.stopped = "target"
                return True
        if at_limit is not None:
            self.stopped = at_limit
        elif rules.early_stopping is not None and self.waited >= rules.early_stopping.patience:
            self.stopped = "early_stopping"
        return self.stopped is not None


def _rank(values: dict[str, float], monitor: Monitor) -> tuple[float, float]:
    """Larger is better. Equal accuracies, frequent on small splits, are told apart by the loss."""
    value = values[monitor.removeprefix("validation_")]
    return (value if better_if_higher(monitor) else -value, -values["loss"])
