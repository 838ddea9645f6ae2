"""``fit``: where a run ends, what it keeps, and what it refuses."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
from torch import Tensor

from core.specs import TrainSpec
from models.checkpoint import Checkpoint
from models.data.splits import Dataset, Split
from models.events import (
    Checkpointed,
    Diverged,
    Event,
    Finished,
    Metrics,
    Paused,
    Started,
    StopStep,
)
from models.training import fit

SMALL_CNN = {"family": "cnn", "stages": [{"channels": 4}], "hidden": [8]}
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


def test_early_stopping_waits_for_patience_epochs(few_digits: Dataset) -> None:
    stuck: dict[str, Any] = {"optimizer": {"name": "sgd", "lr": 1e-9}, "epochs": 50}
    end = finished(train(spec_of(early_stopping={"patience": 3}, **stuck), few_digits))
    assert (end.stopped, end.epoch, end.best_epoch) == ("early_stopping", 4, 1)
    # progress smaller than min_delta is no progress
    rules: dict[str, Any] = {"epochs": 50, "monitor": "validation_loss"}
    end = finished(train(spec_of(early_stopping={"patience": 2, "min_delta": 10.0}, **rules), few_digits))
    assert (end.stopped, end.epoch, end.best_epoch) == ("early_stopping", 3, 3)


@pytest.mark.parametrize(
    "target", [{"metric": "validation_loss", "value": 1.0}, {"metric": "validation_accuracy", "value": 0.8}], ids=str
)
def test_a_target_ends_the_run_where_it_is_reached(few_digits: Dataset, target: dict[str, Any]) -> None:
    events = train(spec_of(target=target, epochs=200, optimizer={"lr": 0.01}, batch_size=32), few_digits)
    values = list(series(events, target["metric"]).values())
    reached = [value <= target["value"] if "loss" in target["metric"] else value >= target["value"] for value in values]
    assert finished(events).stopped == "target"
    assert reached == [False] * (len(values) - 1) + [True] and len(values) > 1


@pytest.mark.parametrize("monitor", ["validation_loss", "validation_accuracy"])
def test_the_best_weights_are_those_of_the_monitored_metric(few_digits: Dataset, monitor: str) -> None:
    # a rate so large that the curve goes up and down
    rules: dict[str, Any] = {"epochs": 12, "monitor": monitor, "optimizer": {"name": "sgd", "lr": 0.6, "momentum": 0.5}}
    events = train(spec_of(**rules), few_digits, due=lambda: True)
    losses, accuracies = series(events, "validation_loss"), series(events, "validation_accuracy")
    by_loss = min(losses, key=lambda step: losses[step])
    by_accuracy = max(accuracies, key=lambda step: (accuracies[step], -losses[step]))
    end = finished(events)
    assert end.best_step == (by_loss if monitor == "validation_loss" else by_accuracy)
    assert end.validation == {"loss": losses[end.best_step], "accuracy": accuracies[end.best_step]}
    (chosen,) = [event for event in of_type(events, Checkpointed) if event.step == end.best_step]
    assert chosen.best
    assert all(end.best.weights[name].equal(value) for name, value in chosen.checkpoint.weights.items())
    assert end.best.manifest["step"] == end.best_step


def test_seconds_announce_a_stop_step_that_repeats_the_run(few_digits: Dataset) -> None:
    spec = spec_of(seconds=0.15, batch_size=16)
    events = train(spec, few_digits)
    (stop,) = of_type(events, StopStep)
    assert of_type(events, Started)[0].total_steps is None
    assert (finished(events).step, finished(events).stopped) == (stop.step, "seconds")
    again = train(spec, few_digits, stop_step=stop.step)
    assert not of_type(again, StopStep)
    assert finished(again).step == stop.step
    assert all(last_weights(again)[name].equal(value) for name, value in last_weights(events).items())


def test_a_loss_that_is_not_finite_ends_the_run_with_a_reason(few_digits: Dataset) -> None:
    with pytest.raises(Diverged, match="smaller learning rate") as caught:
        train(spec_of(epochs=50, optimizer={"name": "sgd", "lr": 1e9}, log_every=1000), few_digits)
    assert caught.value.name == "validation_loss"
    assert not math.isfinite(caught.value.value)


def test_no_checkpoint_holds_a_diverged_run(few_digits: Dataset) -> None:
    events: list[Event] = []
    with pytest.raises(Diverged):
        for event in fit(
            spec_of(steps=60, optimizer={"name": "sgd", "lr": 1e9}), few_digits, threads=1, due=lambda: True
        ):
            events.append(event)
    for event in of_type(events, Checkpointed):
        assert all(value.isfinite().all() for value in event.checkpoint.weights.values())


@pytest.mark.parametrize("network", [SMALL_CNN, {"family": "rnn", "cell": "lstm", "hidden": 4}], ids=["cnn", "lstm"])
def test_a_loss_that_explodes_and_stays_finite_ends_the_run_too(few_digits: Dataset, network: dict[str, Any]) -> None:
    kept: list[Event] = []
    with pytest.raises(Diverged, match=r"train_loss is [\d.]+e\+\d+ at step \d+: the training diverged") as caught:
        for event in fit(
            spec_of(network, steps=60, log_every=5, optimizer={"name": "adam", "lr": 1e9}), few_digits, threads=1
        ):
            kept.append(event)
    assert math.isfinite(caught.value.value) and caught.value.value > 1e6
    assert not of_type(kept, Checkpointed)


def after(calls: int) -> Callable[[], bool]:
    """Says yes from the given call on."""
    counter = iter(range(1, 10**9))
    return lambda: next(counter) >= calls


def test_pause_ends_after_the_step_with_a_checkpoint(few_digits: Dataset) -> None:
    events = train(spec_of(epochs=3, batch_size=16), few_digits, pause=after(4))
    assert [type(event) for event in events[-2:]] == [Checkpointed, Paused]
    assert of_type(events, Checkpointed)[0].step == of_type(events, Paused)[0].step == 4


def test_checkpoints_that_are_due_come_at_logs_and_epoch_ends(few_digits: Dataset) -> None:
    events = train(spec_of(epochs=2, batch_size=16, log_every=4), few_digits, due=lambda: True)
    assert of_type(events, Started)[0].steps_per_epoch == 9
    assert [event.step for event in of_type(events, Checkpointed)] == [4, 8, 9, 12, 16, 18]


def test_a_checkpoint_of_another_training_is_refused(few_digits: Dataset) -> None:
    (paused,) = of_type(train(spec_of(epochs=2), few_digits, pause=after(1)), Checkpointed)
    with pytest.raises(ValueError, match="another training"):
        train(spec_of(epochs=3), few_digits, resume=paused.checkpoint)


def test_resuming_elsewhere_says_that_and_why(few_digits: Dataset) -> None:
    spec = spec_of(epochs=2)
    (paused,) = of_type(train(spec, few_digits, pause=after(1)), Checkpointed)
    found = paused.checkpoint
    elsewhere = Checkpoint(
        found.weights, found.state, {**found.manifest, "environment": {**found.manifest["environment"], "threads": "7"}}
    )
    (started,) = of_type(train(spec, few_digits, resume=elsewhere), Started)
    assert (started.exact, started.reason) == (False, "threads was 7 and is 1")
    (started,) = of_type(train(spec, few_digits, resume=found), Started)
    assert started.exact and started.step == 1


def test_a_last_batch_of_one_is_refused_where_it_cannot_be_normalised(few_digits: Dataset) -> None:
    stage = {"channels": 4, "kernel": 8, "norm": "batch", "pool": "none"}
    spec = spec_of({"family": "cnn", "stages": [stage]}, batch_size=67)  # 135 to train on
    with pytest.raises(ValueError, match="single sample"):
        train(spec, few_digits)


def test_too_few_samples_to_hold_any_out(few_digits: Dataset) -> None:
    tiny = Split(few_digits.train.inputs[:10], np.arange(10))
    with pytest.raises(ValueError, match="cannot hold out"):
        train(spec_of(), replace(few_digits, train=tiny))
