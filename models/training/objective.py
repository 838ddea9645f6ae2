"""What a task makes of a network's outputs: the loss of a step, what is reported of it, and the scores of a split.

Which of the scores can be monitored, and which way they get better, is the plan's knowledge (:mod:`core.plan_task`).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from core.plan import Sample
from core.specs import Hyperparameters
from models.data.resident import Resident
from models.evaluate import confusion_matrix, macro, per_class, scores


class Held(Protocol):
    """A split on the device, as a score needs it."""

    @property
    def targets(self) -> Tensor:
        """What the network should say of each sample, in their order."""

    def outputs(self, network: nn.Module) -> Tensor:
        """What it says."""


@dataclass(frozen=True)
class Tested:
    """What is told of the test split. Of ``models.events.Finished``, where it is described."""

    test: dict[str, float | None]
    confusion_matrix: list[list[int]] | None = None
    per_class: list[dict[str, float | int | None]] = field(default_factory=list)


class Objective(ABC):
    """Outputs are those of the network in fp32, targets those of a split on the device."""

    @abstractmethod
    def weight(self, targets: Tensor) -> Tensor | int:
        """What the summed loss of a step is divided by, for the step's targets."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Summed over samples: what is minimised, and one number more for ``reported``."""

    @abstractmethod
    def reported(self, total: float, samples: int) -> dict[str, float]:
        """Metrics of the training split beside ``train_loss``, of the second number summed over so many samples."""

    @abstractmethod
    def scores(self, network: nn.Module, split: Held) -> dict[str, float]:
        """``loss`` and the other scores of a split, in evaluation mode."""

    @abstractmethod
    def tested(self, network: nn.Module, split: Held) -> Tested:
        """All that is told of the test split."""


class Classification(Objective):
    """Cross-entropy from logits [N, classes] and int64 [N]; the number beside it is how many are right."""

    def __init__(self, rules: Hyperparameters, sample: Sample, train: Resident) -> None:
        self._smoothing = rules.label_smoothing
        self._class_weights = _class_weights(rules, sample.classes, train.targets)

    def weight(self, targets: Tensor) -> Tensor | int:
        return len(targets) if self._class_weights is None else self._class_weights[targets].sum()

    def loss(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        loss = nn.functional.cross_entropy(
            outputs, targets, self._class_weights, reduction="sum", label_smoothing=self._smoothing
        )
        return loss, (outputs.detach().argmax(1) == targets).sum()

    def reported(self, total: float, samples: int) -> dict[str, float]:
        return {"train_accuracy": total / samples}

    def scores(self, network: nn.Module, split: Held) -> dict[str, float]:
        return scores(split.outputs(network), split.targets)

    def tested(self, network: nn.Module, split: Held) -> Tested:
        logits, targets = split.outputs(network), split.targets
        classes = per_class(logits, targets)
        means = {"macro_f1": macro(classes, "f1"), "auroc": macro(classes, "auroc")}
        return Tested({**scores(logits, targets), **means}, confusion_matrix(logits, targets), classes)


def make(rules: Hyperparameters, sample: Sample, train: Any) -> Objective:
    """The objective of the task of these samples; ``train`` is the training split on the device."""
    match sample.task:
        case "classification":
            return Classification(rules, sample, train)
    raise AssertionError(f"no objective for {sample.task}")


def _class_weights(rules: Hyperparameters, classes: int, targets: Tensor) -> Tensor | None:
    """One factor a class. ``balanced``: inverse to how often it occurs, 1 on average over the samples."""
    wanted = rules.class_weights
    if wanted is None:
        return None
    if isinstance(wanted, list):
        return torch.tensor(wanted, dtype=torch.float32, device=targets.device)
    counts = targets.bincount(minlength=classes)
    return (len(targets) / (classes * counts.clamp(min=1))).float()
