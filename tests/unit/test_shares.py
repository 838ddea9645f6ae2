"""Shares: threads that train on parts of a batch change neither what is computed nor that it can be repeated."""

from typing import Any

import pytest
import torch

from core.specs import TrainSpec
from models.data.splits import Dataset
from models.events import Checkpointed, Event
from models.training import fit
from models.training.run import Run

CPU = torch.device("cpu")
CNN = {"family": "cnn", "stages": [{"channels": 4}], "hidden": [8]}


def rnn(cell: str, **options: Any) -> dict[str, Any]:
    return {"family": "rnn", "cell": cell, "hidden": 8, **options}


def spec_of(network: dict[str, Any], **rules: Any) -> TrainSpec:
    return TrainSpec.model_validate({"network": network, "hyperparameters": {"epochs": 2, **rules}, "seed": 3})


def gradients(dataset: Dataset, spec: TrainSpec, threads: int) -> tuple[Run, list[torch.Tensor]]:
    """A run after its first step, and the gradients of that step."""
    run = Run(spec, dataset, threads, CPU)
    run.network.train()
    run.step()
    return run, [parameter.grad for parameter in run.network.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("network", [CNN, rnn("elman"), rnn("gru", layers=2, bidirectional=True), rnn("lstm")])
@pytest.mark.parametrize(
    "rules", [{"batch_size": 50}, {"batch_size": 49, "accumulate": 2}, {"optimizer": {"name": "gd"}}]
)
def test_the_gradient_is_that_of_the_whole_batch(
    few_digits: Dataset, network: dict[str, Any], rules: dict[str, Any]
) -> None:
    alone, wanted = gradients(few_digits, spec_of(network, **rules), 1)
    shared, found = gradients(few_digits, spec_of(network, **rules), 3)
    assert (alone.shares.count, shared.shares.count) == (1, 3)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-7)
    assert [gradient.stride() for gradient in found] == [weight.stride() for weight in shared.network.parameters()]
    assert shared.sums.reported.item() == alone.sums.reported.item()
    assert shared.sums.loss.item() == pytest.approx(alone.sums.loss.item(), rel=1e-6)
    assert shared.sums.weight.item() == alone.sums.weight.item()


@pytest.mark.parametrize(
    "network",
    [
        {"family": "cnn", "stages": [{"channels": 4, "norm": "batch"}]},
        {"family": "cnn", "stages": [{"channels": 4, "residual_blocks": 1, "norm": "batch"}]},
        {"family": "cnn", "stages": [{"channels": 4}], "dropout": 0.5},
        rnn("lstm", layers=2, dropout=0.5),
    ],
)
def test_what_mixes_samples_or_draws_numbers_is_not_shared(few_digits: Dataset, network: dict[str, Any]) -> None:
    assert Run(spec_of(network), few_digits, 3, CPU).shares.count == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_a_large_share_of_a_cnn_goes_in_pieces(few_digits: Dataset, threads: int) -> None:
    wide = {"family": "cnn", "stages": [{"channels": 1024, "padding": "same"}], "hidden": [8]}
    spec = spec_of(wide, batch_size=128)
    whole = Run(spec, few_digits, 1, CPU)
    assert 16 <= whole.shares.piece < 64
    whole.shares.piece = 128
    whole.step()
    pieces, found = gradients(few_digits, spec, threads)
    wanted = [parameter.grad for parameter in whole.network.parameters() if parameter.grad is not None]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-7)
    assert pieces.sums.reported.item() == whole.sums.reported.item()
    assert pieces.sums.loss.item() == pytest.approx(whole.sums.loss.item(), rel=1e-6)


def test_few_samples_are_not_shared(few_digits: Dataset) -> None:
    assert Run(spec_of(CNN, batch_size=31), few_digits, 4, CPU).shares.count == 1
    assert Run(spec_of(CNN, batch_size=64), few_digits, 16, CPU).shares.count == 4


def test_the_gradients_of_a_large_network_are_kept_once(few_digits: Dataset) -> None:
    large = {"family": "cnn", "stages": [{"channels": 4}], "hidden": [3000, 3000]}
    assert Run(spec_of(large, batch_size=64), few_digits, 4, CPU).shares.count == 1


@pytest.mark.parametrize("network", [CNN, rnn("gru"), rnn("elman")])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_shared_training_resumes_with_the_same_bits(
    few_digits: Dataset, network: dict[str, Any], precision: str
) -> None:
    spec = spec_of(network, batch_size=40, precision=precision)

    def weights(events: list[Event]) -> dict[str, torch.Tensor]:
        return [event.checkpoint.weights for event in events if isinstance(event, Checkpointed)][-1]

    whole = weights(list(fit(spec, few_digits, threads=2)))
    asked = iter(range(1, 10))
    first = list(fit(spec, few_digits, threads=2, pause=lambda: next(asked) == 3))
    (paused,) = [event.checkpoint for event in first if isinstance(event, Checkpointed)]
    rest = weights(list(fit(spec, few_digits, threads=2, resume=paused)))
    assert all(torch.equal(rest[name], value) for name, value in whole.items())
    assert paused.manifest["step"] == 3


def test_the_threads_of_an_operation_elsewhere_stay(few_digits: Dataset) -> None:
    gradients(few_digits, spec_of(CNN, batch_size=64), 2)
    assert torch.get_num_threads() == 2
