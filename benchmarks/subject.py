"""What benchmarks.optimizers trains and on what: a set, small networks for it, and one training of them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import mnist
from core.encode import digits
from core.encode.splits import stratified
from core.specs import TrainSpec
from models.data import splits
from models.data.splits import Dataset
from models.events import Diverged, Finished, FirstStep, Metrics
from models.training import fit

BATCH = 64
VALIDATION = 0.2
"""Of what is trained on: more than usual, so that one rate can be told from another."""


@dataclass(frozen=True)
class Subject:
    """A set with the sizes that suit it. ``few`` samples are enough to compare optimizers on."""

    name: str
    file: Path
    whole: Dataset
    few: int
    target: float
    """Of the validation's accuracy."""
    stages: tuple[int, ...]
    """Channels of the small network's convolutions, each with a pool of 2."""
    hidden: int
    epochs: int

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch over the few."""
        return -(-round(self.few * (1 - VALIDATION)) // BATCH)

    def network(self, width: float = 1) -> dict[str, Any]:
        """The small network, or one so many times as wide."""
        channels = [{"channels": round(width * count)} for count in self.stages]
        return {"family": "cnn", "stages": channels, "hidden": [round(width * self.hidden)]}

    def fewer(self, count: int, seed: int = 0) -> Dataset:
        """So many of the samples to train on, by class; the test split whole."""
        if count == len(self.whole.train):
            return self.whole
        _, drawn = stratified(self.whole.train.targets, count, seed)
        return replace(self.whole, train=self.whole.train.take(drawn))


@dataclass(frozen=True)
class Outcome:
    """One training. ``validation`` and ``test`` are accuracies in percent; ``test`` is that of the best weights."""

    validation: float
    test: float
    steps_to_target: int | None
    seconds_to_target: float | None
    seconds: float


def subject(folder: Path, quick: bool) -> Subject:
    """MNIST, or the built-in digits where it is missing or time is short."""
    if quick or mnist.missing() is not None:
        path = folder / "digits.safetensors"
        path.write_bytes(digits.build())
        whole = splits.load(path)
        return Subject("digits", path, whole, len(whole.train), 0.95, (16,), 64, 12)
    path = mnist.write_set(folder)
    return Subject("MNIST", path, splits.load(path), 6_000, 0.95, (8, 16), 64, 12)


def train(
    subject: Subject,
    dataset: Dataset,
    hyperparameters: Mapping[str, Any],
    *,
    network: dict[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int,
) -> Outcome | None:
    """Train by ``fit``; null if it diverged. Time is counted from the first step on."""
    body = {
        "network": network or subject.network(),
        "data": {"validation": VALIDATION, **(data or {})},
        "hyperparameters": dict(hyperparameters),
        "seed": seed,
    }
    began, reached, took = 0.0, None, 0.0
    try:
        for event in fit(TrainSpec.model_validate(body), dataset, threads=threads):
            match event:
                case FirstStep():
                    began = time.perf_counter()
                case Metrics(step=step, values=values):
                    took = time.perf_counter() - began
                    if reached is None and values.get("validation_accuracy", 0.0) >= subject.target:
                        reached = (step, took)
                case Finished(validation=validation, test=test):
                    right = test["accuracy"]
                    assert right is not None, "the test split is never empty"
                    steps, seconds = reached or (None, None)
                    return Outcome(100 * validation["accuracy"], 100 * right, steps, seconds, took)
    except Diverged:
        return None
    raise AssertionError("a training ends with Finished")
