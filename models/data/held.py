"""The three splits of a training on its device, whatever their samples are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from core.encode import Preprocessing
from models.data.corpus import Corpus
from models.data.on_disk import hold
from models.data.splits import Splits
from models.data.windows import Windows


class Trained(Protocol):
    """A split on the device, as steps read it. Samples are meant by their numbers, int64 [N]."""

    def __len__(self) -> int: ...

    def wanted(self, indices: Tensor) -> Tensor:
        """What it should say of these."""

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """Network input of these, and their lengths where they vary."""

    def order(self, seed: int, epoch: int, batch: int | None = None) -> Tensor:
        """The numbers of all samples as an epoch shuffles them."""


class Held(Trained, Protocol):
    """And as scores compare it."""

    @property
    def targets(self) -> Tensor:
        """What the network should say of each sample, in their order."""

    def outputs(self, network: nn.Module) -> Tensor:
        """What a network says of all samples in their order, in evaluation mode."""


@dataclass(frozen=True)
class Placed:
    """``test`` puts its split there when it is called, at the end of the training."""

    train: Trained
    validation: Trained
    test: Callable[[], Trained]


def place(splits: Splits, preprocessing: Preprocessing, device: torch.device, scratch: Path | None) -> Placed:
    """Put the splits on the device as ``preprocessing`` wants them; samples that are mapped stay on disk.

    ValueError: a corpus is too short.
    """
    if preprocessing.kind == "corpus":
        text = Corpus(splits.train, preprocessing, device)
        text.check_window()
        kept = Corpus(splits.validation, preprocessing, device)
        return Placed(text, kept, partial(Corpus, splits.test, preprocessing, device))
    targets = preprocessing.targets
    if targets is None or targets.horizon is None:
        train, validation, test = (
            partial(hold, split, preprocessing, device, scratch)
            for split in (splits.train, splits.validation, splits.test)
        )
        return Placed(train(), validation(), test)
    parts = [np.asarray(split.inputs) for split in (splits.train, splits.validation, splits.test)]
    rows = torch.from_numpy(np.concatenate(parts)).to(device)
    window, begin = preprocessing.shape[0], 0
    made = []
    for number, part in enumerate(parts):
        # only the first split must bring the rows that its first window sees
        first = begin if number == 0 else begin - window
        count = begin + len(part) - first - window - targets.horizon + 1
        made.append(Windows(rows, first, count, preprocessing))
        begin += len(part)
    return Placed(made[0], made[1], lambda: made[2])
