"""MNIST from its four IDX files: as a data set file, and as what the contenders of benchmarks.train share."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from benchmarks.contenders.case import Case
from core import plan
from core.encode import Preprocessing
from core.encode.splits import permutation
from core.specs import TrainSpec
from models import networks
from models.data import splits

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "mnist"
"""Beside the checkout."""
_PARTS = {"train": "train", "test": "t10k"}


def missing() -> str | None:
    """A sentence that names the set if it is not there."""
    names = [f"{stem}-{kind}-ubyte.gz" for stem in _PARTS.values() for kind in ("images-idx3", "labels-idx1")]
    absent = [name for name in names if not (FOLDER / name).is_file()]
    return f"MNIST is missing ({', '.join(absent)} in {FOLDER}): nothing is measured" if absent else None


def read_idx(path: Path) -> NDArray[np.uint8]:
    """An IDX file of bytes: two zeros, type 8, the number of dimensions, their sizes as big-endian 32-bit numbers."""
    content = gzip.decompress(path.read_bytes())
    assert content[:3] == b"\0\0\x08", f"{path} is no IDX file of bytes"
    shape = np.frombuffer(content, ">u4", content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape.tolist())


def write_set(folder: Path) -> Path:
    """Write mnist.safetensors; gives its path."""
    tensors: dict[str, NDArray[Any]] = {}
    for part, stem in _PARTS.items():
        tensors[f"{part}.inputs"] = read_idx(FOLDER / f"{stem}-images-idx3-ubyte.gz")[..., None]
        tensors[f"{part}.targets"] = read_idx(FOLDER / f"{stem}-labels-idx1-ubyte.gz").astype(np.int64)
    classes = [str(digit) for digit in range(10)]
    manifest = {"kind": "image", "shape": [28, 28, 1], "dtype": "uint8", "classes": classes, "source": "MNIST"}
    path = folder / "mnist.safetensors"
    save_file(tensors, path, {"manifest": json.dumps(manifest)})
    return path


def write(folder: Path) -> Preprocessing:
    """Write mnist.safetensors for Epochd, and its training split in the order of the first epoch for the others.

    So every contender sees the same batches, and the losses can be compared.
    """
    path = write_set(folder)
    spec = TrainSpec.model_validate({"network": {"family": "cnn"}})
    train = splits.split(splits.load(path), spec).train
    order = permutation(len(train), spec.seed, 0)
    np.save(folder / "inputs.npy", train.inputs[order])
    np.save(folder / "targets.npy", train.targets[order])
    return Preprocessing.fit(train.inputs, None, spec.data.normalisation("classification"))


def write_weights(case: Case) -> None:
    """Write the weights that ``fit`` begins with, for the others."""
    spec = TrainSpec.model_validate(case.spec)
    torch.manual_seed(spec.seed)
    network = networks.build(plan.make(spec, plan.Sample("image", (28, 28, 1), 10)))
    weights = {name: value.contiguous().numpy() for name, value in network.state_dict().items()}
    np.savez(Path(case.folder) / f"{case.network}.npz", allow_pickle=False, **weights)
