"""What a task decides of a request: the metric that chooses the weights, and which options are refused."""

from typing import Any

import pytest

from core import plan_task
from core.plan import Sample, make
from core.plan_layers import PlanError
from core.specs import Hyperparameters, TrainSpec

SAMPLES = {
    "classification": Sample("series", (8, 3), 4),
    "regression": Sample("series", (8, 3), 0, task="regression", targets=1),
}


def spec(**rules: Any) -> TrainSpec:
    return TrainSpec.model_validate({"network": {"family": "rnn", "hidden": 4}, "hyperparameters": rules})


def test_the_metric_that_chooses_the_weights_is_the_tasks_own_unless_asked_for() -> None:
    rules = Hyperparameters()
    assert plan_task.monitor(rules, "classification") == "validation_accuracy"
    assert {plan_task.monitor(rules, task) for task in ("regression", "forecast", "language")} == {"validation_loss"}
    assert plan_task.monitor(Hyperparameters(monitor="validation_loss"), "classification") == "validation_loss"


@pytest.mark.parametrize(
    ("task", "rules", "pointer"),
    [
        ("classification", {"monitor": "validation_mae"}, "#/hyperparameters/monitor"),
        ("regression", {"monitor": "validation_accuracy"}, "#/hyperparameters/monitor"),
        ("regression", {"target": {"metric": "validation_accuracy", "value": 1}}, "#/hyperparameters/target/metric"),
        ("regression", {"class_weights": "balanced"}, "#/hyperparameters/class_weights"),
        ("regression", {"label_smoothing": 0.1}, "#/hyperparameters/label_smoothing"),
    ],
)
def test_what_a_task_has_not_is_refused_with_its_place(task: str, rules: dict[str, Any], pointer: str) -> None:
    with pytest.raises(PlanError) as refused:
        make(spec(**rules), SAMPLES[task])
    assert refused.value.pointer == pointer and task in refused.value.message


def test_the_head_gives_as_many_numbers_as_there_are_to_foretell() -> None:
    sample = Sample("series", (8, 3), 0, task="regression", targets=2)
    assert make(spec(monitor="validation_mae"), sample).outputs == 2
