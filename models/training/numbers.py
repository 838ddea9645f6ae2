"""Regression and forecasts: differences between what was foretold and what came.

The loss is of scaled numbers, as the network gives them; every other score is in the targets' own units. Where there
are several targets, each counts the same.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from core.encode import Preprocessing
from core.specs import Hyperparameters, TrainSpec
from models.data.held import Held
from models.data.windows import Windows
from models.training.task import Objective, Tested

_LOSSES: dict[str, Callable[..., Tensor]] = {
    "mse": nn.functional.mse_loss,
    "mae": nn.functional.l1_loss,
    "huber": nn.functional.huber_loss,
}
_PICTURES = 4
"""Test windows that are shown with what was foretold."""
_PICTURED = 3
"""Of what a window sees, the last rows are shown: so many times as many as are foretold."""


class Regression(Objective[Held]):
    """Outputs and targets are scaled numbers [N, targets]; the number beside the loss is the summed absolute error."""

    def __init__(self, rules: Hyperparameters, preprocessing: Preprocessing, train: Held) -> None:
        assert preprocessing.targets is not None
        self._kind = rules.loss or "mse"
        repeats = preprocessing.targets.horizon or 1
        self._scale = torch.tensor(preprocessing.targets.std * repeats, device=train.wanted(torch.tensor([0])).device)

    def weight(self, targets: Tensor) -> Tensor | int:
        return len(targets)

    def loss(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        loss = _LOSSES[self._kind](outputs, targets, reduction="none").mean(1).sum()
        return loss, ((outputs.detach() - targets).abs() * self._scale).mean(1).sum()

    def reported(self, total: float, samples: int) -> dict[str, float]:
        return {"train_mae": total / samples}

    def scores(self, network: nn.Module, split: Held) -> dict[str, float]:
        return self._scores(split.outputs(network), split.targets)

    def tested(self, network: nn.Module, split: Held) -> Tested:
        outputs, targets = split.outputs(network), split.targets
        return Tested({**self._scores(outputs, targets), "r2": r_squared(outputs.double(), targets.double())})

    def _scores(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        loss = _LOSSES[self._kind](outputs, targets, reduction="none").double().mean().item()
        return {"loss": loss, **errors(self._differences(outputs, targets))}

    def _differences(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """In the targets' own units."""
        return (outputs.double() - targets.double()) * self._scale


class Forecast(Regression):
    """The same of scaled numbers [N, horizon * targets], and a comparison with the value of one season before."""

    def __init__(self, spec: TrainSpec, preprocessing: Preprocessing, train: Held) -> None:
        super().__init__(spec.hyperparameters, preprocessing, train)
        assert isinstance(train, Windows) and preprocessing.targets is not None
        self._season, self._targets = spec.data.season or 1, preprocessing.targets
        self._usual = train.seasonal_change(self._season)

    def tested(self, network: nn.Module, split: Held) -> Tested:
        assert isinstance(split, Windows)
        outputs, targets = split.outputs(network), split.targets
        naive = self._compared(split.naive(self._season), targets)
        test = {"loss": self._scores(outputs, targets)["loss"], **self._compared(outputs, targets)}
        baseline = {"name": "seasonal naive", "season": self._season, **naive}
        return Tested(test, baseline=baseline, forecasts=self._pictures(outputs, split))

    def _compared(self, outputs: Tensor, targets: Tensor) -> dict[str, float | None]:
        """Errors, and the mean absolute one by that of the naive forecast on the training rows (Hyndman 2006)."""
        differences = self._differences(outputs, targets)
        each = differences.abs().view(-1, len(self._usual)).mean(0)
        mase = (each / self._usual).mean().item() if bool((self._usual > 0).all()) else None
        return {**errors(differences), "mase": mase}

    def _pictures(self, outputs: Tensor, split: Windows) -> list[dict[str, Any]]:
        """Some windows of the test split, from its beginning to its end, in the targets' own units."""
        last = len(split) - 1
        chosen = sorted({round(last * part / (_PICTURES - 1)) for part in range(_PICTURES)})
        pictures = []
        for number in chosen:
            seen, truth = split.shown(number, _PICTURED * split.horizon)
            window = split.seen(number)[None].cpu().numpy()
            foretold = self._targets.restore(outputs[number : number + 1].cpu().numpy(), window)[0]
            pictures.append(
                {
                    "window": number,
                    "seen": _by_name(self._targets.names, seen.tolist()),
                    "truth": _by_name(self._targets.names, truth.tolist()),
                    "forecast": _by_name(self._targets.names, foretold.tolist()),
                }
            )
        return pictures


def errors(differences: Tensor) -> dict[str, float]:
    """``mae`` and ``rmse``: the mean absolute and the root of the mean squared difference."""
    return {"mae": differences.abs().mean().item(), "rmse": differences.square().mean().sqrt().item()}


def r_squared(outputs: Tensor, targets: Tensor) -> float | None:
    """The share of the targets' variance that is explained, the mean over the targets; null where one is constant."""
    rest = (outputs - targets).square().sum(0)
    total = (targets - targets.mean(0)).square().sum(0)
    return (1 - rest / total).mean().item() if bool((total > 0).all()) else None


def _by_name(names: tuple[str, ...], rows: list[list[float]]) -> dict[str, list[float]]:
    """Rows of targets -> the numbers of each target, to six digits."""
    columns = zip(*rows, strict=True)
    return {name: [float(f"{value:.6g}") for value in column] for name, column in zip(names, columns, strict=True)}
