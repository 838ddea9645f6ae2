"""The Keras model that Epochd's default CNN comes from, layer by layer; see ``benchmarks.seed_oracle``.

Runs in the environment of Keras: the first argument is a folder with weights.npz and inputs.npy, the answer is JSON.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow
from keras import layers


def network() -> keras.Sequential:
    """Images [N, 28, 28, 1] to the probabilities of ten classes."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def main() -> None:
    """Compute, and print what is to be known."""
    folder, model = Path(sys.argv[1]), network()
    with np.load(folder / "weights.npz") as file:
        model.set_weights([file[f"arr_{number}"] for number in range(len(file.files))])
    inputs = np.load(folder / "inputs.npy")
    probabilities = np.asarray(model(inputs, training=False))
    model.layers[-1].activation = keras.activations.linear  # what the softmax was given
    logits = np.asarray(model(inputs, training=False))
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    assert np.abs(exponents / exponents.sum(1, keepdims=True) - probabilities).max() < 1e-6
    found = {
        "versions": {"keras": keras.__version__, "tensorflow": tensorflow.__version__, "numpy": np.__version__},
        "parameters": model.count_params(),
        "layers": [[type(layer).__name__, *layer.output.shape[1:]] for layer in model.layers],
        "logits": [[float(f"{value:.9g}") for value in row] for row in logits],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
