"""Explanations that look into the network: integrated gradients (Sundararajan, Taly & Yan 2017)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.encode import Preprocessing
from core.encode.text import UNKNOWN
from core.explain import Explanation, Players
from core.explain.owners import owners
from models.networks import Network

AT_ONCE = 32
"""Points of the path that are computed together."""


def outputs_of(network: Network, preprocessing: Preprocessing, samples: NDArray[Any]) -> NDArray[np.float32]:
    """Raw samples as ``Preprocessing.from_rows`` gives them -> what a network in evaluation mode says [N, ...]."""
    fed = {name: torch.from_numpy(value) for name, value in preprocessing.feed(samples).items()}
    with torch.inference_mode():
        outputs: NDArray[np.float32] = network(fed["input"], fed.get("lengths")).numpy()
    return outputs


def integrated_gradients(
    network: Network,
    preprocessing: Preprocessing,
    sample: NDArray[Any],
    players: Players,
    index: int,
    points: int,
    report: Callable[[int], None] = lambda done: None,
) -> Explanation:
    """What each player of one raw sample (an array of length 1) adds to the probability of a class.

    The gradients along the straight line from the baseline to the sample, in the network's input, or among the
    embeddings where that is a text, are integrated by Gauss and Legendre's rule of so many ``points``. The gap of the
    explanation is the error of the rule. ``network`` is in evaluation mode; ``report`` is told how many points are
    done.
    """
    assert preprocessing.targets is None and not network.training
    fed = {name: torch.from_numpy(value) for name, value in preprocessing.feed(sample).items()}
    inputs, lengths = fed["input"], fed.get("lengths")
    embedding = next((module for module in network.modules() if isinstance(module, nn.Embedding)), None)
    with torch.no_grad():
        if embedding is None:
            whole = inputs
            empty = torch.from_numpy(preprocessing.feed(players.keep(_none(players)))["input"])
        else:
            whole, empty = embedding(inputs), embedding(torch.full_like(inputs, UNKNOWN))

    def said(path: Tensor) -> Tensor:
        """The probability of the class at points of the path [N, ...]."""
        known = None if lengths is None else lengths.expand(len(path))
        if embedding is None:
            logits = network(path, known)
        else:
            with embedding.register_forward_hook(lambda module, given, found: path):
                logits = network(inputs.expand(len(path), -1), known)
        probabilities: Tensor = logits.double().softmax(1)[:, index]
        return probabilities

    nodes, weights = np.polynomial.legendre.leggauss(points)
    places = torch.from_numpy((nodes + 1) / 2).float().reshape(-1, *(1 for _ in whole.shape[1:]))
    shares = torch.from_numpy(weights / 2).reshape(places.shape)
    total = torch.zeros(whole.shape[1:], dtype=torch.float64)
    for first in range(0, points, AT_ONCE):
        report(first)
        path = (empty + places[first : first + AT_ONCE] * (whole - empty)).requires_grad_()
        (gradients,) = torch.autograd.grad(said(path).sum(), path)
        total += (shares[first : first + AT_ONCE] * gradients).sum(0)
    with torch.no_grad():
        base, output = said(torch.cat([empty, whole])).tolist()
    each = ((whole - empty)[0] * total).numpy()
    if embedding is not None:
        each = each.sum(1)
    player = np.broadcast_to(owners(preprocessing, sample, players, each.shape), each.shape)
    values = np.bincount(player.ravel(), each.ravel(), len(players.places)).astype(np.float64)
    return Explanation(values, base, output, None, points + 2)


def _none(players: Players) -> NDArray[np.bool_]:
    return np.zeros((1, len(players.places)), bool)
