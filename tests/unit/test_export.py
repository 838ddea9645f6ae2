"""The ONNX file answers as torch does, for every layer that a spec can ask for."""

import itertools
from typing import Any

import onnx
import pytest
import torch

from core.plan import Plan, Sample, make
from core.specs import TrainSpec
from models.export import export, verify
from models.networks import Network, build

SAMPLE = Sample("image", (12, 10, 3), 5)
SERIES = Sample("series", (12, 3), 5)
CNNS: list[dict[str, Any]] = [
    {
        "family": "cnn",
        "stages": [
            {
                "channels": 12,
                "norm": norm,
                "activation": activation,
                "pool": pool,
                "residual_blocks": 1,
                "padding": padding,
                "dropout": 0.1,
            }
        ],
        "global_pool": final,
        "hidden": hidden,
        "activation": activation,
        "dropout": 0.2,
    }
    for (norm, activation, pool), (padding, final, hidden) in zip(
        itertools.product(
            ("none", "batch", "group"),
            ("relu", "leaky_relu", "gelu", "silu", "tanh"),
            ("none", "max", "average"),
        ),
        itertools.cycle(
            [("same", "none", [7]), ("valid", "average", []), ("valid", "max", [6, 5]), ("same", "max", [])]
        ),
        strict=False,
    )
]
STRIDED = {"family": "cnn", "stages": [{"channels": 3, "kernel": 4, "stride": 2}, {"channels": 5, "kernel": 1}]}
RNNS: list[dict[str, Any]] = [
    {
        "family": "rnn",
        "cell": cell,
        "layers": layers,
        "bidirectional": bidirectional,
        "readout": readout,
        "hidden": 9,
        "dense": [4],
        "dropout": 0.2,
    }
    for cell, layers, bidirectional, readout in itertools.product(
        ("elman", "gru", "lstm"), (1, 2), (False, True), ("last", "mean", "max")
    )
]


def network_of(body: dict[str, Any], sample: Sample = SAMPLE) -> tuple[Plan, Network]:
    plan = make(TrainSpec.model_validate({"network": body}), sample)
    torch.manual_seed(0)
    network = build(plan)
    for name, buffer in network.named_buffers():  # as if trained: running statistics that are not 0 and 1
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 2) if name.endswith("var") else buffer.normal_()
    return plan, network


@pytest.mark.parametrize("body", [*CNNS, STRIDED, *RNNS], ids=lambda body: str(list(body.values()))[:90])
def test_onnx_runtime_agrees_with_torch(body: dict[str, Any]) -> None:
    plan, network = network_of(body)
    assert verify(export(plan, network.state_dict()), network, plan) is None


@pytest.mark.parametrize("body", RNNS, ids=lambda body: str(list(body.values()))[:90])
def test_onnx_runtime_agrees_with_torch_on_series(body: dict[str, Any]) -> None:
    plan, network = network_of(body, SERIES)
    assert verify(export(plan, network.state_dict()), network, plan) is None


def test_the_file_is_the_same_every_time_and_says_what_it_reads() -> None:
    plan, network = network_of({"family": "cnn"})
    content = export(plan, network.state_dict())
    assert content == export(plan, network.state_dict())
    graph = onnx.load_from_string(content).graph
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {"input": ["batch", 12, 10, 3], "logits": ["batch", 5]}


@pytest.mark.parametrize("body", [CNNS[0], RNNS[0]], ids=["cnn", "rnn"])
def test_the_gate_notices_one_wrong_weight(body: dict[str, Any]) -> None:
    plan, network = network_of(body)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    weights[f"{plan.layers[-1].name}.bias"][0] += 1e-3
    reason = verify(export(plan, weights), network, plan)
    assert reason is not None and "differ by 0.001" in reason


def test_a_network_too_large_for_one_file_is_refused_in_a_sentence() -> None:
    network = {"family": "rnn", "dense": [65536, 65536]}
    plan = make(TrainSpec.model_validate({"network": network}), SAMPLE)
    with pytest.raises(ValueError, match="at most 2 GB"):
        export(plan, {})


def test_the_gate_notices_a_graph_that_does_not_run() -> None:
    plan, network = network_of(CNNS[0])
    other = make(TrainSpec.model_validate({"network": CNNS[0]}), Sample("image", (20, 20, 3), 5))
    assert "cannot run" in (verify(export(other, build(other).state_dict()), network, plan) or "")


def test_the_gate_notices_a_broken_file_and_nan() -> None:
    plan, network = network_of(RNNS[0])
    content = export(plan, network.state_dict())
    assert "cannot load" in (verify(content[: len(content) // 2], network, plan) or "")
    weights = {name: value * float("nan") for name, value in network.state_dict().items()}
    assert "differ by nan" in (verify(export(plan, weights), network, plan) or "")
