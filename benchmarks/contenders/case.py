"""What every contender is given: a network, a batch size, data in training order and the weights to begin with.

NumPy only, because every contender's environment imports it.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

HIDDEN, CLASSES, LEARNING_RATE = 128, 10, 0.001


@dataclass(frozen=True)
class Case:
    """``network`` is cnn, elman, gru or lstm; ``folder`` holds inputs.npy, targets.npy and NETWORK.npz."""

    network: str
    batch: int
    precision: str
    threads: int
    mean: float
    std: float
    folder: str

    @classmethod
    def given(cls) -> Self:
        """The case of this process: its first argument."""
        return cls(**json.loads(sys.argv[1]))

    def as_argument(self) -> str:
        """What ``given`` reads."""
        return json.dumps(asdict(self))

    def raw(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images [N, 28, 28, 1] and digits [N], in the order in which Epochd's first epoch takes them."""
        folder = Path(self.folder)
        return np.load(folder / "inputs.npy"), np.load(folder / "targets.npy")

    def data(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The same, normalised: float32."""
        inputs, targets = self.raw()
        return (inputs.astype(np.float32) - np.float32(self.mean)) / np.float32(self.std), targets

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Where every contender begins, in PyTorch's layout and by its names ("0.weight")."""
        with np.load(Path(self.folder) / f"{self.network}.npz") as file:
            return dict(file)

    @property
    def spec(self) -> dict[str, Any]:
        """The case as a training spec."""
        network: dict[str, Any] = {"family": "cnn"}
        if self.network != "cnn":
            network = {"family": "rnn", "cell": self.network, "hidden": HIDDEN}
        rules = {"epochs": 1, "batch_size": self.batch, "precision": self.precision}
        return {"network": network, "hyperparameters": rules}
