"""Training on a GPU: what is captured and what is not, and that it is the training that a CPU makes.

The tests that need a device are skipped by name where there is none.
"""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.encode.splits import draws, permutation
from core.plan import Sample, make
from core.specs import TrainSpec
from models.checkpoint import Checkpoint, digest
from models.data.resident import sort_draws
from models.data.splits import Dataset, load
from models.events import Checkpointed, Event, Metrics
from models.training import fit
from models.training.graphs import WARM_UP, obstacle
from models.training.run import Run

CNN: dict[str, Any] = {"family": "cnn", "stages": [{"channels": 8, "norm": "group"}], "hidden": [16]}
DIGITS = Sample("image", (8, 8, 1), 10)


def cuda(test: Any) -> Any:
    """A test that needs a GPU."""
    missing = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
    return pytest.mark.gpu(missing(test))


def spec_of(network: dict[str, Any] = CNN, data: dict[str, Any] | None = None, **rules: Any) -> TrainSpec:
    rules = {"epochs": 3, "batch_size": 50, "log_every": 1, **rules}
    return TrainSpec.model_validate({"network": network, "data": data or {}, "hyperparameters": rules, "seed": 3})


@pytest.mark.parametrize(
    ("spec", "given", "reason"),
    [
        (spec_of(), {}, None),
        (spec_of({"family": "rnn", "cell": "lstm"}, optimizer={"name": "sgd", "momentum": 0.9}), {}, None),
        (spec_of(clip_norm=1.0, precision="bf16", accumulate=2, schedule={"name": "cosine"}), {}, None),
        (spec_of(), {"device": "cpu"}, "no GPU"),
        (spec_of(), {"devices": 2}, "devices"),
        (spec_of(), {"on_disk": True}, "disk"),
        (spec_of(data={"augment": {"shift": 1}}), {}, "augmentation"),
        (spec_of(CNN | {"dropout": 0.1}), {}, "dropout"),
        (spec_of({"family": "rnn", "cell": "gru", "layers": 2, "dropout": 0.1}), {}, "dropout"),
        (spec_of(optimizer={"name": "rmsprop"}), {}, "rmsprop"),
        (spec_of(batch_size=None, optimizer={"name": "gd"}), {}, "all samples"),
        (spec_of(batch_size=2**20), {}, "large"),
    ],
)
def test_what_is_captured_is_decided_before(spec: TrainSpec, given: dict[str, Any], reason: str | None) -> None:
    facts: dict[str, Any] = {"device": "cuda", "devices": 1, "on_disk": False, **given}
    found = obstacle(make(spec, DIGITS), spec, **facts)
    assert found is None if reason is None else found is not None and reason in found


def test_sequences_of_several_lengths_are_not_captured() -> None:
    spec = spec_of({"family": "rnn"})
    plan = make(spec, Sample("series", (20, 2), 3, lengths=(4, 20)))
    assert obstacle(plan, spec, "cuda", 1, False) == "sequences of several lengths make batches of several sizes"


def test_an_order_that_is_sorted_on_a_device_is_the_usual_one() -> None:
    for count, seed, epoch in ((1, 0, 0), (1000, 7, 3)):
        order = sort_draws(draws(count, seed, epoch), torch.device("cpu"))
        assert np.array_equal(order.numpy(), permutation(count, seed, epoch))


def run(dataset: Dataset, spec: TrainSpec, device: str = "cuda", **options: Any) -> list[Event]:
    return list(fit(spec, dataset, threads=1, device=device, **options))


def losses(events: list[Event]) -> list[float]:
    values = [event.values for event in events if isinstance(event, Metrics)]
    return [one[name] for one in values for name in ("train_loss", "validation_loss") if name in one]


def last(events: list[Event]) -> Checkpoint:
    return [event.checkpoint for event in events if isinstance(event, Checkpointed)][-1]


