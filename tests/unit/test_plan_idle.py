"""Options that would change nothing are refused at their field, and defaults that were spelled out are not."""

from typing import Any

import pytest

from core.plan import PlanError
from core.plan_idle import check
from core.specs import TrainSpec

CNN: dict[str, Any] = {"family": "cnn", "stages": [{"channels": 4}, {"channels": 4}]}
RNN: dict[str, Any] = {"family": "rnn"}


def scheduled(**fields: Any) -> dict[str, Any]:
    return {"network": CNN, "hyperparameters": {"schedule": fields}}


@pytest.mark.parametrize(
    ("body", "kind", "pointer"),
    [
        (scheduled(gamma=0.5), "image", "#/hyperparameters/schedule/gamma"),
        (scheduled(name="cosine", step_epochs=3), "image", "#/hyperparameters/schedule/step_epochs"),
        (scheduled(name="step", final_ratio=0.1), "image", "#/hyperparameters/schedule/final_ratio"),
        (
            {"network": {**CNN, "stages": [{"channels": 4}, {"channels": 4, "pool": "none", "pool_size": 3}]}},
            "image",
            "#/network/stages/1/pool_size",
        ),
        ({"network": {**CNN, "hidden": [], "activation": "tanh"}}, "image", "#/network/activation"),
        ({"network": {**RNN, "activation": "gelu"}}, "series", "#/network/activation"),
        ({"network": RNN, "data": {"normalise": "standard"}}, "text", "#/data/normalise"),
        ({"network": RNN, "data": {"normalise": "standard"}}, "corpus", "#/data/normalise"),
    ],
)
def test_what_nothing_reads_is_refused(body: dict[str, Any], kind: str, pointer: str) -> None:
    with pytest.raises(PlanError) as refused:
        check(TrainSpec.model_validate(body), kind)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (scheduled(name="step", step_epochs=3, gamma=0.5), "image"),
        (scheduled(name="cosine", final_ratio=0.1), "image"),
        (scheduled(name="one_cycle", final_ratio=0.1), "image"),
        ({"network": {**CNN, "activation": "tanh"}}, "image"),
        ({"network": {**RNN, "dense": [4], "activation": "gelu"}}, "series"),
        ({"network": RNN, "data": {"normalise": "none"}}, "text"),
        ({"network": RNN, "data": {"normalise": "standard"}}, "audio"),
    ],
)
def test_what_is_read_is_accepted(body: dict[str, Any], kind: str) -> None:
    spec = TrainSpec.model_validate(body)
    check(spec, kind)
    check(TrainSpec.model_validate(spec.model_dump()), kind)
    everything = TrainSpec.model_validate({"network": {"family": spec.network.family}}).model_dump()
    check(TrainSpec.model_validate(everything), kind)
