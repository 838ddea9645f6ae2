"""``fit``: every field of the spec does what it says."""

import math
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.specs import TrainJob, TrainSpec
from models.data.splits import Dataset, split
from models.events import (
    Checkpointed,
    Event,
    Finished,
    FirstStep,
    Metrics,
    Started,
)
from models.training import fit
from models.training.run import Run

SMALL_CNN = {"family": "cnn", "stages": [{"channels": 4}], "hidden": [8]}
CPU = torch.device("cpu")
EXAMPLES = Path(__file__).parents[2] / "examples"
T = TypeVar("T")


def spec_of(network: dict[str, Any] | None = None, *, data: dict[str, Any] | None = None, **rules: Any) -> TrainSpec:
    body = {"network": network or SMALL_CNN, "data": data or {}, "hyperparameters": rules, "seed": 5}
    return TrainSpec.model_validate(body)


def train(spec: TrainSpec, dataset: Dataset, **options: Any) -> list[Event]:
    return list(fit(spec, dataset, threads=1, **options))


def of_type(events: list[Event], kind: type[T]) -> list[T]:
    return [event for event in events if isinstance(event, kind)]


def series(events: list[Event], name: str) -> dict[int, float]:
    return {event.step: event.values[name] for event in of_type(events, Metrics) if name in event.values}


def last_weights(events: list[Event]) -> dict[str, Tensor]:
    return of_type(events, Checkpointed)[-1].checkpoint.weights


def finished(events: list[Event]) -> Finished:
    (event,) = of_type(events, Finished)
    assert events[-1] is event
    return event


def first_batch(spec: TrainSpec, dataset: Dataset) -> tuple[Run, Tensor, Tensor]:
    """A run before its first step, and that step's network input and targets."""
    run = Run(spec, dataset, 1, CPU)
    indices = run.train.order(spec.seed, 0)[: run.samples_per_step]
    return run, run.train.prepare(run.train.inputs[indices]), run.train.targets[indices]


def test_the_events_of_a_short_run(few_digits: Dataset) -> None:
    events = train(spec_of(epochs=2, batch_size=50, log_every=2), few_digits)
    (started,) = of_type(events, Started)
    assert events[0] == Started(0, 0, 6, 2, 3, started.plan, 1, "cpu", 1, True, None)
    assert started.plan.parameters == 426
    assert [type(event) for event in events[1:]] == [
        *(FirstStep, Metrics, Metrics, Metrics, Metrics, Checkpointed, Finished)
    ]
    assert sorted(series(events, "train_loss")) == [2, 4, 6]
    assert sorted(series(events, "learning_rate")) == [2, 4, 6]
    assert sorted(series(events, "validation_loss")) == sorted(series(events, "validation_accuracy")) == [3, 6]
    assert {event.step: event.epoch for event in of_type(events, Metrics)} == {2: 1, 3: 1, 4: 2, 6: 2}
    end = finished(events)
    assert (end.step, end.epoch, end.stopped) == (6, 2, "epochs")
    assert np.sum(end.confusion_matrix) == len(few_digits.test)
    assert np.trace(end.confusion_matrix) / len(few_digits.test) == pytest.approx(end.test["accuracy"])


def test_the_last_step_is_logged_even_between_two_logs(few_digits: Dataset) -> None:
    events = train(spec_of(steps=4, batch_size=50, log_every=3), few_digits)
    assert sorted(series(events, "train_loss")) == [3, 4]
    assert sorted(series(events, "validation_loss")) == [3, 4]
    assert finished(events).stopped == "steps"


def test_splits_are_disjoint_stratified_and_decided_by_the_seed(digits: Dataset) -> None:
    spec = spec_of(data={"validation": 0.2})
    parts = split(digits, spec)
    assert len(parts.validation) == round(0.2 * len(digits.train))
    assert len(parts.train) + len(parts.validation) == len(digits.train)
    shares = np.bincount(parts.validation.targets) / np.bincount(digits.train.targets)
    assert shares == pytest.approx(0.2, abs=0.01)
    assert np.array_equal(split(digits, spec).validation.inputs, parts.validation.inputs)
    other = split(digits, spec.model_copy(update={"seed": 6}))
    assert not np.array_equal(other.validation.inputs, parts.validation.inputs)


def test_an_epoch_sees_every_training_sample_once_in_an_order_of_its_own(few_digits: Dataset) -> None:
    run = Run(spec_of(epochs=1, batch_size=32), few_digits, 1, CPU)
    seen = []
    for step in range(2 * run.steps_per_epoch):
        run.progress.step = step
        seen += run._next_indices().tolist()
    half = len(run.train)
    assert sorted(seen[:half]) == sorted(seen[half:]) == list(range(half))
    assert seen[:half] != seen[half:]


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"label_smoothing": 0.2},
        {"class_weights": [0.1, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]},
        {"class_weights": "balanced", "label_smoothing": 0.1},
    ],
    ids=str,
)
def test_the_training_loss_is_cross_entropy_with_its_options(few_digits: Dataset, rules: dict[str, Any]) -> None:
    spec = spec_of(steps=1, batch_size=40, log_every=1, **rules)
    run, inputs, targets = first_batch(spec, few_digits)
    weights = rules.get("class_weights")
    if weights == "balanced":
        weights = len(run.train) / (10 * np.bincount(run.train.targets.numpy(), minlength=10))
    loss = nn.CrossEntropyLoss(
        None if weights is None else torch.tensor(weights, dtype=torch.float32),
        label_smoothing=rules.get("label_smoothing", 0.0),
    )
    with torch.no_grad():
        logits = run.network(inputs)
    values = of_type(train(spec, few_digits), Metrics)[0].values
    assert values["train_loss"] == pytest.approx(loss(logits, targets).item(), rel=1e-5)
    assert values["train_accuracy"] == pytest.approx((logits.argmax(1) == targets).float().mean().item())


