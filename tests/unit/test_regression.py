"""Regression: targets are scaled inside and come back in their own units, from every kind of data."""

from typing import Any

import numpy as np
import pytest
import torch
from forecasting import raw, sums
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from core.encode import Preprocessing
from core.plan import PlanError, make
from core.specs import TrainSpec
from models.data.splits import Dataset, Split
from models.events import Finished, Metrics
from models.export import export, verify
from models.networks import build
from models.training import fit


def spec(rules: dict[str, Any] | None = None, **data: Any) -> TrainSpec:
    rules = {"epochs": 30, "batch_size": 16, "optimizer": {"name": "adam", "lr": 0.01}, **(rules or {})}
    return TrainSpec.model_validate(
        {"network": {"family": "rnn", "hidden": 16}, "data": data, "hyperparameters": rules}
    )


def end_of(dataset: Dataset, asked: TrainSpec) -> Finished:
    *_, end = fit(asked, dataset, threads=1)
    assert isinstance(end, Finished)
    return end


def foretold(end: Finished, samples: Any) -> Any:
    """By ONNX Runtime, as serving does it: [N, targets]."""
    import onnxruntime

    graph = export(end.plan, end.best.weights)
    network = build(end.plan)
    network.load_state_dict(end.best.weights)
    assert verify(graph, network, end.plan) is None
    stored = Preprocessing.from_dict(end.preprocessing.as_dict())
    assert stored == end.preprocessing and stored.targets is not None
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return stored.targets.restore(session.run(["logits"], stored.feed(samples))[0], samples)


@pytest.mark.parametrize("varying", [False, True])
def test_sums_are_learnt_and_scored_as_scikit_learn_scores(varying: bool) -> None:
    dataset = sums(varying=varying)
    end = end_of(dataset, spec())
    truth, said = dataset.test.targets, foretold(end, raw(dataset))
    assert end.test["mae"] == pytest.approx(mean_absolute_error(truth, said), rel=1e-4)
    assert end.test["rmse"] == pytest.approx(np.sqrt(mean_squared_error(truth, said)), rel=1e-4)
    assert end.test["r2"] == pytest.approx(r2_score(truth, said), rel=1e-4)
    assert end.test["r2"] > 0.8 and abs(said.mean() - 1000) < 10
    assert end.confusion_matrix is None and end.per_class == [] and end.baseline is None


def test_the_losses_are_torchs_and_the_curves_those_of_numbers() -> None:
    dataset = sums()
    for loss, function in (
        ("mse", torch.nn.functional.mse_loss),
        ("mae", torch.nn.functional.l1_loss),
        ("huber", torch.nn.functional.huber_loss),
    ):
        events = list(fit(spec({"loss": loss, "epochs": 1, "monitor": "validation_rmse"}), dataset, threads=1))
        end = events[-1]
        assert isinstance(end, Finished) and end.preprocessing.targets is not None
        targets = end.preprocessing.targets
        scaled = [torch.tensor((values - targets.mean[0]) / targets.std[0]) for values in
                  (foretold(end, dataset.test.inputs), dataset.test.targets.astype(np.float64))]  # fmt: skip
        assert end.test["loss"] == pytest.approx(function(*scaled).item(), rel=1e-4)
        curves = {name for event in events if isinstance(event, Metrics) for name in event.values}
        assert curves == {
            "train_loss", "train_mae", "validation_loss", "validation_mae", "validation_rmse", "learning_rate"
        }  # fmt: skip


def test_images_have_numbers_too() -> None:
    generator = np.random.default_rng(3)
    parts = []
    for count in (200, 40):
        images = generator.integers(0, 256, (count, 10, 10, 1), dtype=np.uint8)
        parts.append(Split(images, images.mean((1, 2, 3), keepdims=False)[:, None].astype(np.float32)))
    manifest = {"kind": "image", "task": "regression", "shape": [10, 10, 1], "classes": [], "targets": ["light"]}
    dataset = Dataset(parts[0], parts[1], manifest)
    network = {"family": "cnn", "stages": [{"channels": 4}], "hidden": [16]}
    rules = {"epochs": 30, "batch_size": 32}
    end = end_of(dataset, TrainSpec.model_validate({"network": network, "hyperparameters": rules}))
    assert end.test["r2"] is not None and end.test["r2"] > 0.5
    assert abs(foretold(end, dataset.test.inputs).mean() - 127) < 10


def test_a_target_ends_the_run_when_the_error_is_small_enough() -> None:
    end = end_of(sums(), spec({"target": {"metric": "validation_mae", "value": 12.0}, "epochs": 200}))
    assert end.stopped == "target" and end.validation["mae"] <= 12


def test_options_of_forecasts_are_refused() -> None:
    for data in ({"window": 3}, {"horizon": 1}, {"season": 2}, {"normalise": "window"}):
        with pytest.raises(PlanError) as refused:
            make(spec(**data), sums().sample)
        assert refused.value.pointer == f"#/data/{next(iter(data))}"
