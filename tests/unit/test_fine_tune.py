"""Starting from trained weights: what is taken over, what is fresh, that resume stays exact, and what is refused."""

from typing import Any

import pytest
import torch
from torch import Tensor

from core.plan import PlanError, Sample, make
from core.plan_start import check
from core.specs import TrainSpec
from models.checkpoint import Checkpoint, load_weights, save_weights
from models.data.splits import Dataset, Split
from models.events import Checkpointed, Finished, Metrics
from models.training import Start, fit
from models.training.run import Run

CPU = torch.device("cpu")
CNN: dict[str, Any] = {"family": "cnn", "stages": [{"channels": 6, "norm": "batch", "dropout": 0.1}], "hidden": [12]}
RULES: dict[str, Any] = {"batch_size": 25, "epochs": 2, "log_every": 2}


def spec_of(network: dict[str, Any] | None = None, seed: int = 3, **fields: Any) -> TrainSpec:
    return TrainSpec.model_validate({"network": network or CNN, "hyperparameters": RULES, "seed": seed, **fields})


@pytest.fixture(scope="module")
def trained(digits: Dataset) -> dict[str, Tensor]:
    """The weights of a network that knows the digits."""
    *_, end = fit(spec_of(seed=1), digits, threads=1)
    assert isinstance(end, Finished)
    return end.best.weights


@pytest.fixture(scope="module")
def parity(few_digits: Dataset) -> Dataset:
    """The same images, told apart by being odd or even."""
    parts = [Split(part.inputs, part.targets % 2) for part in (few_digits.train, few_digits.test)]
    return Dataset(parts[0], parts[1], {**few_digits.manifest, "classes": ["even", "odd"]})


def story(spec: TrainSpec, dataset: Dataset, **options: Any) -> tuple[list[Any], dict[str, bytes]]:
    events = list(fit(spec, dataset, threads=1, **options))
    last = [event for event in events if isinstance(event, Checkpointed)][-1].checkpoint
    metrics = [[event.step, event.values] for event in events if isinstance(event, Metrics)]
    return metrics, {name: value.numpy().tobytes() for name, value in {**last.weights, **last.state}.items()}


def first_validation(metrics: list[Any]) -> float:
    return float(next(values["validation_accuracy"] for _, values in metrics if "validation_accuracy" in values))


def test_equal_classes_keep_the_whole_network(few_digits: Dataset, trained: dict[str, Tensor]) -> None:
    run = Run(spec_of(), few_digits, 1, CPU, Start(trained, keep_head=True))
    own = run.network.state_dict()
    assert own.keys() == trained.keys() and all(torch.equal(own[name], trained[name]) for name in own)
    scratch, tuned = (story(spec_of(), few_digits, start=start)[0] for start in (None, Start(trained, keep_head=True)))
    assert first_validation(tuned) > first_validation(scratch) + 0.2


def test_other_classes_get_a_fresh_head_and_all_else_stays(parity: Dataset, trained: dict[str, Tensor]) -> None:
    run = Run(spec_of(), parity, 1, CPU, Start(trained, keep_head=False))
    scratch = Run(spec_of(), parity, 1, CPU).network.state_dict()
    head = f"{len(run.network) - 1}."
    for name, value in run.network.state_dict().items():
        assert torch.equal(value, scratch[name] if name.startswith(head) else trained[name]), name
    assert not any(torch.equal(scratch[f"{layer}.weight"], trained[f"{layer}.weight"]) for layer in (0, 6))


@pytest.mark.parametrize("keep_head", [True, False])
def test_a_resumed_fine_tuning_is_the_undisturbed_one_in_every_bit(
    few_digits: Dataset, parity: Dataset, trained: dict[str, Tensor], keep_head: bool, tmp_path: Any
) -> None:
    dataset = few_digits if keep_head else parity
    start = Start(trained, keep_head)
    whole = story(spec_of(), dataset, start=start)
    read = Start(load_weights(save_weights(trained, tmp_path / "start.safetensors")), keep_head)
    for step in (1, 4, 7):
        found = interrupted(dataset, start, step)
        resumed = story(spec_of(), dataset, start=read, resume=found)
        assert resumed == ([metric for metric in whole[0] if metric[0] > step], whole[1])


