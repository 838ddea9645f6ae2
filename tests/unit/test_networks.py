"""The networks against formulas, finite differences and plain PyTorch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from core.plan import Plan, Sample, make
from core.specs import TrainSpec
from models.networks import build
from models.networks.elman import Elman
from models.networks.gru import Gru

SAMPLE = Sample("image", (6, 5, 2), 3)


def plan_of(network: dict[str, Any], sample: Sample = SAMPLE) -> Plan:
    return make(TrainSpec.model_validate({"network": network}), sample)


def test_elman_is_its_formula() -> None:
    torch.manual_seed(1)
    layer = Elman(4, 3).double()
    w, u, b = (layer.get_parameter(name) for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"))
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    for sample, states in zip(x, layer(x), strict=True):
        h = torch.zeros(3, dtype=torch.float64)
        for step in range(5):
            h = torch.tanh(w @ sample[step] + u @ h + b)
            torch.testing.assert_close(states[step], h, rtol=0, atol=1e-15)


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_elman_and_its_gradients_equal_torchs(bidirectional: bool, steps: int) -> None:
    torch.manual_seed(2)
    ours = Elman(4, 6, layers=2, bidirectional=bidirectional).double()
    theirs = nn.RNN(4, 6, 2, batch_first=True, bidirectional=bidirectional).double()
    # PyTorch has a second bias that does the same work; ours are loaded by name
    theirs.load_state_dict({name: torch.zeros_like(value) for name, value in theirs.named_parameters()})
    theirs.load_state_dict(ours.state_dict(), strict=False)
    inputs = torch.randn(3, steps, 4, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(3, steps, 12 if bidirectional else 6, dtype=torch.float64)
    results = []
    for module, states in ((ours, ours(inputs)), (theirs, theirs(inputs)[0])):
        parameters = [module.get_parameter(name) for name, _ in ours.named_parameters()]
        results.append([states, *torch.autograd.grad((states * upstream).sum(), [inputs, *parameters])])
    for mine, wanted in zip(*results, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_gru_and_its_gradients_equal_torchs(bidirectional: bool, steps: int) -> None:
    torch.manual_seed(2)
    shape = {"num_layers": 2, "batch_first": True, "bidirectional": bidirectional}
    ours, theirs = Gru(4, 6, **shape).double(), nn.GRU(4, 6, **shape).double()
    theirs.load_state_dict(ours.state_dict())
    inputs = torch.randn(3, steps, 4, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(3, steps, 12 if bidirectional else 6, dtype=torch.float64)
    results = []
    for module, states in ((ours, ours(inputs)), (theirs, theirs(inputs)[0])):
        results.append([states, *torch.autograd.grad((states * upstream).sum(), [inputs, *module.parameters()])])
    for mine, wanted in zip(*results, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-12, atol=1e-13)


def test_states_hardly_differ_from_torchs_in_fp32_however_many_steps() -> None:
    """Ours take the tanh by way of the sigmoid, which rounds otherwise."""
    torch.manual_seed(4)
    ours, theirs, inputs = Gru(8, 64, batch_first=True), nn.GRU(8, 64, batch_first=True), torch.randn(4, 500, 8)
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(inputs), theirs(inputs)[0], rtol=0, atol=2e-6)


@pytest.mark.parametrize(("ours", "theirs"), [(Elman, nn.RNN), (partial(Gru, batch_first=True), nn.GRU)])
def test_large_products_give_torchs_states_and_gradients(
    ours: Callable[..., nn.Module], theirs: Callable[..., nn.Module]
) -> None:
    """From some size on products are made by another library, and a backward pass goes in blocks of steps."""
    torch.manual_seed(5)
    mine, its = ours(60, 128, bidirectional=True), theirs(60, 128, bidirectional=True, batch_first=True).double()
    its.load_state_dict({name: torch.zeros_like(value) for name, value in its.named_parameters()})
    its.load_state_dict(mine.state_dict(), strict=False)
    inputs, upstream = torch.randn(150, 20, 60, requires_grad=True), torch.randn(150, 20, 256)
    wanted = inputs.detach().double().requires_grad_()
    states, expected = mine(inputs), its(wanted)[0]
    torch.testing.assert_close(states.double(), expected, rtol=0, atol=2e-6)
    names = [name for name, _ in mine.named_parameters()]
    found = torch.autograd.grad((states * upstream).sum(), [inputs, *mine.parameters()])
    parameters = [its.get_parameter(name) for name in names]
    for one, other in zip(found, torch.autograd.grad((expected * upstream).sum(), [wanted, *parameters]), strict=True):
        assert (one - other).norm() <= 1e-6 * other.norm()


@pytest.mark.parametrize("cell", [Elman, partial(Gru, batch_first=True)])
def test_a_cell_in_bf16_stays_near_fp32(cell: Callable[[int, int], nn.Module]) -> None:
    torch.manual_seed(3)
    layer, inputs = cell(8, 16), torch.randn(4, 6, 8)
    exact = layer(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        rough = layer(inputs)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.03)
    (gradient,) = torch.autograd.grad(rough.float().sum(), [layer.get_parameter("weight_hh_l0")])
    assert gradient.dtype == torch.float32


GRADIENT_CASES = [
    {
        "family": "cnn",
        "stages": [
            {
                "channels": 4,
                "norm": norm,
                "activation": activation,
                "pool": pool,
                "residual_blocks": 1,
                "padding": "same",
            }
        ],
        "hidden": [5],
        "activation": "gelu",
        "global_pool": final,
    }
    for norm, activation, pool, final in (
        ("none", "tanh", "max", "none"),
        ("batch", "silu", "average", "average"),
        ("group", "gelu", "none", "max"),
        ("none", "leaky_relu", "max", "none"),
    )
] + [
    {
        "family": "rnn",
        "cell": cell,
        "hidden": 4,
        "layers": 2,
        "bidirectional": True,
        "readout": readout,
        "dense": [3],
        "activation": "tanh",
    }
    for cell, readout in (("elman", "last"), ("elman", "mean"), ("gru", "max"), ("lstm", "last"))
]


@pytest.mark.parametrize("network", GRADIENT_CASES, ids=lambda network: "-".join(map(str, network.values()))[:60])
def test_gradients_equal_finite_differences(network: dict[str, Any]) -> None:
    torch.manual_seed(4)
    module = build(plan_of(network)).double()
    names = [name for name, _ in module.named_parameters()]
    inputs, targets = torch.randn(3, *SAMPLE.shape, dtype=torch.float64), torch.tensor([0, 2, 1])

    def loss(*parameters: Tensor) -> Tensor:
        logits = functional_call(module, dict(zip(names, parameters, strict=True)), (inputs,))
        return nn.functional.cross_entropy(logits, targets)

    # fast: each parameter tensor along a random direction; a step of 1e-6 moves no maximum to another place
    assert torch.autograd.gradcheck(loss, tuple(module.parameters()), eps=1e-6, atol=1e-7, fast_mode=True)


def test_the_seed_networks_weights_load_into_plain_pytorch() -> None:
    module = build(plan_of({"family": "cnn"}, Sample("image", (28, 28, 1), 10))).eval()
    plain = nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, 10)),
    )
    plain.load_state_dict(module.state_dict())
    images = torch.randn(4, 1, 28, 28)
    torch.testing.assert_close(module(images.permute(0, 2, 3, 1)), plain(images), rtol=1e-5, atol=1e-6)


def test_readouts_take_the_ends_the_mean_and_the_maximum() -> None:
    def readout(kind: str) -> Tensor:
        module = build(plan_of({"family": "rnn", "hidden": 3, "bidirectional": True, "readout": kind})).eval()
        states = torch.arange(2 * 6 * 6.0).view(2, 6, 6)
        vector: Tensor = module[2](states)
        return vector

    states = torch.arange(2 * 6 * 6.0).view(2, 6, 6)
    assert readout("last").equal(torch.cat((states[:, 5, :3], states[:, 0, 3:]), 1))
    assert readout("mean").equal(states.mean(1))
    assert readout("max").equal(states.amax(1))


def test_a_residual_block_adds_its_input() -> None:
    stage = {"channels": 4, "padding": "same", "pool": "none", "residual_blocks": 1, "activation": "tanh"}
    module = build(plan_of({"family": "cnn", "stages": [stage]}))
    block = module[2]
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
    inputs = torch.randn(2, 4, 6, 5)
    assert block(inputs).equal(torch.tanh(inputs))


def test_dropout_acts_in_training_only() -> None:
    network = {
        "family": "cnn",
        "stages": [{"channels": 4, "dropout": 0.5}],
        "dropout": 0.5,
        "hidden": [],
    }
    plan = plan_of(network)
    assert [layer.kind for layer in plan.layers].count("dropout") == 2
    for described in (network, {"family": "rnn", "hidden": 8, "layers": 2, "dropout": 0.5}):
        module, inputs = build(plan_of(described)), torch.randn(2, *SAMPLE.shape)
        assert not module(inputs).equal(module(inputs))
        module.eval()
        assert module(inputs).equal(module(inputs))
