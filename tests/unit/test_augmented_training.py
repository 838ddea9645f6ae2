"""Augmented training: only training batches change, a resumed run is the undisturbed one, and misfits are refused."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from core.encode import digits as builder
from core.plan import PlanError, Sample, make
from core.specs import Augment, TrainSpec
from models.checkpoint import Checkpoint
from models.data.splits import Dataset, Split, load, split
from models.events import Checkpointed, Finished, Metrics
from models.training import fit
from models.training.run import Run

CPU = torch.device("cpu")
CNN = {"family": "cnn", "stages": [{"channels": 4, "dropout": 0.2}], "hidden": [8]}
RNN = {"family": "rnn", "hidden": 8, "dropout": 0.2}
OF_IMAGES: list[dict[str, Any]] = [
    {"flip": "horizontal"},
    {"flip": "vertical"},
    {"flip": "both"},
    {"shift": 2},
    {"shift": 2, "fill": "edge"},
    {"rotate": 20.0},
    {"rotate": 20.0, "fill": "edge"},
    {"cutout": 3},
    {"brightness": 0.3},
    {"contrast": 0.3},
    {"noise": 0.1},
]
OF_SERIES: list[dict[str, Any]] = [
    {"time_shift": 2},
    {"time_shift": 2, "fill": "edge"},
    {"time_mask": 3},
    {"scale": 0.2},
    {"noise": 0.1},
]


def together(options: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for option in options for name, value in option.items()}


@pytest.fixture(scope="module")
def few_rows(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """150 digits as series, and 40 to test."""
    path = tmp_path_factory.mktemp("rows") / "rows.safetensors"
    path.write_bytes(builder.build("digits-rows"))
    whole = load(path)
    parts = [Split(part.inputs[:n], part.targets[:n]) for part, n in ((whole.train, 150), (whole.test, 40))]
    return Dataset(*parts, whole.manifest)


def spec_of(network: dict[str, Any], options: dict[str, Any], **rules: Any) -> TrainSpec:
    body = {"network": network, "data": {"augment": options}, "hyperparameters": rules, "seed": 4}
    return TrainSpec.model_validate(body)


def test_only_training_batches_are_changed_and_labels_stay(few_digits: Dataset) -> None:
    options = together(OF_IMAGES)
    spec = spec_of(CNN, options, batch_size=50, epochs=1)
    plain = spec.model_copy(update={"data": spec.data.model_copy(update={"augment": None})})
    run, control = Run(spec, few_digits, 1, CPU), Run(plain, few_digits, 1, CPU)
    seen: list[tuple[bool, Tensor]] = []
    run.network.register_forward_pre_hook(lambda module, inputs: seen.append((module.training, inputs[0].clone())))
    run.network.train()
    indices = run._next_indices()
    untouched = run.train.prepare(run.train.inputs[indices])
    run.step()
    run.validate()
    run.progress.stopped = "steps"
    run.finish()
    parts = split(few_digits, spec)
    wanted = [torch.from_numpy(control.preprocessing.apply(part.inputs)) for part in (parts.validation, parts.test)]
    assert [training for training, _ in seen] == [True, False, False]
    assert seen[0][1].shape == untouched.shape and not torch.equal(seen[0][1], untouched)
    for (_, found), expected in zip(seen[1:], wanted, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert torch.equal(run.train.inputs, control.train.inputs) and torch.equal(run.train.targets, control.train.targets)


def test_black_is_the_networks_input_of_a_raw_zero(few_digits: Dataset) -> None:
    """The digits' corners are black: a shifted image has its own corner's number in what came in."""
    run = Run(spec_of(CNN, {"shift": 3}, batch_size=50, steps=1), few_digits, 1, CPU)
    assert run.augmentation is not None
    black = run.train.prepare(torch.zeros((1, 8, 8, 1), dtype=torch.uint8))
    assert torch.equal(run.augmentation(black, 0), black)
    bright = run.train.prepare(torch.full((50, 8, 8, 1), 255, dtype=torch.uint8))
    assert set(run.augmentation(bright, 0).unique().tolist()) == {black[0, 0, 0, 0].item(), bright[0, 0, 0, 0].item()}


def test_accumulated_batches_are_changed_like_one_large_batch(few_digits: Dataset) -> None:
    options = together([option for option in OF_IMAGES if "noise" not in option])
    network = {**CNN, "stages": [{"channels": 4}]}
    common: dict[str, Any] = {"steps": 4, "optimizer": {"name": "sgd", "lr": 0.1}}
    runs = [
        Run(spec_of(network, options, batch_size=size, accumulate=40 // size, **common), few_digits, 1, CPU)
        for size in (10, 40)
    ]
    for run in runs:
        for _ in range(4):
            run.step()
    for name, value in runs[0].network.state_dict().items():
        torch.testing.assert_close(runs[1].network.state_dict()[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("network", "options"),
    [
        *((CNN, option) for option in [*OF_IMAGES, together(OF_IMAGES)]),
        *((RNN, option) for option in [*OF_SERIES, together(OF_SERIES)]),
    ],
    ids=lambda value: "+".join(map(str, value)) if "family" not in value else value["family"],
)
def test_a_resumed_run_is_the_undisturbed_one_in_every_bit(
    few_digits: Dataset, few_rows: Dataset, network: dict[str, Any], options: dict[str, Any]
) -> None:
    dataset = few_digits if network is CNN else few_rows
    spec = spec_of(network, options, batch_size=20, accumulate=2, epochs=3, log_every=2)
    plain = spec_of(network, {}, batch_size=20, accumulate=2, epochs=3, log_every=2)
    whole = story(spec, dataset)
    assert whole[1] != story(plain, dataset)[1]
    for step in (1, 4, 6, 11):
        taken: list[Checkpoint] = []
        steps = iter(range(1, step + 1))
        for event in fit(spec, dataset, threads=1, pause=lambda s=steps, n=step: next(s) == n):  # type: ignore[misc]
            if isinstance(event, Checkpointed):
                taken.append(event.checkpoint)
        resumed = story(spec, dataset, resume=taken[-1])
        assert resumed[0] == [metric for metric in whole[0] if metric[0] > step]
        assert resumed[1:] == whole[1:]


def story(spec: TrainSpec, dataset: Dataset, **options: Any) -> tuple[list[Any], dict[str, bytes], dict[str, float]]:
    """Metrics, the bytes of the last weights and state, and the test's scores."""
    events = list(fit(spec, dataset, threads=1, **options))
    end, last = events[-1], [event for event in events if isinstance(event, Checkpointed)][-1].checkpoint
    assert isinstance(end, Finished)
    metrics = [[event.step, event.values] for event in events if isinstance(event, Metrics)]
    tensors = {name: value.numpy().tobytes() for name, value in {**last.weights, **last.state}.items()}
    return metrics, tensors, end.test


