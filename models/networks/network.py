"""A plan's layers as modules, in one ``nn.Sequential``.

So the keys of the state dict are those of the plain PyTorch network: "0.weight", "3.bias". Inside a residual block they
are "4.body.0.weight"; a recurrent layer's are PyTorch's own ("1.weight_ih_l0"), the Elman layer without ``bias_hh``.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from core import plan_shares
from core.encode.text import FIRST
from core.plan import Layer, Plan
from core.plan_steps import left
from models.networks.convolution import KNOWS_LENGTHS, BatchNorm, Conv, GlobalPool, GroupNorm, Residual, as_rows
from models.networks.elman import Elman, States
from models.networks.gru import Gru
from models.networks.lengths import both_directions, inside

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class Network(nn.Sequential):
    """Network input, images [N, H, W, C] or series [N, T, F] float or token ids [N, T] -> logits [N, classes].

    ``lengths`` [N]: how much of each sequence is real. A sample's logits are those that it has alone and unpadded.
    A language model has a head at every step: token ids [N, T] -> logits [N, T, vocabulary] of what comes next.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(*(_module(layer) for layer in plan.layers))
        self._layers, self._least_steps, self.together = plan.layers, plan.least_steps, plan_shares.together(plan)
        self._convolves = next((number for number, layer in enumerate(plan.layers) if layer.kind == "conv"), None)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        value = inputs
        for number, (layer, module) in enumerate(zip(self._layers, self, strict=True)):
            if number == self._convolves and value.ndim == 4:
                # NHWC seen as NCHW is PyTorch's channels_last: a view, nothing is copied
                value = value.permute(0, 3, 1, 2)
            elif number == self._convolves:
                value, lengths = as_rows(value, lengths, self._least_steps)
            value = module(value, lengths) if isinstance(module, _KNOW_LENGTHS) else module(value)
            if lengths is not None:
                lengths = left(layer, lengths)
        return value

    def carry(self, tokens: Tensor, states: States | None = None) -> tuple[Tensor, States]:
        """Of a language model, in evaluation mode: logits [N, T, vocabulary], and the states to go on with.

        ``states`` are what the tokens before these left, null for none before.
        """
        value, after = tokens, states
        for module in self:
            if isinstance(module, (Elman, Gru, Lstm)):
                value, after = module.carry(value, states)
            else:
                value = module(value)
        assert after is not None
        return value, after


class Lstm(nn.LSTM):
    """``nn.LSTM`` that gives its states [N, T, H] only; those behind a sequence's end mean nothing."""

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:  # type: ignore[override]
        if lengths is not None and self.bidirectional:
            return both_directions(self, inputs, lengths)
        states: Tensor = super().forward(inputs)[0]
        return states

    def carry(self, inputs: Tensor, states: States | None) -> tuple[Tensor, States]:
        """The states of all steps, and those to go on with: h and c, each [layers, N, H]."""
        outputs, left = super().forward(inputs, None if states is None else (states[0], states[1]))
        return outputs, left


class Readout(nn.Module):
    """[N, T, H] -> [N, H]: the mean, the maximum, or where each direction ended."""

    def __init__(self, kind: str, bidirectional: bool) -> None:
        super().__init__()
        self.kind, self.bidirectional = kind, bidirectional

    def forward(self, states: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is not None:
            return self._real(states, lengths)
        if self.kind == "mean":
            return states.mean(1)
        if self.kind == "max":
            return states.amax(1)
        if not self.bidirectional:
            return states[:, -1]
        forward, backward = states.chunk(2, 2)  # the backward direction ends at the first step
        return torch.cat((forward[:, -1], backward[:, 0]), 1)

    def _real(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Of the real steps only."""
        if self.kind != "last":
            padding = ~inside(lengths, states.shape[1])[..., None]
            if self.kind == "mean":
                return states.masked_fill(padding, 0).sum(1) / lengths[:, None]
            return states.masked_fill(padding, -torch.inf).amax(1)
        forward, backward = states.chunk(2, 2) if self.bidirectional else (states, None)
        ends = forward[torch.arange(len(lengths), device=lengths.device), lengths - 1]
        return ends if backward is None else torch.cat((ends, backward[:, 0]), 1)


_KNOW_LENGTHS = (*KNOWS_LENGTHS, Elman, Gru, Lstm, Readout)


def build(plan: Plan) -> Network:
    """The network of a plan, initialised from torch's global random generator."""
    network = Network(plan)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _module(layer: Layer) -> nn.Module:
    """One layer of the plan as a module."""
    options = layer.options
    match layer.kind:
        case "conv":
            kernel, stride = _sides(layer, "kernel"), _sides(layer, "stride")
            padding = _sides(layer, "padding", 0)
            return Conv(layer.input[-1], layer.output[-1], kernel, stride, padding, bias=bool(options["bias"]))
        case "batch_norm":
            return BatchNorm(layer.input[-1])
        case "group_norm":
            return GroupNorm(int(options["groups"]), layer.input[-1])
        case "activation":
            return ACTIVATIONS[str(options["function"])]()
        case "max_pool":
            return nn.MaxPool2d(_sides(layer, "size"))
        case "average_pool":
            return nn.AvgPool2d(_sides(layer, "size"))
        case "global_average" | "global_max":
            return GlobalPool(layer.kind.removeprefix("global_"))
        case "dropout":
            return nn.Dropout(float(options["ratio"]))
        case "residual":
            return Residual([_module(part) for part in layer.inner], ACTIVATIONS[str(options["function"])]())
        case "flatten":
            return nn.Flatten()
        case "rows":
            return nn.Flatten(2)
        case "dense":
            return nn.Linear(layer.input[-1], layer.output[-1])
        case "embedding":
            return _embedding(int(options["vocabulary"]), layer.output[1])
        case "elman" | "gru" | "lstm":
            return _recurrent(layer)
        case "readout_last" | "readout_mean" | "readout_max":
            return Readout(layer.kind.removeprefix("readout_"), bool(options["bidirectional"]))
    raise AssertionError(f"no module for a layer of kind {layer.kind}")


def _sides(layer: Layer, option: str, along_row: int = 1) -> tuple[int, int]:
    """An option for both axes of an image; a sequence is an image of one row, whose height has ``along_row``."""
    number = int(layer.options[option])
    return (number if len(layer.input) == 3 else along_row, number)


def _embedding(vocabulary: int, size: int) -> nn.Module:
    """Tokens begin at unit size in a small vocabulary; in a large one smaller, so that its many rare ones are no noise.

    Measured: characters learn faster from 1 than from 0.1, words generalise better from 0.1 than from 1. Padding and
    unknown begin at zero, since training may never meet them.
    """
    module = nn.Embedding(vocabulary, size)
    with torch.no_grad():
        module.weight.mul_(min(1.0, 10 / math.sqrt(vocabulary)))
        module.weight[:FIRST].zero_()
    return module


def _recurrent(layer: Layer) -> nn.Module:
    hidden, layers = int(layer.options["hidden"]), int(layer.options["layers"])
    # between layers only: with one layer PyTorch would warn that it has nowhere to act
    dropout = float(layer.options["dropout"]) if layers > 1 else 0.0
    bidirectional = bool(layer.options["bidirectional"])
    features = layer.input[1]
    if layer.kind == "elman":
        return Elman(features, hidden, layers=layers, bidirectional=bidirectional, dropout=dropout)
    cell = Gru if layer.kind == "gru" else Lstm
    return cell(features, hidden, layers, batch_first=True, dropout=dropout, bidirectional=bidirectional)
