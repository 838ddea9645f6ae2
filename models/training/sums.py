"""What is summed of training since it was last logged: on the device, read only when it is logged."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Sums:
    """Float64 ``loss``, ``weight`` (what the loss is divided by) and ``reported``, the objective's second number, e.g.
    how many samples were right; added to in place."""

    loss: Tensor
    weight: Tensor
    reported: Tensor

    @classmethod
    def zero(cls, device: torch.device) -> "Sums":
        """Nothing summed yet."""
        loss, weight, reported = torch.zeros((3,), dtype=torch.float64, device=device)
        return cls(loss, weight, reported)

    def forget(self) -> None:
        """Begin anew."""
        for one in (self.loss, self.weight, self.reported):
            one.zero_()
