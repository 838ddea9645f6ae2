"""Sequences of several lengths: a sample's logits, gradients and training know nothing of padding or of company."""

import itertools
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from core.plan import Plan, Sample, make
from core.specs import TrainSpec
from models.evaluate import predict
from models.export import export, verify
from models.networks import Network, build

SAMPLE = Sample("series", (9, 4), 3, (1, 9))
TEXTS = Sample("text", (), 3, (1, 9), 7)
LENGTHS = torch.tensor([4, 1, 9, 6, 9, 2])
CELLS = ("elman", "gru", "lstm")
NETWORKS: list[dict[str, Any]] = [
    {
        "family": "rnn",
        "cell": cell,
        "hidden": 5,
        "layers": layers,
        "bidirectional": bidirectional,
        "readout": readout,
        "dense": [4],
    }
    for cell, layers, bidirectional, readout in itertools.product(CELLS, (1, 2), (False, True), ("last", "mean", "max"))
]
each_network = pytest.mark.parametrize("body", NETWORKS, ids=lambda body: "-".join(map(str, list(body.values())[1:6])))


def network_of(body: dict[str, Any], sample: Sample = SAMPLE) -> tuple[Plan, Network]:
    plan = make(TrainSpec.model_validate({"network": body}), sample)
    torch.manual_seed(6)
    return plan, build(plan)


def padded(lengths: Tensor, steps: int = 9, *, fill: float = 0.0) -> Tensor:
    """The same sequences with every ``fill`` behind their ends."""
    values = torch.randn(len(lengths), steps, 4, generator=torch.Generator().manual_seed(7))
    return values.masked_fill((torch.arange(steps) >= lengths[:, None])[..., None], fill)


@each_network
@torch.no_grad()
def test_logits_are_the_same_alone_padded_and_in_any_batch(body: dict[str, Any]) -> None:
    network = network_of(body)[1].eval()
    inputs = padded(LENGTHS)
    alone = torch.cat([network(one[None, :length]) for one, length in zip(inputs, LENGTHS, strict=True)])
    for logits in (
        network(inputs, LENGTHS),
        network(padded(LENGTHS, fill=1e6), LENGTHS),
        network(nn.functional.pad(inputs, (0, 0, 0, 30)), LENGTHS),
        network(inputs.flip(0), LENGTHS.flip(0)).flip(0),
        predict(network, inputs, None, LENGTHS),
    ):
        torch.testing.assert_close(logits, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("readout", ["last", "mean", "max"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_states_and_gradients_are_those_of_packed_torch(cell: str, bidirectional: bool, readout: str) -> None:
    body = {"family": "rnn", "cell": cell, "hidden": 5, "layers": 2, "bidirectional": bidirectional, "readout": readout}
    network = network_of(body)[1].double()
    ours, dense = network[0], network[-1]
    theirs = {"elman": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell](
        4, 5, 2, batch_first=True, bidirectional=bidirectional
    ).double()
    theirs.load_state_dict({name: torch.zeros_like(value) for name, value in theirs.named_parameters()})
    theirs.load_state_dict(ours.state_dict(), strict=False)
    results = []
    for module in (ours, theirs):
        inputs = padded(LENGTHS).double().requires_grad_()
        if module is ours:
            logits = network(inputs, LENGTHS)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
            states, ends = theirs(packed)
            ends = ends[0] if cell == "lstm" else ends
            rows, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
            real = [one[:length] for one, length in zip(rows, LENGTHS, strict=True)]
            vectors = {
                "last": torch.cat((ends[-2], ends[-1]), 1) if bidirectional else ends[-1],
                "mean": torch.stack([one.mean(0) for one in real]),
                "max": torch.stack([one.amax(0) for one in real]),
            }
            logits = dense(vectors[readout])
        names = [name for name, _ in ours.named_parameters()]
        gradients = torch.autograd.grad(logits.square().sum(), [inputs, *(module.get_parameter(n) for n in names)])
        results.append([logits, *gradients])
    for mine, wanted in zip(*results, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("sample", [SAMPLE, TEXTS], ids=["series", "text"])
@pytest.mark.parametrize(("cell", "readout"), [("elman", "last"), ("elman", "max"), ("gru", "mean"), ("lstm", "last")])
def test_gradients_equal_finite_differences(cell: str, readout: str, sample: Sample) -> None:
    body = {"family": "rnn", "cell": cell, "hidden": 4, "layers": 2, "bidirectional": True, "readout": readout}
    module = network_of(body, sample)[1].double()
    names = [name for name, _ in module.named_parameters()]
    inputs = padded(LENGTHS).double() if sample is SAMPLE else torch.randint(0, 7, (6, 9), dtype=torch.int32)
    targets = torch.tensor([0, 2, 1, 1, 0, 2])

    def loss(*parameters: Tensor) -> Tensor:
        logits = functional_call(module, dict(zip(names, parameters, strict=True)), (inputs, LENGTHS))
        return nn.functional.cross_entropy(logits, targets)

    assert torch.autograd.gradcheck(loss, tuple(module.parameters()), eps=1e-6, atol=1e-7, fast_mode=True)


@each_network
@pytest.mark.parametrize("sample", [SAMPLE, TEXTS], ids=["series", "text"])
def test_onnx_runtime_agrees_with_torch(body: dict[str, Any], sample: Sample) -> None:
    plan, network = network_of(body, sample)
    assert verify(export(plan, network.state_dict()), network, plan) is None


@pytest.mark.parametrize("readout", ["last", "mean", "max"])
def test_the_graph_looks_at_the_lengths(readout: str) -> None:
    """The control: the comparison above can fail."""
    plan, network = network_of({"family": "rnn", "bidirectional": True, "readout": readout})
    session: Any = onnxruntime.InferenceSession(export(plan, network.state_dict()), providers=["CPUExecutionProvider"])
    inputs = padded(torch.tensor([9])).numpy()
    answers = [
        session.run(["logits"], {"input": inputs, "lengths": np.array([length], np.int64)})[0] for length in (9, 5)
    ]
    assert np.abs(answers[0] - answers[1]).max() > 1e-3


@pytest.mark.parametrize("readout", ["last", "mean", "max"])
@pytest.mark.parametrize("cell", CELLS)
def test_bf16_stays_near_fp32(cell: str, readout: str) -> None:
    network = network_of(
        {"family": "rnn", "cell": cell, "hidden": 16, "layers": 2, "bidirectional": True, "readout": readout}
    )[1]
    inputs = padded(LENGTHS)
    exact = network(inputs, LENGTHS)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(inputs, LENGTHS)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.03)
