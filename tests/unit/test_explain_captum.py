"""Our explanations of a small function against Captum's (benchmarks/explain_oracle.py wrote them down)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.explain_oracle import PLAYERS, weights
from core.encode import Preprocessing
from core.explain import Explanation, Game, Method, Parts, divide, explain
from models.explain import integrated_gradients

CAPTUM = json.loads((Path(__file__).parent / "captum.json").read_text())
SAMPLE = np.ones((1, PLAYERS, 1), np.float32)
READS = Preprocessing("series", (PLAYERS, 1), None, "none", (0.0,), (1.0,))
PARTS = divide(READS, SAMPLE, Parts(segments=PLAYERS, baseline="zeros"))


class Function(nn.Module):
    """The function as a network: series [N, 8, 1] -> logits [N, 3]."""

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        first, second = map(torch.from_numpy, weights())
        logits: Tensor = (inputs[..., 0].double() @ first).tanh() @ second
        return logits


def ours(method: Method, samples: int | None = None) -> Explanation:
    def output(series: Any) -> Any:
        return Function()(torch.from_numpy(series)).softmax(1)[:, 0].numpy()

    return explain(method, Game(PARTS, output), samples, 0)


@pytest.mark.parametrize(
    ("method", "samples", "tolerance"),
    [
        ("exact_shapley", None, 2e-4),  # theirs adds up 8! orders in 32 bits
        ("occlusion", None, 1e-6),
        ("kernel_shap", 1024, 0.01),  # theirs is sampled, ours asks about all coalitions
        ("lime", 20_000, 0.01),  # both are sampled, and ours is a ridge regression
    ],
)
def test_values_are_those_of_captum(method: Method, samples: int | None, tolerance: float) -> None:
    found = ours(method, samples)
    assert np.abs(found.values - np.array(CAPTUM[method])).max() < tolerance


def test_integrated_gradients_are_those_of_captum() -> None:
    network: Any = Function().eval()
    found = integrated_gradients(network, READS, SAMPLE, PARTS, 0, 64)
    assert np.abs(found.values - np.array(CAPTUM["integrated_gradients"])).max() < 1e-5
    assert abs(found.additivity_gap) < 1e-5
    assert found.samples == 66
