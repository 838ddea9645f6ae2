"""A split that lives on the device as two tensors; a batch is a selection by index, without worker processes."""

import numpy as np
import torch
from torch import Tensor

from core.encode import Preprocessing
from core.encode.splits import permutation
from models.data.splits import Split


class Resident:
    """Inputs in the network's size, images uint8 [N, H, W, C] or series float32 [N, T, F], and targets int64 [N].

    They are normalised batch by batch.
    """

    def __init__(self, split: Split, preprocessing: Preprocessing, device: torch.device) -> None:
        self.inputs = torch.from_numpy(np.ascontiguousarray(preprocessing.resize(split.inputs))).to(device)
        self.targets = torch.from_numpy(np.ascontiguousarray(split.targets)).to(device)
        self.mean = torch.tensor(preprocessing.mean, dtype=torch.float32, device=device)
        self.std = torch.tensor(preprocessing.std, dtype=torch.float32, device=device)

    def __len__(self) -> int:
        return len(self.targets)

    def prepare(self, raw: Tensor) -> Tensor:
        """Raw samples -> float32 network input, the same arithmetic as ``Preprocessing.apply``; ``raw`` stays."""
        return raw.to(torch.float32, copy=True).sub_(self.mean).div_(self.std)

    def order(self, seed: int, epoch: int) -> Tensor:
        """The shuffled indices of an epoch: decided by seed and epoch alone, so there is no state to save."""
        return torch.from_numpy(permutation(len(self), seed, epoch)).to(self.inputs.device)
