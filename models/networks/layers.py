"""What recurrent layers of our own share: depth, both directions, several lengths, and the arithmetic of a tanh."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.networks.lengths import turn, turned

Direction = Callable[[Tensor, str], Tensor]
"""Runs the direction of one layer, "l0" or "l0_reverse", over sequences [T, N, F] from their beginnings: [T, N, H]."""


def stacked(
    direction: Direction,
    inputs: Tensor,
    lengths: Tensor | None,
    *,
    layers: int,
    bidirectional: bool,
    dropout: float,
    training: bool,
) -> Tensor:
    """[N, T, F] -> [N, T, H] (2H when bidirectional, forward first), layer over layer, dropout between them.

    With ``lengths`` [N] the backward direction starts at each last real step; the states behind it mean nothing.
    """
    states = inputs.transpose(0, 1)
    rows = turned(lengths, len(states), time_first=True) if lengths is not None and bidirectional else None
    for layer in range(layers):
        if layer and dropout:
            states = nn.functional.dropout(states, dropout, training)
        forward = direction(states, f"l{layer}")
        if bidirectional:
            backward = _turn(direction(_turn(states, rows), f"l{layer}_reverse"), rows)
            states = torch.cat((forward, backward), 2)
        else:
            states = forward
    return states.transpose(0, 1)


def as_autocast(*tensors: Tensor) -> list[Tensor]:
    """The tensors in autocast's type where it is on: it does not look into functions of our own."""
    device = tensors[0].device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return [tensor.to(torch.get_autocast_dtype(device)) for tensor in tensors]
    return list(tensors)


def tanh_of_half_(values: Tensor, minus_one: Tensor) -> Tensor:
    """tanh(v / 2) in place of each v, as 2 sigmoid(v) - 1.

    PyTorch's sigmoid is about seven times as fast as its tanh on a CPU, which costs as much as the matrix product
    beside it. The difference to tanh is at most that of two roundings, 1.2e-7 in fp32; bf16 has too few digits for it.
    """
    if values.dtype == torch.bfloat16:
        return values.mul_(0.5).tanh_()
    return torch.add(minus_one, values.sigmoid_(), alpha=2, out=values)


def _turn(sequences: Tensor, rows: Tensor | None) -> Tensor:
    return sequences.flip(0) if rows is None else turn(sequences, rows)
