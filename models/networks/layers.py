"""What recurrent layers of our own share: depth, both directions, several lengths, and the arithmetic of a tanh."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from models.networks.lengths import turn, turned

Direction = Callable[[Tensor, str], Tensor]
"""Runs the direction of one layer, "l0" or "l0_reverse", over sequences [T, N, F] from their beginnings: [T, N, H]."""
BLOCK_ROWS = 1024
"""Steps times samples."""


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


def by_sigmoid(values: Tensor) -> bool:
    """Whether a cell takes tanh(v) as 2 sigmoid(2 v) - 1, and carries the sigmoid from step to step instead of the tanh.

    PyTorch's sigmoid is about seven times as fast as its tanh on a CPU, which costs as much as the matrix product
    beside it. Factor and offset go into the weights, so that a step has no more to do than with a tanh:
    U (2 s - 1) = (2 U) s - U 1. The difference to tanh is a few roundings of fp32; bf16 has too few digits for it.
    """
    return values.dtype != torch.bfloat16


def signed_(values: Tensor) -> None:
    """2 v - 1 of each v, in place and in one go."""
    torch.add(values.new_full((1,), -1.0), values, alpha=2, out=values)


def blocks_backwards(inputs: Tensor) -> Iterator[tuple[int, int]]:
    """The steps [first, end) of [T, N, F] that a backward pass takes together, last ones first.

    What it makes of them stays in the processor's cache. In bf16 sums are not to be interrupted.
    """
    steps, batch = inputs.shape[:2]
    size = max(1, BLOCK_ROWS // batch) if by_sigmoid(inputs) else steps
    for end in range(steps, 0, -size):
        yield max(0, end - size), end


def _turn(sequences: Tensor, rows: Tensor | None) -> Tensor:
    return sequences.flip(0) if rows is None else turn(sequences, rows)
