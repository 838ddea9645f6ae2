"""What a task makes of a network's outputs: the loss of a step, what is reported of it, and the scores of a split.

Which of the scores can be monitored, and which way they get better, is the plan's knowledge (:mod:`core.plan_task`).
"""

import torch
from torch import Tensor, nn

from core.encode import Preprocessing
from core.plan import Sample
from core.specs import Hyperparameters, TrainSpec
from models.data.held import Held
from models.evaluate import confusion_matrix, macro, per_class, scores
from models.training.numbers import Forecast, Regression
from models.training.task import Objective, Tested


class Classification(Objective):
    """Cross-entropy from logits [N, classes] and int64 [N]; the number beside it is how many are right."""

    def __init__(self, rules: Hyperparameters, sample: Sample, train: Held) -> None:
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


def make(spec: TrainSpec, sample: Sample, preprocessing: Preprocessing, train: Held) -> Objective:
    """The objective of the task of these samples; ``train`` is the training split on the device."""
    rules = spec.hyperparameters
    match sample.task:
        case "classification":
            return Classification(rules, sample, train)
        case "regression":
            return Regression(rules, preprocessing, train)
        case "forecast":
            return Forecast(spec, preprocessing, train)
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
