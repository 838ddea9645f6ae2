"""What every task's objective can say."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from torch import Tensor

from models.networks import Network


@dataclass(frozen=True)
class Tested:
    """What is told of the test split, as in ``models.events.Finished``."""

    test: dict[str, float | None]
    confusion_matrix: list[list[int]] | None = None
    per_class: list[dict[str, float | int | None]] = field(default_factory=list)
    baseline: dict[str, Any] | None = None
    forecasts: list[dict[str, Any]] = field(default_factory=list)


S = TypeVar("S")
"""The splits that an objective judges."""


class Objective(ABC, Generic[S]):
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
    def scores(self, network: Network, split: S) -> dict[str, float]:
        """``loss`` and the other scores of a split, in evaluation mode."""

    @abstractmethod
    def tested(self, network: Network, split: S) -> Tested:
        """All that is told of the test split."""
