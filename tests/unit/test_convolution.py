"""Convolutions over series and texts: one length or several, a sample's answer knows nothing of padding or company."""

import itertools
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from core.plan import Plan, PlanError, Sample, make
from core.specs import TrainSpec
from models.evaluate import predict
from models.export import export, verify
from models.networks import Network, build

SERIES = Sample("series", (23, 4), 3, (1, 23))
TEXTS = Sample("text", (), 3, (1, 23), 7)
FIXED = Sample("series", (23, 4), 3)
LENGTHS = torch.tensor([11, 1, 23, 14, 23, 3])
STAGES: list[list[dict[str, Any]]] = [
    [
        {"channels": 6, "kernel": 5, "padding": "same", "pool": pool, "norm": norm, "activation": activation},
        {"channels": 8, "kernel": 3, "stride": 2, "pool": "none", "norm": norm, "residual_blocks": 1, "dropout": 0.2},
    ]
    for norm, pool, activation in itertools.product(
        ("none", "batch", "group"), ("none", "max", "average"), ("leaky_relu", "silu")
    )
]
NETWORKS: list[dict[str, Any]] = [
    {"family": "cnn", "stages": stages, "global_pool": pool, "hidden": [5]}
    for stages, pool in zip(STAGES, itertools.cycle(("average", "max", "max", "average", "average")), strict=False)
] + [{"family": "cnn", "global_pool": "max"}]
each_network = pytest.mark.parametrize("body", NETWORKS, ids=lambda body: str(list(body.values())[1:])[:90])


def network_of(body: dict[str, Any], sample: Sample = SERIES) -> tuple[Plan, Network]:
    plan = make(TrainSpec.model_validate({"network": body}), sample)
    torch.manual_seed(6)
    network = build(plan)
    for name, buffer in network.named_buffers():  # as if trained: running statistics that are not 0 and 1
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 2) if name.endswith("var") else buffer.normal_()
    return plan, network


def padded(lengths: Tensor, steps: int = 23, *, fill: float = 0.0) -> Tensor:
    """The same sequences with every ``fill`` behind their ends."""
    values = torch.randn(len(lengths), steps, 4, generator=torch.Generator().manual_seed(7))
    return values.masked_fill((torch.arange(steps) >= lengths[:, None])[..., None], fill)


@each_network
@torch.no_grad()
def test_logits_are_the_same_alone_padded_and_in_any_batch(body: dict[str, Any]) -> None:
    plan, network = network_of(body)
    network.eval()
    inputs = padded(LENGTHS)
    known = [(one[None, :length], length[None]) for one, length in zip(inputs, LENGTHS, strict=True)]
    alone = torch.cat([network(one, length) for one, length in known])
    for index, (one, length) in enumerate(known):
        if length >= plan.least_steps:  # as if there were no lengths at all
            torch.testing.assert_close(network(one), alone[index : index + 1], rtol=0, atol=1e-5)
    for logits in (
        network(inputs, LENGTHS),
        network(padded(LENGTHS, fill=1e6), LENGTHS),
        network(nn.functional.pad(inputs, (0, 0, 0, 30)), LENGTHS),
        network(inputs.flip(0), LENGTHS.flip(0)).flip(0),
        predict(network, inputs, None, LENGTHS),
    ):
        torch.testing.assert_close(logits, alone, rtol=0, atol=1e-5)


@torch.no_grad()
def test_what_is_shorter_than_the_kernels_counts_as_filled_up_with_zeros() -> None:
    plan, network = network_of({"family": "cnn", "global_pool": "max"})
    assert plan.least_steps == 10
    inputs = padded(torch.tensor([3]))
    filled = network(inputs[:, :10], torch.tensor([10]))
    assert network(inputs[:, :3], torch.tensor([3])).allclose(filled, atol=1e-6)
    assert not network(inputs[:, :14], torch.tensor([14])).allclose(filled, atol=1e-4)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_a_normalisation_measures_the_real_steps(norm: str) -> None:
    """In training, against PyTorch's own layer over what is left when the padding is cut out."""
    stage = {"channels": 8, "kernel": 1, "norm": norm, "activation": "tanh", "pool": "none"}
    module = network_of({"family": "cnn", "stages": [stage], "global_pool": "average", "hidden": []})[1].double()
    lengths = torch.tensor([5, 1, 9])
    inputs = padded(lengths, 9, fill=9.0).double().requires_grad_()
    conv, layer, dense = module[0], module[1], module[-1]
    before = {name: buffer.clone() for name, buffer in layer.named_buffers()}
    real = [conv(one[None, :length].transpose(1, 2)[:, :, None]) for one, length in zip(inputs, lengths, strict=True)]
    if norm == "batch":
        flat = torch.cat(real, 3)
        normal = nn.functional.batch_norm(
            flat, before["running_mean"], before["running_var"], layer.weight, layer.bias, True, 0.1
        ).split(lengths.tolist(), 3)
    else:
        normal = [nn.functional.group_norm(one, layer.num_groups, layer.weight, layer.bias) for one in real]
    wanted = dense(torch.cat([one.tanh().mean((2, 3)) for one in normal]))
    module.train()
    found = module(inputs, lengths)
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
    for name, buffer in layer.named_buffers():
        if name != "num_batches_tracked":
            torch.testing.assert_close(buffer, before[name])
    results = [torch.autograd.grad(logits.square().sum(), [inputs, *module.parameters()]) for logits in (found, wanted)]
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("sample", [SERIES, TEXTS, FIXED], ids=["several lengths", "text", "one length"])
@pytest.mark.parametrize("body", NETWORKS[1:18:4], ids=lambda body: str(list(body.values())[1:])[:90])
def test_gradients_equal_finite_differences(body: dict[str, Any], sample: Sample) -> None:
    stages = [stage | {"activation": "tanh", "dropout": 0.0} for stage in body["stages"]]
    module = network_of(body | {"stages": stages, "activation": "tanh"}, sample)[1].double()
    names = [name for name, _ in module.named_parameters()]
    inputs = torch.randint(0, 7, (6, 23), dtype=torch.int32) if sample is TEXTS else padded(LENGTHS).double()
    known = () if sample is FIXED else (LENGTHS,)
    targets = torch.tensor([0, 2, 1, 1, 0, 2])

    def loss(*parameters: Tensor) -> Tensor:
        logits = functional_call(module, dict(zip(names, parameters, strict=True)), (inputs, *known))
        return nn.functional.cross_entropy(logits, targets)

    assert torch.autograd.gradcheck(loss, tuple(module.parameters()), eps=1e-6, atol=1e-7, fast_mode=True)


