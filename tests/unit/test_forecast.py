"""Forecasts: the windows are those that loops over the rows would cut, and every score is one that NumPy computes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from forecasting import NAMES, table
from numpy.typing import NDArray

from core.plan_forecast import windows
from core.plan_layers import PlanError
from core.plan_length import length, samples
from core.specs import Data, TrainSpec
from models.data.held import place
from models.data.splits import Dataset, Split, preprocessing, split
from models.data.windows import Windows
from models.events import Finished, Metrics
from models.export import export, verify
from models.networks import build
from models.training import fit


def spec(rules: dict[str, Any] | None = None, **data: Any) -> TrainSpec:
    network = {"family": "rnn", "cell": "gru", "hidden": 8}
    rules = {"epochs": 2, "batch_size": 16, **(rules or {})}
    data = {"window": 12, "horizon": 5, "season": 7, **data}
    return TrainSpec.model_validate({"network": network, "data": data, "hyperparameters": rules})


def end_of(dataset: Dataset, asked: TrainSpec) -> Finished:
    *_, end = fit(asked, dataset, threads=1)
    assert isinstance(end, Finished)
    return end


def cut(rows: NDArray[np.float32], first: int, last: int, window: int, horizon: int) -> list[tuple[int, Any, Any]]:
    """All windows whose foretold rows lie in [first, last) and whose seen rows are there: (end, seen, foretold)."""
    ends = range(max(first, window), last - horizon + 1)
    return [(end, rows[end - window : end], rows[end : end + horizon]) for end in ends]


@pytest.mark.parametrize("normalise", [None, "standard", "none"])
@pytest.mark.parametrize("targets", [("heat",), ("load", "wind")])
def test_windows_are_those_that_a_loop_would_cut(normalise: str | None, targets: tuple[str, ...]) -> None:
    dataset, asked = table(targets=targets), spec(normalise=normalise)
    splits = split(dataset, asked)
    made = preprocessing(splits.train, asked, dataset)
    placed = place(splits, made, torch.device("cpu"), None)
    rows = np.concatenate([dataset.train.inputs, dataset.test.inputs])
    places, borders = [NAMES.index(name) for name in targets], [0, 108, 120, 160]
    for held, first, last in zip((placed.train, placed.validation, placed.test()), borders, borders[1:], strict=False):
        assert isinstance(held, Windows)
        wanted = cut(rows, first, last, 12, 5)
        assert len(held) == len(wanted)
        inputs, lengths = held.batch(torch.arange(len(held)))
        seen = np.stack([one for _, one, _ in wanted])
        assert lengths is None and np.array_equal(inputs.numpy(), made.feed(seen)["input"])  # serving: the same bits
        assert made.targets is not None
        foretold = np.stack([one[:, places] for _, _, one in wanted])
        restored = made.targets.restore(held.targets.numpy(), seen)
        np.testing.assert_allclose(restored, foretold, rtol=1e-6, atol=1e-4)
        naive = np.stack([rows[end - 7 : end - 2][:, places] for end, _, _ in wanted])
        np.testing.assert_allclose(made.targets.restore(held.naive(7).numpy(), seen), naive, rtol=1e-6, atol=1e-4)


def test_a_naive_forecast_longer_than_a_season_repeats_it() -> None:
    dataset, asked = table(), spec(season=2)
    splits = split(dataset, asked)
    made = preprocessing(splits.train, asked, dataset)
    held = place(splits, made, torch.device("cpu"), None).test()
    assert isinstance(held, Windows) and made.targets is not None
    first = dataset.train.inputs[-12:]
    restored = made.targets.restore(held.naive(2)[:1].numpy(), first[None])[0, :, 0]
    np.testing.assert_allclose(restored, first[[-2, -1, -2, -1, -2], 1], rtol=1e-5)


def test_the_scores_are_those_that_numpy_computes_in_the_targets_own_units() -> None:
    dataset, asked = table(targets=("heat", "wind")), spec()
    end = end_of(dataset, asked)
    rows = np.concatenate([dataset.train.inputs, dataset.test.inputs]).astype(np.float64)
    wanted = cut(rows.astype(np.float32), 120, 160, 12, 5)
    seen, truth = np.stack([one for _, one, _ in wanted]), np.stack([one[:, 1:] for _, _, one in wanted])
    network = build(end.plan)
    network.load_state_dict(end.best.weights)
    with torch.inference_mode():
        outputs = network.eval()(torch.from_numpy(end.preprocessing.feed(seen)["input"])).numpy()
    assert end.preprocessing.targets is not None
    difference = end.preprocessing.targets.restore(outputs, seen) - truth
    change = np.abs(rows[7:108, 1:] - rows[:101, 1:]).mean(0)
    assert end.test["mae"] == pytest.approx(np.abs(difference).mean(), rel=1e-4)
    assert end.test["rmse"] == pytest.approx(np.sqrt((difference**2).mean()), rel=1e-4)
    assert end.test["mase"] == pytest.approx((np.abs(difference).mean((0, 1)) / change).mean(), rel=1e-4)
    naive = np.stack([rows[stop - 7 : stop - 2, 1:] for stop, _, _ in wanted]) - truth
    assert end.baseline is not None and end.baseline["season"] == 7
    assert end.baseline["rmse"] == pytest.approx(np.sqrt((naive**2).mean()), rel=1e-4)
    assert end.baseline["mase"] == pytest.approx((np.abs(naive).mean((0, 1)) / change).mean(), rel=1e-4)
    assert [one["window"] for one in end.forecasts] == [0, 12, 23, 35]
    last = end.forecasts[-1]
    np.testing.assert_allclose(last["truth"]["wind"], truth[-1, :, 1], rtol=1e-5)
    np.testing.assert_allclose(last["forecast"]["heat"], (difference + truth)[-1, :, 0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(last["seen"]["heat"], seen[-1, :, 1], rtol=1e-5)


def test_it_learns_waves_and_beats_the_last_value() -> None:
    asked = spec({"epochs": 30, "optimizer": {"name": "adam", "lr": 0.01}, "monitor": "validation_mae"}, season=None)
    events = list(fit(asked, table(400, test=80), threads=1))
    end = events[-1]
    assert isinstance(end, Finished) and end.baseline is not None and end.test["mase"] is not None
    assert end.baseline["season"] == 1
    assert end.test["rmse"] < 0.6 * end.baseline["rmse"] and end.test["mase"] < 0.6 * end.baseline["mase"]
    curves = {name for event in events if isinstance(event, Metrics) for name in event.values}
    assert curves >= {"train_mae", "validation_mae", "validation_rmse", "validation_loss"}
    assert not any("accuracy" in name for name in curves)
    network = build(end.plan)
    network.load_state_dict(end.best.weights)
    assert verify(export(end.plan, end.best.weights), network, end.plan) is None


def test_what_comes_later_changes_nothing_of_a_training() -> None:
    """Validation and test rows are in no training window; the test's are read once, at the end."""
    dataset = table()
    changed = Split(dataset.test.inputs + 1, dataset.test.targets + 1)
    other = replace(dataset, test=changed)
    one, two = end_of(dataset, spec()), end_of(other, spec())
    assert all(torch.equal(one.best.weights[name], two.best.weights[name]) for name in one.best.weights)
    assert one.validation == two.validation and one.test != two.test


def test_window_and_horizon_are_chosen_where_they_are_not_given() -> None:
    long, short = windows(Data(), 13_936, 3_484), windows(Data(), 115, 29)
    assert (long.window, long.horizon, long.season) == (96, 24, 1)
    assert (short.window, short.horizon) == (25, 6)
    assert (long.train, long.validation, long.test) == (12_542 - 119, 1_394 - 23, 3_484 - 23)
    asked = spec(window=96, horizon=24)
    counted = length(asked, samples(asked, "forecast", {"train": 13_936, "test": 3_484}))
    assert counted.samples_per_epoch == long.train


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"window": 104}, "#/data/window"),
        ({"horizon": 13}, "#/data/horizon"),
        ({"horizon": 41, "validation": 0.5}, "#/data/horizon"),
        ({"season": 108}, "#/data/season"),
        ({"augment": {"noise": 0.1}}, "#/data/augment"),
    ],
)
def test_what_the_table_does_not_allow_is_refused_with_its_place(data: dict[str, Any], pointer: str) -> None:
    with pytest.raises(PlanError) as refused:
        end_of(table(), spec(**data))
    assert refused.value.pointer == pointer
