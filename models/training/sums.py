"""Training loss and accuracy since they were last logged: on the device, read only when they are logged."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Sums:
    """Float64 ``loss`` and ``weight`` (what the loss is divided by), int64 ``correct``; added to in place."""

    loss: Tensor
    weight: Tensor
    correct: Tensor

    @classmethod
    def zero(cls, device: torch.device) -> "Sums":
        """Nothing summed yet."""
        real = torch.zeros((2,), dtype=torch.float64, device=device)
        return cls(real[0], real[1], torch.zeros((), dtype=torch.int64, device=device))

    def forget(self) -> None:
        """Begin anew."""
        for one in (self.loss, self.weight, self.correct):
            one.zero_()
