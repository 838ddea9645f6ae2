"""A data set file and its three splits: train, validation, test."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from core.encode.splits import stratified
from core.plan import Sample
from core.specs import TrainSpec

_TENSORS = ("train.inputs", "train.targets", "test.inputs", "test.targets")


@dataclass(frozen=True)
class Split:
    """Samples of one purpose, raw: images uint8 [N, H, W, C] or series float32 [N, T, F]; targets int64 [N]."""

    inputs: NDArray[Any]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Dataset:
    """What a data set file holds. ``manifest``: kind, shape, dtype, classes, source."""

    train: Split
    test: Split
    manifest: dict[str, Any]

    @property
    def sample(self) -> Sample:
        """What the plan needs to know."""
        return Sample(self.manifest["kind"], tuple(self.manifest["shape"]), len(self.manifest["classes"]))


@dataclass(frozen=True)
class Splits:
    """Curves and choices use validation; test is read once, after the weights are chosen."""

    train: Split
    validation: Split
    test: Split


def load(path: str | Path) -> Dataset:
    """Read a data set file (safetensors). ValueError names the file if it is not one."""
    try:
        with safe_open(path, "numpy") as file:
            manifest = json.loads((file.metadata() or {})["manifest"])
            tensors = {name: file.get_tensor(name) for name in _TENSORS}
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a data set file: {error}") from error
    return Dataset(
        Split(tensors["train.inputs"], tensors["train.targets"]),
        Split(tensors["test.inputs"], tensors["test.targets"]),
        manifest,
    )


def split(dataset: Dataset, spec: TrainSpec) -> Splits:
    """Cut the validation split from train: ``spec.data.validation`` of it, by class, drawn by ``spec.seed``."""
    train = dataset.train
    count = max(1, round(len(train) * spec.data.validation))
    rest, held = stratified(train.targets, count, spec.seed)
    return Splits(
        Split(train.inputs[rest], train.targets[rest]),
        Split(train.inputs[held], train.targets[held]),
        dataset.test,
    )
