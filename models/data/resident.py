"""A split that lives on the device as two tensors; a batch is a selection by index, without worker processes."""

import numpy as np
import torch
from torch import Tensor

from core.encode import Preprocessing
from core.encode.splits import permutation
from models.data.splits import Split


class Resident:
    """Inputs uint8 [N, H, W, C] in the network's size, targets int64 [N]; pixels are normalised batch by batch."""

    def __init__(self, split: Split, preprocessing: Preprocessing, device: torch.device) -> None:
        self.inputs = torch.from_numpy(np.ascontiguousarray(preprocessing.resize(split.inputs))).to(device)
        self.targets = torch.from_numpy(np.ascontiguousarray(split.targets)).to(device)
        self.mean = torch.tensor(preprocessing.mean, dtype=torch.float32, device=device)
        self.std = torch.tensor(preprocessing.std, dtype=torch.float32, device=device)

    def __len__(self) -> int:
        return len(self.targets)

    def prepare(self, pixels: Tensor) -> Tensor:
        """uint8 -> float32 network input, the same arithmetic as ``Preprocessing.apply``."""
        return pixels.float().sub_(self.mean).div_(self.std)

    def order(self, seed: int, epoch: int) -> Tensor:
        """The shuffled indices of an epoch: decided by seed and epoch alone, so there is no state to save."""
        return torch.from_numpy(permutation(len(self), seed, epoch)).to(self.inputs.device)
