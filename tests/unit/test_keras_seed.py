"""The default CNN is the seed's Keras model: the same shapes, parameters and, with the same weights, the same logits.

What Keras said is in keras_seed.json, which ``python -m benchmarks.seed_oracle`` wrote.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from benchmarks.seed_oracle import inputs, sha256, weights
from core.plan import Plan, Sample, make
from core.specs import TrainSpec
from models.export import export
from models.networks import build

KINDS = {"Conv2D": "conv", "MaxPooling2D": "max_pool", "Flatten": "flatten", "Dense": "dense"}


@pytest.fixture(scope="module")
def oracle() -> dict[str, Any]:
    """What Keras said."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("keras_seed.json").read_text())
    return found


@pytest.fixture(scope="module")
def plan() -> Plan:
    """That of a request which asks for nothing but a CNN."""
    return make(TrainSpec.model_validate({"network": {"family": "cnn"}}), Sample("image", (28, 28, 1), 10))


def ported() -> dict[str, torch.Tensor]:
    """Keras's weights, by the names and in the layout of PyTorch."""
    first, first_bias, second, second_bias, dense, dense_bias, head, head_bias = map(torch.from_numpy, weights())
    return {
        "0.weight": first.permute(3, 2, 0, 1),
        "0.bias": first_bias,
        "3.weight": second.permute(3, 2, 0, 1),
        "3.bias": second_bias,
        # Keras flattens pixel by pixel, we channel by channel
        "7.weight": dense.reshape(5, 5, 64, 128).permute(3, 2, 0, 1).reshape(128, 1600),
        "7.bias": dense_bias,
        "9.weight": head.T,
        "9.bias": head_bias,
    }


def test_shapes_and_parameters(oracle: dict[str, Any], plan: Plan) -> None:
    ours = [[layer.kind, *layer.output] for layer in plan.layers if layer.kind != "activation"]
    assert ours == [[KINDS[name], *shape] for name, *shape in oracle["layers"]]
    assert plan.parameters == oracle["parameters"] == 225_034
    assert sum(value.numel() for value in build(plan).parameters()) == 225_034


def test_logits(oracle: dict[str, Any], plan: Plan) -> None:
    assert sha256(weights()) == oracle["weights_sha256"], "the weights are made otherwise: run benchmarks.seed_oracle"
    assert sha256([inputs()]) == oracle["inputs_sha256"], "the inputs are made otherwise: run benchmarks.seed_oracle"
    wanted, state = np.array(oracle["logits"]), {name: value.contiguous() for name, value in ported().items()}
    assert wanted.shape == (16, 10) and np.ptp(wanted, axis=0).min() > 0.1  # the digits are told apart
    network = build(plan).eval()
    network.load_state_dict(state)
    with torch.no_grad():
        logits = network(torch.from_numpy(inputs())).numpy()
    assert np.abs(logits - wanted).max() < 1e-5
    session = onnxruntime.InferenceSession(export(plan, state))
    (answered,) = session.run(["logits"], {"input": inputs()})
    assert np.abs(answered - wanted).max() < 1e-5
