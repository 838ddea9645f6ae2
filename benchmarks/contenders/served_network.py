"""A network that Epochd has trained, in plain PyTorch: what the servers beside Epochd ask.

Where it lies is in the environment, because some of these servers start the processes that load it themselves.
"""

import json
import os
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from benchmarks.contenders import torch_network

VARIABLE = "SERVED_NETWORK"
SIDE = 28


@dataclass(frozen=True)
class Given:
    """``kind`` is cnn or gru; ``weights`` is a checkpoint's safetensors; ``threads`` are PyTorch's, in each process."""

    kind: str
    weights: str
    mean: float
    std: float
    threads: int

    @classmethod
    def read(cls) -> Self:
        """What this process was given."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def as_variable(self) -> dict[str, str]:
        """What ``read`` reads."""
        return {VARIABLE: json.dumps(asdict(self))}


class Network:
    """Pixels to probabilities."""

    def __init__(self, given: Given) -> None:
        torch.set_num_threads(given.threads)
        self._module = torch_network.network(given.kind, load_file(given.weights)).eval()
        self._shape = (-1, 1, SIDE, SIDE) if given.kind == "cnn" else (-1, SIDE, SIDE)
        self._mean, self._std = given.mean, given.std

    def probabilities(self, pixels: Any) -> NDArray[np.float32]:
        """Images [N, 28, 28] of 0 to 255, arrays or lists -> float32 [N, classes]."""
        with torch.inference_mode():
            inputs = torch.from_numpy(np.asarray(pixels, np.float32)).reshape(self._shape)
            logits = self._module((inputs - self._mean) / self._std)
            found: NDArray[np.float32] = logits.softmax(1).numpy()
        return found


def predictions(probabilities: NDArray[np.float32]) -> list[dict[str, Any]]:
    """What the servers answer: the likeliest class of each image, and all probabilities."""
    return [{"index": int(row.argmax()), "probabilities": row.tolist()} for row in probabilities]


def of_bytes(data: bytes | bytearray) -> NDArray[np.uint8]:
    """The images of a raw body."""
    return np.frombuffer(data, np.uint8).reshape(-1, SIDE, SIDE)
