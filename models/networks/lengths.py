"""Sequences of several lengths in one padded batch: what lies behind a sequence's end changes nothing before it.

A forward direction needs nothing for that, since the end comes last; the readout looks no further than the length. A
backward direction reads each sequence turned around within its own length, so that it starts at the last real step.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def inside(lengths: Tensor, steps: int) -> Tensor:
    """Lengths [N] -> bool [N, steps]: the real steps."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def turned(lengths: Tensor, steps: int, *, time_first: bool = False) -> Tensor:
    """Where each row of the turned sequences lies in the flat [N * steps] (or [steps * N]) rows: a permutation."""
    times = torch.arange(steps, device=lengths.device)
    source = torch.where(inside(lengths, steps), lengths[:, None] - 1 - times, times)
    samples = torch.arange(len(lengths), device=lengths.device)[:, None]
    return (source * len(lengths) + samples).t().flatten() if time_first else (source + samples * steps).flatten()


def turn(sequences: Tensor, rows: Tensor) -> Tensor:
    """Each sequence backwards within its length, padding where it was; ``rows`` from ``turned``. Twice is nothing."""
    result: Tensor = _Turn.apply(sequences, rows)  # type: ignore[no-untyped-call]
    return result


class _Turn(torch.autograd.Function):
    """The permutation is its own inverse, so the gradient is one more selection and no sum over indices."""

    @staticmethod
    def forward(ctx: Any, sequences: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        return sequences.flatten(0, 1).index_select(0, rows).view_as(sequences)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return grad.flatten(0, 1).index_select(0, rows).view_as(grad), None


def both_directions(module: nn.GRU | nn.LSTM, inputs: Tensor, lengths: Tensor) -> Tensor:
    """The states [N, T, 2H] of PyTorch's own bidirectional layer for padded sequences.

    One call a layer and direction: on a CPU that is faster than packed sequences, which lose the fused LSTM.
    """
    zeros = inputs.new_zeros(1, len(inputs), module.hidden_size)
    rows = turned(lengths, inputs.shape[1])

    def direction(sequences: Tensor, name: str) -> Tensor:
        weights = [getattr(module, f"{part}_{name}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        # bias, one layer, no dropout, training, one direction, batch first
        options = (weights, True, 1, 0.0, module.training, False, True)
        if isinstance(module, nn.GRU):
            states: Tensor = torch._VF.gru(sequences, zeros, *options)[0]
        else:
            states = torch._VF.lstm(sequences, (zeros, zeros), *options)[0]
        return states

    states = inputs
    for layer in range(module.num_layers):
        if layer and module.dropout:
            states = nn.functional.dropout(states, module.dropout, module.training)
        backward = turn(direction(turn(states, rows), f"l{layer}_reverse"), rows)
        states = torch.cat((direction(states, f"l{layer}"), backward), 2)
    return states