def test_a_step_of_gradient_descent_is_the_formula_over_the_whole_split(digits: Dataset) -> None:
    """Softmax regression's gradient in closed form, for the last layer: W - lr (P - Y)' H / n over all n samples."""
    spec = spec_of(epochs=1, optimizer={"name": "gd", "lr": 0.5})
    run = Run(spec, digits, 1, CPU)
    assert run.steps_per_epoch == 1 and len(run.train) > run.micro_batch  # summed over chunks
    features: list[Tensor] = []
    run.network[-1].register_forward_pre_hook(lambda _module, inputs: features.append(inputs[0]))
    with torch.no_grad():
        logits = run.network(run.train.prepare(run.train.inputs)).double()
    before = {name: value.clone().double() for name, value in run.network[-1].state_dict().items()}
    errors = logits.softmax(1) - nn.functional.one_hot(run.train.targets, 10)
    wanted = before["weight"] - 0.5 * errors.T @ features[0].double() / len(run.train)
    weights = last_weights(train(spec, digits))
    last = run.plan.layers[-1].name
    torch.testing.assert_close(weights[f"{last}.weight"].double(), wanted, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        weights[f"{last}.bias"].double(), before["bias"] - 0.5 * errors.mean(0), rtol=0, atol=1e-6
    )


def test_accumulated_batches_are_one_large_batch(few_digits: Dataset) -> None:
    common: dict[str, Any] = {"steps": 4, "optimizer": {"name": "sgd", "lr": 0.1}, "class_weights": "balanced"}
    apart = train(spec_of(batch_size=10, accumulate=4, **common), few_digits)
    whole = train(spec_of(batch_size=40, **common), few_digits)
    assert of_type(apart, Started)[0].steps_per_epoch == of_type(whole, Started)[0].steps_per_epoch == 4
    for name, value in last_weights(whole).items():
        torch.testing.assert_close(last_weights(apart)[name], value, rtol=1e-4, atol=1e-6)


def test_clip_norm_bounds_the_gradient(few_digits: Dataset) -> None:
    def moved(**rules: Any) -> float:
        spec = spec_of(steps=1, batch_size=40, optimizer={"name": "sgd", "lr": 1.0}, **rules)
        before, after = Run(spec, few_digits, 1, CPU).network.state_dict(), last_weights(train(spec, few_digits))
        return math.sqrt(sum(float((after[name] - before[name]).square().sum()) for name in after))

    assert moved() > 0.1
    assert moved(clip_norm=0.01) == pytest.approx(0.01, rel=1e-3)


def test_the_learning_rate_that_is_logged_is_the_schedules(few_digits: Dataset) -> None:
    rules: dict[str, Any] = {"epochs": 4, "batch_size": 50, "log_every": 1, "optimizer": {"name": "sgd", "lr": 0.2}}
    found = series(
        train(spec_of(schedule={"name": "step", "step_epochs": 2, "gamma": 0.1}, **rules), few_digits), "learning_rate"
    )
    assert [found[step] for step in (1, 6, 7, 12)] == pytest.approx([0.2, 0.2, 0.02, 0.02])
    found = series(train(spec_of(schedule={"name": "cosine", "warmup_steps": 2}, **rules), few_digits), "learning_rate")
    assert [found[step] for step in (1, 2, 3, 8)] == pytest.approx([0.1, 0.2, 0.2, 0.1])


def test_bf16_computes_in_bf16_and_learns(few_digits: Dataset) -> None:
    run = Run(spec_of(precision="bf16", steps=1), few_digits, 1, CPU)
    seen: list[torch.dtype] = []
    for layer in (run.network[0], run.network[-1]):
        layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    run.step()
    assert seen == [torch.bfloat16] * 2
    assert {parameter.dtype for parameter in run.network.parameters()} == {torch.float32}
    events = train(spec_of(precision="bf16", epochs=30, optimizer={"lr": 0.03}), few_digits)
    losses = list(series(events, "train_loss").values())
    assert losses[-1] < losses[0] / 3


@pytest.mark.parametrize(("name", "goal"), [("digits-cnn", 0.97), ("digits-rnn", 0.93)])
def test_the_examples_reach_their_accuracy(digits: Dataset, name: str, goal: float) -> None:
    job = TrainJob.model_validate_json((EXAMPLES / f"{name}.json").read_text())
    assert job.model == name
    events = train(job.training, digits)
    if name == "digits-cnn":
        assert of_type(events, Started)[0].plan.parameters == 225_034
    assert finished(events).test["accuracy"] >= goal