IMAGE, SERIES = Sample("image", (28, 20, 1), 10), Sample("series", (30, 2), 4)


@pytest.mark.parametrize(
    ("sample", "options", "field", "words"),
    [
        (SERIES, {"flip": "horizontal"}, "flip", "does not fit data of kind series; use time_shift"),
        (SERIES, {"noise": 0.1, "rotate": 3.0}, "rotate", "does not fit data of kind series"),
        (IMAGE, {"time_mask": 2}, "time_mask", "does not fit data of kind image; use flip, shift"),
        (IMAGE, {"scale": 0.1}, "scale", "does not fit data of kind image"),
        (IMAGE, {"shift": 20}, "shift", "at most 19 for the 28x20 pixels that the network reads"),
        (IMAGE, {"cutout": 21}, "cutout", "at most 20"),
        (SERIES, {"time_shift": 30}, "time_shift", "at most 29 for the 30 steps"),
        (SERIES, {"time_mask": 31}, "time_mask", "at most 30"),
    ],
)
def test_what_does_not_fit_the_data_is_refused_by_name(
    sample: Sample, options: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(PlanError, match=words) as caught:
        make(spec_of(CNN if sample is IMAGE else RNN, options), sample)
    assert caught.value.pointer == f"#/data/augment/{field}"


def test_what_fits_is_planned_and_sizes_are_those_after_resize() -> None:
    make(spec_of(CNN, together([*OF_IMAGES, {"shift": 19, "cutout": 20}])), IMAGE)
    make(spec_of(RNN, together([*OF_SERIES, {"time_shift": 29, "time_mask": 30}])), SERIES)
    resized = TrainSpec.model_validate({"network": CNN, "data": {"resize": [8, 8], "augment": {"shift": 8}}})
    with pytest.raises(PlanError, match="8x8"):
        make(resized, IMAGE)


@pytest.mark.parametrize(
    "options",
    [
        {"flip": "diagonal"},
        {"shift": 0},
        {"shift": 1.5},
        {"rotate": 181.0},
        {"rotate": float("nan")},
        {"noise": float("inf")},
        {"noise": -0.1},
        {"contrast": 1.1},
        {"fill": "edge"},
        {"shuffle": True},
    ],
    ids=str,
)
def test_values_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Augment.model_validate(options)
