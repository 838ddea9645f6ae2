"""A regression and a forecast that were interrupted at a random step end as if nothing had happened, bit for bit."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from forecasting import sums, table

from core.specs import TrainSpec
from models import checkpoint
from models.data.splits import Dataset
from models.events import Checkpointed, Event, Finished, Metrics, Started
from models.training import fit

RULES: dict[str, Any] = {"epochs": 3, "log_every": 3, "loss": "huber", "monitor": "validation_mae"}
CASES = {
    "regression": (sums(), {"cell": "lstm"}, {}),
    "regression of several lengths": (sums(varying=True), {"cell": "elman", "bidirectional": True}, {}),
    "forecast": (table(targets=("heat", "wind")), {"cell": "gru", "dropout": 0.2}, {"window": 8, "horizon": 3}),
}


def curves(events: list[Event], after: int = 0) -> list[Any]:
    return [[one.step, one.values] for one in events if isinstance(one, Metrics) and one.step > after]


@pytest.mark.parametrize(
    ("name", "threads", "batch"),
    [
        ("regression", 1, 8),
        ("regression", 2, 32),  # shared out
        ("regression of several lengths", 1, 8),
        ("forecast", 1, 8),
    ],
)
def test_it_is_the_undisturbed_one(name: str, threads: int, batch: int, tmp_path: Path) -> None:
    dataset, network, data = CASES[name]
    rules = {**RULES, "batch_size": batch}
    spec = TrainSpec.model_validate(
        {"network": {"family": "rnn", "hidden": 6, **network}, "data": data, "hyperparameters": rules}
    )
    undisturbed = list(fit(spec, dataset, threads=threads))
    end = undisturbed[-1]
    assert isinstance(end, Finished)
    stop = random.randrange(1, end.step)
    counter = iter(range(1, stop + 1))
    before = list(fit(spec, dataset, threads=threads, pause=lambda: next(counter) == stop))
    (kept,) = [one for one in before if isinstance(one, Checkpointed)]
    resume = checkpoint.load(*checkpoint.save(kept.checkpoint, tmp_path))
    after = list(fit(spec, dataset, threads=threads, resume=resume))
    assert isinstance(after[0], Started) and after[0].exact and after[0].step == stop
    again = after[-1]
    assert isinstance(again, Finished), f"stopped at step {stop}"
    assert curves(after) == curves(undisturbed, stop), f"stopped at step {stop}"
    assert all(torch.equal(again.best.weights[one], end.best.weights[one]) for one in end.best.weights)
    assert (again.test, again.validation, again.baseline) == (end.test, end.validation, end.baseline)


@pytest.mark.parametrize("name", ["regression", "forecast"])
def test_two_devices_train_what_one_does(name: str) -> None:
    dataset, _, data = CASES[name]
    body = {"network": {"family": "rnn", "cell": "lstm", "hidden": 6}, "data": data, "hyperparameters": RULES}
    spec = TrainSpec.model_validate(body)
    alone, together = (curves(list(fit(spec, dataset, threads=2, devices=devices))) for devices in (1, 2))
    assert [step for step, _ in alone] == [step for step, _ in together]
    for (_, values), (_, wanted) in zip(together, alone, strict=True):
        assert values == pytest.approx(wanted, rel=1e-3)


def test_a_checkpoint_of_another_window_is_another_trainings() -> None:
    def spec(window: int) -> TrainSpec:
        data = {"window": window, "horizon": 3}
        return TrainSpec.model_validate({"network": {"family": "rnn", "hidden": 6}, "data": data})

    dataset: Dataset = table()
    kept = [one for one in fit(spec(8), dataset, threads=1, pause=lambda: True) if isinstance(one, Checkpointed)]
    with pytest.raises(ValueError, match="another training"):
        list(fit(spec(9), dataset, threads=1, resume=kept[0].checkpoint))
