"""Training on series of several lengths: from the data set file to the last bit of a resumed run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from core.encode import Preprocessing
from core.plan import Sample
from core.specs import TrainSpec
from models.data.resident import Resident
from models.data.splits import Dataset, Split, load, split
from models.evaluate import predict
from models.events import Checkpointed, Event, Finished
from models.networks import build
from models.training import fit
from models.training.run import Run

CELLS = ("elman", "gru", "lstm", "cnn")
PACES = 3


def waves(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Sine waves of 4 to 20 steps whose pace is their class, in two features; zero behind the end."""
    generator = np.random.default_rng(seed)
    targets, lengths = generator.integers(0, PACES, count), generator.integers(4, 21, count)
    times = np.arange(20) + generator.uniform(0, 6, (count, 1))
    angles = times * (0.3 + 0.5 * targets[:, None])
    values = np.stack((np.sin(angles) + 5, 100 * np.cos(angles)), 2).astype(np.float32)
    values[np.arange(20) >= lengths[:, None]] = 0
    return values, lengths, targets


@pytest.fixture(scope="module")
def waves_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set file of series that vary in length."""
    tensors: dict[str, Any] = {}
    for number, name in enumerate(("train", "test")):
        values, lengths, targets = waves((400, 100)[number], number)
        tensors |= {f"{name}.inputs": values, f"{name}.lengths": lengths, f"{name}.targets": targets}
    manifest = {
        "kind": "series",
        "shape": [20, 2],
        "dtype": "float32",
        "classes": ["a", "b", "c"],
        "lengths": [4, 20],
        "source": "made here",
    }
    path = tmp_path_factory.mktemp("data") / "waves.safetensors"
    save_file(tensors, path, metadata={"manifest": json.dumps(manifest)})
    return path


@pytest.fixture(scope="module")
def waves_set(waves_path: Path) -> Dataset:
    return load(waves_path)


def spec_of(cell: str = "elman", **rules: Any) -> TrainSpec:
    network: dict[str, Any] = {"family": "rnn", "cell": cell, "hidden": 16, "layers": 2, "bidirectional": True}
    if cell == "cnn":
        stage = {"channels": 8, "kernel": 5, "padding": "same", "norm": "batch", "residual_blocks": 1}
        network = {"family": "cnn", "stages": [stage, {"channels": 16}], "global_pool": "max", "hidden": []}
    network["dropout"] = 0.1
    return TrainSpec.model_validate({"network": network, "hyperparameters": rules, "seed": 3})


def finished(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def test_the_file_has_its_lengths_and_a_cut_split_keeps_them(waves_set: Dataset) -> None:
    assert waves_set.sample == Sample("series", (20, 2), 3, (4, 20))
    parts = split(waves_set, spec_of())
    whole = {one.tobytes(): length for one, length in zip(*(waves_set.train.inputs, waves(400, 0)[1]), strict=True)}
    for part in (parts.train, parts.validation):
        assert part.lengths is not None
        assert [whole[one.tobytes()] for one in part.inputs] == part.lengths.tolist()


def test_mean_and_deviation_are_those_of_the_real_steps(waves_set: Dataset) -> None:
    values, lengths, _ = waves(400, 0)
    real = np.concatenate([one[:length] for one, length in zip(values, lengths, strict=True)]).astype(np.float64)
    fitted = Preprocessing.fit(values, None, "standard", lengths)
    assert np.allclose(fitted.mean, real.mean(0), rtol=1e-12) and np.allclose(fitted.std, real.std(0), rtol=1e-12)
    assert fitted.variable
    assert Preprocessing.from_dict(json.loads(json.dumps(fitted.as_dict()))) == fitted


def test_a_batch_is_cut_to_its_longest(waves_set: Dataset) -> None:
    run = Run(spec_of(), waves_set, 1, torch.device("cpu"))
    assert run.train.lengths is not None
    short = (run.train.lengths <= 6).nonzero().flatten()
    inputs, lengths = run.train.batch(short)
    assert lengths is not None and inputs.shape == (len(short), int(lengths.max()), 2)


def test_batches_hold_sequences_of_about_one_length(waves_set: Dataset) -> None:
    run = Run(spec_of(batch_size=16), waves_set, 1, torch.device("cpu"))
    assert run.train.lengths is not None and len(run.train) == 360
    orders = [run.train.order(3, epoch, 16) for epoch in (0, 0, 1)]
    assert orders[0].equal(orders[1]) and not orders[0].equal(orders[2])
    for order in orders:
        assert sorted(order.tolist()) == list(range(360))
        batches = run.train.lengths[order[:352]].view(22, 16)
        padded = sum(int(batch.max() * 16 - batch.sum()) for batch in batches)
        plain = run.train.lengths[run.train.order(3, 0)[:352]].view(22, 16)
        assert padded < 0.3 * sum(int(batch.max() * 16 - batch.sum()) for batch in plain)
        middle = batches.double().mean(1)
        assert not middle.equal(middle.sort().values)
    assert run.train.order(3, 0, 16)[352:].equal(run.train.order(3, 0)[352:])  # not the longest


@pytest.mark.parametrize("cell", CELLS)
def test_training_learns_and_resumes_to_the_bit(waves_set: Dataset, cell: str) -> None:
    spec = spec_of(cell, epochs=12, batch_size=32, optimizer={"lr": 0.01})
    whole = list(fit(spec, waves_set, threads=1))
    assert finished(whole).test["accuracy"] > 0.95
    counter = iter(range(1, 1000))
    paused = list(fit(spec, waves_set, threads=1, pause=lambda: next(counter) == 41))
    (found,) = [event for event in paused if isinstance(event, Checkpointed)]
    resumed = list(fit(spec, waves_set, threads=1, resume=found.checkpoint))
    ends = [[event for event in events if isinstance(event, Checkpointed)][-1] for events in (whole, resumed)]
    assert ends[0].step == ends[1].step
    for name, value in ends[0].checkpoint.weights.items():
        assert value.equal(ends[1].checkpoint.weights[name]), name
    assert finished(resumed).test == finished(whole).test


@pytest.mark.parametrize("cell", ["gru", "cnn"])
def test_padding_and_its_amount_change_no_metric(waves_set: Dataset, cell: str) -> None:
    """The same series with rubbish behind their ends train the same weights."""
    spec = spec_of(cell, steps=8, batch_size=32)

    def spoiled(part: Split) -> Split:
        assert part.lengths is not None
        inputs = part.inputs.copy()
        inputs[np.arange(20) >= part.lengths[:, None]] = 1e6
        return Split(np.pad(inputs, ((0, 0), (0, 5), (0, 0))), part.targets, part.lengths)

    longer = {**waves_set.manifest, "shape": [25, 2]}
    other = Dataset(spoiled(waves_set.train), spoiled(waves_set.test), longer)
    ends = [finished(list(fit(spec, data, threads=1))) for data in (waves_set, other)]
    assert ends[0].test == ends[1].test
    for name, value in ends[0].best.weights.items():
        torch.testing.assert_close(value, ends[1].best.weights[name], rtol=0, atol=1e-6)


def test_a_validation_split_of_its_own_is_used(waves_path: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    with safe_open(waves_path, "numpy") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
    values, lengths, targets = waves(50, 9)
    tensors |= {"validation.inputs": values, "validation.lengths": lengths, "validation.targets": targets}
    save_file(tensors, tmp_path / "three.safetensors", metadata=metadata)
    dataset = load(tmp_path / "three.safetensors")
    parts = split(dataset, spec_of())
    assert len(parts.train) == 400 and np.array_equal(parts.validation.inputs, values)
    (end,) = [event for event in fit(spec_of(steps=3), dataset, threads=1) if isinstance(event, Finished)]
    held = Resident(parts.validation, end.preprocessing, torch.device("cpu"))
    network = build(end.plan)
    network.load_state_dict(end.best.weights)
    right = (predict(network, held.inputs, held.prepare, held.lengths).argmax(1) == held.targets).double().mean()
    assert end.validation["accuracy"] == right.item()


def test_a_file_without_what_its_kind_needs_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_file({"train.inputs": np.zeros((1, 2))}, path, metadata={"manifest": "{}"})
    with pytest.raises(ValueError, match=r"half\.safetensors is not a data set file"):
        load(path)
