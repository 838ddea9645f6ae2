"""What a task makes of a network's outputs: the loss of a step, what is reported of it, and the scores of a split.

Which of the scores can be monitored, and which way they get better, is the plan's knowledge (:mod:`core.plan_task`).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from core.encode import Preprocessing
from core.plan import Sample
from core.specs import Hyperparameters, TrainSpec
from models.data.corpus import Corpus
from models.data.held import Held
from models.evaluate import confusion_matrix, macro, per_class, read_through, scores
from models.networks import Network
from models.training.numbers import Forecast, Regression
from models.training.task import Objective, Tested

_LARGEST_EXPONENT = 700.0
"""Of e, that is still a number."""


class Classification(Objective[Held]):
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

    def scores(self, network: Network, split: Held) -> dict[str, float]:
        return scores(split.outputs(network), split.targets)

    def tested(self, network: Network, split: Held) -> Tested:
        logits, targets = split.outputs(network), split.targets
        classes = per_class(logits, targets)
        means = {"macro_f1": macro(classes, "f1"), "auroc": macro(classes, "auroc")}
        return Tested({**scores(logits, targets), **means}, confusion_matrix(logits, targets), classes)


class Language(Objective[Corpus]):
    """Cross-entropy of each next token from logits [N, T, vocabulary] and int64 [N, T]; beside it, how many are right.

    A split is read from its first token to its last, as a text that is written grows.
    """

    def __init__(self, rules: Hyperparameters, window: int) -> None:
        self._smoothing, self._window = rules.label_smoothing, window

    def weight(self, targets: Tensor) -> Tensor | int:
        return targets.numel()

    def loss(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logits, wanted = outputs.flatten(0, 1), targets.flatten()
        loss = nn.functional.cross_entropy(logits, wanted, reduction="sum", label_smoothing=self._smoothing)
        return loss, (logits.detach().argmax(1) == wanted).sum()

    def reported(self, total: float, samples: int) -> dict[str, float]:
        return {"train_accuracy": total / (samples * self._window)}

    def scores(self, network: Network, split: Corpus) -> dict[str, float]:
        total, right = read_through(network, split.tokens)
        count = len(split.tokens) - 1
        loss = total / count
        # what the network calls unknown it has not told yet: each of its bytes costs 8 bits more
        bits = total / math.log(2) + 8 * split.unknown_bytes
        return {
            "loss": loss,
            "accuracy": right / count,
            "perplexity": math.exp(min(loss, _LARGEST_EXPONENT)),
            "bits_per_character": bits / split.characters,
        }

    def tested(self, network: Network, split: Corpus) -> Tested:
        return Tested({**self.scores(network, split), "unknown": split.unknown})


def make(spec: TrainSpec, sample: Sample, preprocessing: Preprocessing, train: Any) -> Objective[Any]:
    """The objective of the task of these samples; ``train`` is the training split on the device."""
    rules = spec.hyperparameters
    match sample.task:
        case "classification":
            return Classification(rules, sample, train)
        case "regression":
            return Regression(rules, preprocessing, train)
        case "forecast":
            return Forecast(spec, preprocessing, train)
        case "language":
            return Language(rules, train.window)
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
