"""What benchmarks.serve serves: two networks that Epochd has trained on its digits, scaled to 28x28 beforehand.

So every server gets the same 784 pixels of an image, and none has to resize.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from benchmarks.contenders.served_network import SIDE, Given, Network
from core.encode import digits, image
from epochd import Client
from epochd.demo import example

SAMPLES = 300
DATASET = "digits-28"
_GRU: dict[str, Any] = {
    "network": {"family": "rnn", "cell": "gru", "hidden": 128},
    "hyperparameters": {"epochs": 10, "optimizer": {"name": "adam", "lr": 0.003}},
}


@dataclass(frozen=True)
class Trained:
    """A served network: its model, its weights for the others, test images uint8 [N, 28, 28] and PyTorch's classes."""

    model: str
    given: Given
    images: NDArray[np.uint8]
    classes: list[int]


def spec(network: str) -> dict[str, Any]:
    """The job of a network, ``cnn`` or ``gru``: the seed CNN, trained as the demo does; or 28 rows of 28 numbers."""
    cnn = {**example("digits-cnn"), "network": {"family": "cnn"}, "data": {}}
    job = _GRU if network == "gru" else cnn
    return {**job, "dataset": DATASET, "model": f"digits-{network}"}


def upload(client: Client, folder: Path) -> NDArray[np.uint8]:
    """Make the set; gives images of its test split."""
    tensors = load(digits.build())
    large = {part: image.resize(tensors[f"{part}.inputs"], (SIDE, SIDE)) for part in ("train", "test")}
    file = io.BytesIO()
    np.savez(
        file,
        x_train=large["train"],
        y_train=tensors["train.targets"],
        x_test=large["test"],
        y_test=tensors["test.targets"],
    )
    path = folder / f"{DATASET}.npz"
    path.write_bytes(file.getvalue())
    job = client.wait(client.upload(DATASET, path)["id"])
    assert job["status"] == "succeeded", job["error"]
    images: NDArray[np.uint8] = large["test"][:SAMPLES, :, :, 0]
    return images


def train(client: Client, network: str, images: NDArray[np.uint8], folder: Path) -> Trained:
    """Train it, point ``production`` at it, and fetch its weights."""
    job = client.wait(client.submit(spec(network))["id"])
    assert job["status"] == "succeeded", job["error"]
    model, number = job["model"], job["model_version"]
    assert model is not None and number is not None
    client.promote(model, number)
    weights = folder / f"{network}.safetensors"
    client.download_weights(job["id"], weights)
    preprocessing = client.version(model, number)["preprocessing"]
    assert preprocessing is not None
    given = Given(network, str(weights), preprocessing["mean"][0], preprocessing["std"][0], 1)
    probabilities = Network(given).probabilities(images)
    return Trained(model, given, images, probabilities.argmax(1).tolist())


def describe(trained: Trained) -> str:
    """A line for people."""
    return f"{trained.model}: {json.dumps(spec(trained.given.kind))}"
