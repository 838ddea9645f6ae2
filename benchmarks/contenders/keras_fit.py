"""Keras on TensorFlow: ``Model.fit`` on arrays, compiled as Keras decides by itself."""

from typing import Any

import keras
import numpy as np
import tensorflow
from keras import layers
from numpy.typing import NDArray

from benchmarks.contenders.case import CLASSES, HIDDEN, LEARNING_RATE, Case
from benchmarks.contenders.rounds import Rounds


class Pauses(keras.callbacks.Callback):  # type: ignore[misc]
    """Hands every step to the rounds."""

    def __init__(self, rounds: Rounds, settings: str) -> None:
        super().__init__()
        self.rounds, self.settings = rounds, settings
        self.steps, self.summed = 0, 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Everything is built."""
        self.rounds.ready({"keras": keras.__version__, "tensorflow": tensorflow.__version__}, self.settings)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """A step is done; Keras gives the mean of the losses so far."""
        self.steps += 1
        before, self.summed = self.summed, float(logs["loss"]) * self.steps
        self.rounds.step(self.summed - before)


def network(kind: str) -> keras.Sequential:
    """Images [N, 28, 28, 1], for the recurrent ones [N, 28, 28], to logits."""
    if kind == "cnn":
        return keras.Sequential(
            [
                *(keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D()),
                *(layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()),
                *(layers.Dense(128, activation="relu"), layers.Dense(CLASSES, dtype="float32")),
            ]
        )
    cell = {"elman": layers.SimpleRNN, "gru": layers.GRU, "lstm": layers.LSTM}[kind]
    return keras.Sequential([keras.Input((28, 28)), cell(HIDDEN), layers.Dense(CLASSES, dtype="float32")])


def keras_weights(case: Case) -> list[NDArray[np.float32]]:
    """PyTorch's arrays in Keras's layout and order."""
    w = case.weights()
    if case.network == "cnn":
        # PyTorch flattens channel by channel, Keras pixel by pixel
        dense = w["7.weight"].reshape(128, 64, 5, 5).transpose(2, 3, 1, 0).reshape(1600, 128)
        return [
            *(w["0.weight"].transpose(2, 3, 1, 0), w["0.bias"], w["3.weight"].transpose(2, 3, 1, 0), w["3.bias"]),
            *(dense, w["7.bias"], w["9.weight"].T, w["9.bias"]),
        ]
    first, second, head = w["1.weight_ih_l0"], w["1.weight_hh_l0"], [w["3.weight"].T, w["3.bias"]]
    if case.network == "elman":
        return [first.T, second.T, w["1.bias_ih_l0"], *head]
    if case.network == "lstm":
        return [first.T, second.T, w["1.bias_ih_l0"] + w["1.bias_hh_l0"], *head]
    swap = np.r_[HIDDEN : 2 * HIDDEN, 0:HIDDEN, 2 * HIDDEN : 3 * HIDDEN]  # reset, update -> update, reset
    biases = np.stack([w["1.bias_ih_l0"][swap], w["1.bias_hh_l0"][swap]])
    return [first[swap].T, second[swap].T, biases, *head]


def main() -> None:
    """Train as told."""
    case, rounds = Case.given(), Rounds()
    if case.precision == "bf16":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = network(case.network)
    model.set_weights(keras_weights(case))
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    inputs, targets = case.data()
    if case.network != "cnn":
        inputs = inputs[..., 0]
    settings = f"Model.fit on arrays, jit_compile {model.jit_compile}, {keras.mixed_precision.global_policy().name}"
    # the order is every contender's, so Keras is spared the shuffling
    model.fit(inputs, targets, case.batch, verbose=0, shuffle=False, callbacks=[Pauses(rounds, settings)])


if __name__ == "__main__":
    main()
