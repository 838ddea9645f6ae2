"""What augmentation costs and what it brings: ``python -m benchmarks.augment [--json] [--quick]``.

The cost: one step's changes of 128 images of 28x28 pixels on one CPU thread, each option alone and all together, and
the same steps of training with and without them. The gain: the accuracy on the test split of the built-in digits over
several seeds, with all of the training split and with a tenth of it. The variants take turns.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import Report
from core.encode import digits
from core.encode.splits import stratified
from core.specs import Augment, TrainSpec
from models.data import splits
from models.data.augment import Augmentation
from models.data.splits import Dataset, Split
from models.events import Finished
from models.training import fit
from models.training.run import Run

BATCH = 128
OPTIONS: dict[str, dict[str, Any]] = {
    "flip": {"flip": "horizontal"},
    "shift": {"shift": 2},
    "rotate": {"rotate": 10.0},
    "cutout": {"cutout": 8},
    "brightness": {"brightness": 0.2},
    "contrast": {"contrast": 0.2},
    "noise": {"noise": 0.1},
}
GAIN: dict[str, dict[str, Any] | None] = {
    "none": None,
    "shift 1": {"shift": 1},
    "rotate 10": {"rotate": 10.0},
    "noise 0.1": {"noise": 0.1},
    "shift 1 + rotate 10": {"shift": 1, "rotate": 10.0},
    "flip horizontal": {"flip": "horizontal"},
}


def together() -> dict[str, Any]:
    """All options of the cost at once."""
    return {name: value for option in OPTIONS.values() for name, value in option.items()}


def images() -> Dataset:
    """As many images of MNIST's size as a round needs; their content does not matter to the cost."""
    random = np.random.default_rng(0)
    parts = []
    for count in (6_000, 100):
        pixels = random.integers(0, 256, (count, 28, 28, 1), np.uint8)
        parts.append(Split(pixels, random.integers(0, 10, count)))
    train, test = parts
    return Dataset(train, test, {"kind": "image", "shape": [28, 28, 1], "classes": [str(digit) for digit in range(10)]})


def changes(options: dict[str, Any], batch: torch.Tensor, steps: int) -> float:
    """Images a second through the changes alone."""
    augmentation = Augmentation(Augment.model_validate(options), 0, torch.tensor([-0.4]))
    augmentation(batch, 0)
    began = time.perf_counter()
    for step in range(steps):
        augmentation(batch, step)
    return steps * len(batch) / (time.perf_counter() - began)


def training(options: dict[str, Any] | None, dataset: Dataset, threads: int, steps: int) -> float:
    """Images a second of the seed CNN's steps."""
    body = {
        "network": {"family": "cnn"},
        "data": {"augment": options},
        "hyperparameters": {"batch_size": BATCH, "epochs": 10},
    }
    run = Run(TrainSpec.model_validate(body), dataset, threads, torch.device("cpu"))
    run.network.train()
    for _ in range(5):
        run.step()
    began = time.perf_counter()
    for _ in range(steps):
        run.step()
    return steps * BATCH / (time.perf_counter() - began)


def built_in() -> Dataset:
    """The digits."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        path.write_bytes(digits.build())
        return splits.load(path)


def accuracy(options: dict[str, Any] | None, dataset: Dataset, seed: int, epochs: int, threads: int) -> float:
    """The test's accuracy with the weights that validation chose, in percent."""
    body = {
        "network": {"family": "cnn", "stages": [{"channels": 16}], "hidden": [64]},
        "data": {"augment": options},
        "hyperparameters": {"epochs": epochs, "batch_size": 64, "schedule": {"name": "cosine"}},
        "seed": seed,
    }
    *_, last = fit(TrainSpec.model_validate(body), dataset, threads=threads)
    assert isinstance(last, Finished)
    right = last.test["accuracy"]
    assert right is not None, "the test split is never empty"
    return 100 * right


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="two rounds and two seeds")
    chosen = parser.parse_args()
    rounds, seeds, threads = (2, 2, 1) if chosen.quick else (7, 5, 1)
    torch.set_num_threads(threads)
    report = Report("augment", ("torch", "numpy"))
    batch = torch.randn((BATCH, 28, 28, 1))
    cases = {**OPTIONS, "all": together()}
    speed: dict[str, list[float]] = {name: [] for name in cases}
    trained: dict[str, list[float]] = {"none": [], "shift + rotate": [], "all": []}
    dataset = images()
    for _ in range(rounds):
        for name, options in cases.items():
            speed[name].append(changes(options, batch, 50))
        for name, some in zip(trained, (None, {"shift": 2, "rotate": 10.0}, together()), strict=True):
            trained[name].append(training(some, dataset, threads, 40))
    for name, values in speed.items():
        report.row("changes alone, batch 128, 28x28", name, "images/s", values)
    for name, values in trained.items():
        report.row("seed CNN, batch 128, 28x28", name, "images/s", values)
    whole = built_in()
    _, few = stratified(whole.train.targets, len(whole.train) // 10, 0)
    tenth = replace(whole, train=Split(whole.train.inputs[few], whole.train.targets[few]))
    for case, data, epochs in (("digits, all", whole, 20), ("digits, a tenth", tenth, 100)):
        found: dict[str, list[float]] = {name: [] for name in GAIN}
        for seed in range(seeds):
            for name, some in GAIN.items():
                found[name].append(accuracy(some, data, seed, epochs, threads))
        for name, values in found.items():
            report.row(f"{case} ({len(data.train)} to train on)", name, "% right", values)
    report.show(chosen.json)


if __name__ == "__main__":
    main()
