"""A checkpoint belongs to its training, also after an upgrade that added a field to the spec or the preprocessing."""

from dataclasses import dataclass
from typing import Any

import pytest

from core.encode import Preprocessing
from core.specs import Data, Hyperparameters, TrainSpec
from models.checkpoint import Checkpoint
from models.data.splits import Dataset
from models.events import Checkpointed, Finished, Started
from models.training import fit
from models.training.identity import identity

BODY: dict[str, Any] = {
    "network": {"family": "cnn", "stages": [{"channels": 4}], "hidden": []},
    "data": {"resize": [10, 10]},
    "hyperparameters": {"steps": 6, "batch_size": 32, "optimizer": {"name": "sgd", "momentum": 0.5}},
}


class LaterData(Data):
    """As after an upgrade."""

    blur: float = 0.0


class LaterHyperparameters(Hyperparameters):
    """The same."""

    freeze: bool = False


class LaterSpec(TrainSpec):
    """The same: the later version reads specs that lack the new fields."""

    data: LaterData = LaterData()
    hyperparameters: LaterHyperparameters = LaterHyperparameters()


def checkpoint(dataset: Dataset, spec: TrainSpec) -> Checkpoint:
    """Of a run that was paused after its third step."""
    steps = iter(range(1, 4))
    events = fit(spec, dataset, threads=1, pause=lambda: next(steps) == 3)
    (found,) = [event for event in events if isinstance(event, Checkpointed)]
    return found.checkpoint


def test_a_spec_that_lacks_a_new_field_goes_on_from_its_checkpoint(few_digits: Dataset) -> None:
    before = TrainSpec.model_validate(BODY)
    found, stored = checkpoint(few_digits, before), before.model_dump(mode="json")
    assert "blur" not in stored["data"] and "freeze" not in stored["hyperparameters"]
    started, *_, end = fit(LaterSpec.model_validate(stored), few_digits, threads=1, resume=found)
    assert isinstance(started, Started) and (started.step, started.exact) == (3, True)
    *_, wanted = fit(before, few_digits, threads=1)
    assert isinstance(end, Finished) and isinstance(wanted, Finished)
    assert end.validation == wanted.validation


@pytest.mark.parametrize(
    ("place", "field", "value"),
    [
        ("data", "blur", 0.5),
        ("hyperparameters", "freeze", True),
        ("hyperparameters", "label_smoothing", 0.1),
        ("data", "resize", [11, 10]),
        ("network", "hidden", [8]),
    ],
)
def test_another_value_is_another_training(few_digits: Dataset, place: str, field: str, value: Any) -> None:
    found = checkpoint(few_digits, TrainSpec.model_validate(BODY))
    other = {**BODY, place: {**BODY[place], field: value}}
    with pytest.raises(ValueError, match="belongs to another training"):
        list(fit(LaterSpec.model_validate(other), few_digits, threads=1, resume=found))


def test_a_new_field_of_the_preprocessing_changes_nothing_while_it_has_its_default() -> None:
    @dataclass(frozen=True)
    class Later(Preprocessing):
        """As after an upgrade."""

        horizon: int | None = None

    spec, fields = TrainSpec.model_validate(BODY), ("image", (8, 8, 1), (10, 10), "standard", (4.5,), (6.0,))
    before = identity(spec, [90, 10], Preprocessing(*fields), None)
    assert identity(spec, [90, 10], Later(*fields), None) == before
    assert identity(spec, [90, 10], Later(*fields, horizon=3), None) != before
    assert identity(spec, [90, 10], Preprocessing(*fields[:-1], (7.0,)), None) != before
    assert identity(spec, [90, 11], Preprocessing(*fields), None) != before
    assert identity(spec, [90, 10], Preprocessing(*fields), "some weights") != before
    assert identity(TrainSpec.model_validate(spec.model_dump()), [90, 10], Preprocessing(*fields), None) == before