@each_network
@pytest.mark.parametrize("sample", [SERIES, TEXTS, FIXED], ids=["several lengths", "text", "one length"])
def test_onnx_runtime_agrees_with_torch(body: dict[str, Any], sample: Sample) -> None:
    plan, network = network_of(body, sample)
    assert verify(export(plan, network.state_dict()), network, plan) is None


@pytest.mark.parametrize("pool", ["average", "max"])
def test_the_graph_looks_at_the_lengths(pool: str) -> None:
    """The control: the comparison above can fail."""
    plan, network = network_of({"family": "cnn", "global_pool": pool})
    session: Any = onnxruntime.InferenceSession(export(plan, network.state_dict()), providers=["CPUExecutionProvider"])
    inputs = padded(torch.tensor([23])).numpy()
    answers = [
        session.run(["logits"], {"input": inputs, "lengths": np.array([length], np.int64)})[0] for length in (23, 12)
    ]
    assert np.abs(answers[0] - answers[1]).max() > 1e-3


def test_padding_of_texts_has_no_gradient() -> None:
    network = network_of({"family": "cnn", "global_pool": "max"}, TEXTS)[1]
    assert not network[0].weight[0].any()
    ids = torch.zeros((2, 23), dtype=torch.int32)
    ids[0, :12], ids[1, :5] = 3, 4
    network(ids, torch.tensor([12, 5])).square().sum().backward()
    gradient = network[0].weight.grad
    assert not gradient[0].any() and gradient[3].any() and gradient[4].any()


@pytest.mark.parametrize("body", NETWORKS[::4], ids=lambda body: str(list(body.values())[1:])[:90])
def test_bf16_stays_near_fp32(body: dict[str, Any]) -> None:
    network = network_of(body)[1].eval()
    inputs = padded(LENGTHS)
    exact = network(inputs, LENGTHS)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(inputs, LENGTHS)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, rtol=0.05, atol=0.05)


def test_a_series_through_the_network_is_plain_pytorch_in_one_dimension() -> None:
    stages = [
        {"channels": 6, "kernel": 5, "padding": "same", "norm": "batch", "pool": "average", "activation": "gelu"},
        {"channels": 8, "kernel": 4, "stride": 2, "pool_size": 3},
    ]
    plan, ours = network_of({"family": "cnn", "stages": stages, "hidden": [7]}, FIXED)
    plain = nn.Sequential(
        *(nn.Conv1d(4, 6, 5, padding=2, bias=False), nn.BatchNorm1d(6), nn.GELU(), nn.AvgPool1d(2)),
        *(nn.Conv1d(6, 8, 4, 2), nn.MaxPool1d(3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 7), nn.ReLU(), nn.Linear(7, 3)),
    )
    plain.load_state_dict({key: one[:, :, 0] if one.ndim == 4 else one for key, one in ours.state_dict().items()})
    inputs = padded(torch.full((6,), 23))
    torch.testing.assert_close(ours.eval()(inputs), plain.eval()(inputs.transpose(1, 2)), rtol=1e-5, atol=1e-6)
    assert [layer.output for layer in plan.layers[:6]] == [(23, 6), (23, 6), (23, 6), (11, 6), (4, 8), (1, 8)]


@pytest.mark.parametrize(
    ("network", "sample", "pointer", "says"),
    [
        ({}, SERIES, "#/network/global_pool", 'these series differ in length.* use global_pool "max" or "average"'),
        ({}, TEXTS, "#/network/global_pool", "these texts differ in length"),
        ({"stages": [{"channels": 2, "kernel": 24}]}, FIXED, "#/network/stages/0/kernel", "24 .* the 23 steps before"),
        (
            {"stages": [{"channels": 2, "kernel": 23}]},
            FIXED,
            "#/network/stages/0/pool_size",
            'the 1 step behind the convolution; use a smaller pool_size or pool "none"$',
        ),
        ({"embedding": 8}, FIXED, "#/network/embedding", "only the tokens of texts"),
    ],
)
def test_refusals_point_at_the_field_and_say_what_to_do(
    network: dict[str, Any], sample: Sample, pointer: str, says: str
) -> None:
    with pytest.raises(PlanError, match=says) as caught:
        make(TrainSpec.model_validate({"network": {"family": "cnn", **network}}), sample)
    assert caught.value.pointer == pointer


def test_batch_normalisation_of_what_varies_needs_two_samples() -> None:
    network = {"family": "cnn", "stages": [{"channels": 2, "norm": "batch"}], "global_pool": "max"}
    alone = {"network": network, "hyperparameters": {"batch_size": 1}}
    with pytest.raises(PlanError, match="a larger batch") as caught:
        make(TrainSpec.model_validate(alone), SERIES)
    assert caught.value.pointer == "#/hyperparameters/batch_size"
    assert make(TrainSpec.model_validate(alone), FIXED).least_batch == 1