CAPTURED = [
    spec_of(),
    spec_of(CNN | {"stages": [{"channels": 8, "norm": "batch"}]}, schedule={"name": "one_cycle"}),
    spec_of(clip_norm=0.1, batch_size=25, accumulate=2, class_weights="balanced", label_smoothing=0.1),
    spec_of({"family": "rnn", "cell": "elman"}, optimizer={"name": "sgd", "momentum": 0.9, "nesterov": True}),
    spec_of({"family": "rnn", "cell": "gru"}, optimizer={"name": "adamw", "weight_decay": 0.1}, epochs=4),
    spec_of({"family": "rnn", "cell": "lstm", "bidirectional": True}, optimizer={"name": "sgd", "lr": 0.1}),
]


@cuda
@pytest.mark.parametrize("spec", CAPTURED)
def test_a_captured_training_is_the_eager_one(
    spec: TrainSpec, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured = run(digits, spec)
    made = Run(spec, digits, 1, torch.device("cuda"))
    made.network.train()
    for _ in range(WARM_UP + 1):
        made.step()
    assert made.captured is not None and made.captured.recorded
    monkeypatch.setattr("models.training.graphs.obstacle", lambda *_: "a test wants none")
    eager = run(digits, spec)
    assert losses(captured) == pytest.approx(losses(eager), rel=1e-5)


@cuda
@pytest.mark.parametrize("spec", CAPTURED)
def test_a_gpu_follows_the_curve_of_a_cpu(spec: TrainSpec, digits: Dataset) -> None:
    """In fp32, which is not TF32; as far as other sums of the same numbers allow."""
    assert losses(run(digits, spec))[:10] == pytest.approx(losses(run(digits, spec, "cpu"))[:10], rel=1e-3)


@cuda
@pytest.mark.parametrize("spec", [CAPTURED[0], CAPTURED[4], spec_of(CNN | {"dropout": 0.3}), spec_of(precision="bf16")])
def test_a_resumed_training_on_a_gpu_is_the_undisturbed_one(spec: TrainSpec, digits: Dataset) -> None:
    whole = run(digits, spec)
    for step in (1, WARM_UP + 2, 30):
        steps = itertools.count(1)
        paused = run(digits, spec, pause=lambda steps=steps, step=step: next(steps) == step)
        rest = run(digits, spec, resume=last(paused))
        assert losses(paused) + losses(rest) == losses(whole)
        assert digest(last(rest).weights) == digest(last(whole).weights)


@cuda
def test_bf16_learns(digits: Dataset) -> None:
    events = run(digits, spec_of(precision="bf16", epochs=10))
    (best,) = (event.best for event in events if hasattr(event, "best") and hasattr(event, "test"))
    assert best.manifest["progress"]["best"]["accuracy"] > 0.85


@cuda
def test_samples_on_disk_reach_the_gpu(digits: Dataset, digits_path: Path, tmp_path: Path) -> None:
    assert losses(run(load(digits_path, tmp_path), spec_of())) == pytest.approx(
        losses(run(digits, spec_of())), rel=1e-5
    )


@cuda
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_gpus_follow_the_curve_of_one(digits_path: Path) -> None:
    """In a process of its own, which has not touched CUDA when it forks."""
    code = (
        "import json, sys; from core.specs import TrainSpec; from models.data.splits import load;"
        "from models.events import Metrics; from models.training import fit;"
        "spec, path, devices = json.load(sys.stdin);"
        "events = fit(TrainSpec.model_validate(spec), load(path), threads=2, device='cuda', devices=devices);"
        "print(json.dumps([e.values['train_loss'] for e in events if isinstance(e, Metrics)]))"
    )
    curves = []
    for devices in (1, 2):
        asked = json.dumps([spec_of().model_dump(mode="json"), str(digits_path), devices])
        done = subprocess.run([sys.executable, "-c", code], input=asked, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        curves.append(json.loads(done.stdout))
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)