def test_a_checkpoint_of_another_start_is_refused(few_digits: Dataset, trained: dict[str, Tensor]) -> None:
    found = interrupted(few_digits, Start(trained, keep_head=True), 2)
    other = {name: value + 1 for name, value in trained.items()}
    for start in (None, Start(other, keep_head=True), Start(trained, keep_head=False)):
        with pytest.raises(ValueError, match="belongs to another training"):
            list(fit(spec_of(), few_digits, threads=1, start=start, resume=found))


def interrupted(dataset: Dataset, start: Start, step: int) -> Checkpoint:
    steps = iter(range(1, step + 1))
    events = list(fit(spec_of(), dataset, threads=1, start=start, pause=lambda: next(steps) == step))
    return [event for event in events if isinstance(event, Checkpointed)][-1].checkpoint


def test_weights_of_another_network_are_refused(parity: Dataset, trained: dict[str, Tensor]) -> None:
    less = {name: value for name, value in trained.items() if name != "0.weight"}
    with pytest.raises(ValueError, match="another network"):
        Run(spec_of(), parity, 1, CPU, Start(less, keep_head=False))


def test_a_head_of_another_size_is_not_kept(parity: Dataset, trained: dict[str, Tensor]) -> None:
    run, random = Run(spec_of(), parity, 1, CPU, Start(trained, keep_head=True)), Run(spec_of(), parity, 1, CPU)
    started, untrained = run.network.state_dict(), random.network.state_dict()
    assert torch.equal(started["0.weight"], trained["0.weight"])
    head = next(name for name in reversed(untrained) if name.endswith("weight"))
    assert torch.equal(started[head], untrained[head])


def test_a_file_that_holds_no_weights_is_named(tmp_path: Any) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=str(path)):
        load_weights(path)


IMAGE = Sample("image", (8, 8, 1), 10)
RNN: dict[str, Any] = {"family": "rnn", "cell": "gru", "hidden": 8, "layers": 2, "dropout": 0.1}


@pytest.mark.parametrize(
    ("network", "sample", "pointer", "words"),
    [
        ({**CNN, "stages": [{"channels": 7, "norm": "batch", "dropout": 0.1}]}, IMAGE, "#/network", "conv 1 to 7"),
        ({**CNN, "hidden": [12, 12]}, IMAGE, "#/network", "dense 12 to 12 and is dense 12 to the classes in digits:1"),
        ({**CNN, "activation": "tanh"}, IMAGE, "#/network", "function tanh"),
        ({**CNN, "stages": [{"channels": 6, "norm": "batch"}]}, IMAGE, "#/network", "would be flatten"),
        (CNN, Sample("image", (8, 8, 3), 10), "#/dataset", "8x8x3 numbers and those of digits:1 are 8x8x1"),
        (CNN, Sample("image", (12, 12, 1), 10), "#/network", "layer 5 would be flatten 6 to 150"),
    ],
)
def test_other_networks_and_samples_do_not_fit(
    network: dict[str, Any], sample: Sample, pointer: str, words: str
) -> None:
    with pytest.raises(PlanError, match=words) as caught:
        check(make(spec_of(network), sample), make(spec_of(), IMAGE), "digits:1")
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("before", "after", "samples"),
    [
        (CNN, {**CNN, "stages": [{"channels": 6, "norm": "batch", "dropout": 0.6}]}, (IMAGE, IMAGE)),
        (CNN, CNN, (IMAGE, Sample("image", (8, 8, 1), 3))),
        (
            {**CNN, "global_pool": "average"},
            {**CNN, "global_pool": "average"},
            (IMAGE, Sample("image", (20, 24, 1), 10)),
        ),
        (RNN, {**RNN, "dropout": 0.5}, (Sample("series", (9, 2), 4), Sample("series", (30, 2), 5))),
    ],
    ids=["dropout", "classes", "size under a global pool", "time and dropout"],
)
def test_what_does_not_change_the_weights_may_differ(
    before: dict[str, Any], after: dict[str, Any], samples: tuple[Sample, Sample]
) -> None:
    check(make(spec_of(after), samples[1]), make(spec_of(before), samples[0]), "digits:1")
