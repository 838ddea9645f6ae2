"""Checkpoints: two safetensors files, weights and everything else; never pickle.

The weights file is the plain state dict of the network and nothing more, so that equal weights are equal bytes and its
SHA-256 names them. The state file holds optimizer, random generator, loop sums and the best weights if they are others,
and a JSON manifest with the loop's state, the versions and hardware, and the SHA-256 of the weights file.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

_WEIGHTS_HEADER = {"format": "pt"}


@dataclass(frozen=True)
class Checkpoint:
    """Enough to go on as if nothing had happened. ``state`` is empty where only the weights are meant."""

    weights: dict[str, Tensor]
    state: dict[str, Tensor]
    manifest: dict[str, Any]


def save_weights(weights: dict[str, Tensor], path: Path) -> Path:
    """The weights alone, as one file that appears whole or not at all."""
    _write(path, save_tensors(weights, metadata=_WEIGHTS_HEADER))
    return path


def load_weights(path: Path) -> dict[str, Tensor]:
    """What ``save_weights`` wrote. ValueError names a file that is no safetensors."""
    try:
        return load_tensors(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{path} holds no weights: {error}") from error


def save(checkpoint: Checkpoint, folder: Path) -> tuple[Path, Path]:
    """Write ``step-N.weights.safetensors`` and ``step-N.state.safetensors``; gives their paths."""
    weights = save_tensors(checkpoint.weights, metadata=_WEIGHTS_HEADER)
    manifest = {
        **checkpoint.manifest,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "state_sha256": digest(checkpoint.state),
    }
    name = f"step-{checkpoint.manifest['step']}"
    weights_path, state_path = folder / f"{name}.weights.safetensors", folder / f"{name}.state.safetensors"
    _write(weights_path, weights)
    _write(state_path, save_tensors(checkpoint.state, metadata={"manifest": json.dumps(manifest)}))
    return weights_path, state_path


def load(weights_path: Path, state_path: Path) -> Checkpoint:
    """Read a pair of files back. ValueError names the file that is damaged or does not belong to the other."""
    content = weights_path.read_bytes()
    try:
        with safe_open(state_path, "pt") as file:
            manifest = json.loads((file.metadata() or {})["manifest"])
            state = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{state_path} is not a checkpoint's state: {error}") from error
    if manifest.pop("state_sha256") != digest(state):
        raise ValueError(f"{state_path} is damaged: its tensors do not have the recorded SHA-256")
    if manifest.pop("weights_sha256") != hashlib.sha256(content).hexdigest():
        raise ValueError(f"{weights_path} is damaged or does not belong to {state_path}")
    return Checkpoint(load_tensors(content), state, manifest)


def digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name}:{tuple(tensors[name].shape)}:{tensors[name].dtype};".encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Under a temporary name first, and renamed once it is on the disk."""
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
