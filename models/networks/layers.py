"""What recurrent layers of our own share: depth, both directions, several lengths, and fast arithmetic on a CPU."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from models.networks.lengths import turn, turned

Direction = Callable[[Tensor, str], Tensor]
"""Runs the direction of one layer, "l0" or "l0_reverse", over sequences [T, N, F] from their beginnings: [T, N, H]."""
_BLOCK_ROWS = 1024
"""Steps times samples."""
_ONEDNN = torch.backends.mkldnn.is_available()
_LINEAR = torch.ops.mkldnn._linear_pointwise.default if _ONEDNN else None
_FEWEST_MULTIPLICATIONS = 1_500_000
"""Of a product that goes there: below, its dearer calls cost what its arithmetic saves (measured)."""


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
    """Whether a cell takes tanh(v) as 2 sigmoid(2 v) - 1, and carries (h + 1) / 2 from step to step instead of h.

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

    What it makes of them stays in the processor's cache.
    """
    steps, batch = inputs.shape[:2]
    size = max(1, _BLOCK_ROWS // batch)
    for end in range(steps, 0, -size):
        yield max(0, end - size), end


def product_(out: Tensor, rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> None:
    """Put rows [R, K] weight^T + bias, for a weight [O, K], into ``out`` [R, O]."""
    if _by_onednn(rows, len(weight)):
        out.copy_(_LINEAR(rows, weight.contiguous(), bias, "none", [], ""))
    elif bias is None:
        torch.mm(rows, weight.t(), out=out)
    else:
        torch.addmm(bias, rows, weight.t(), out=out)


def adder(rows: Tensor, weight: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """A function (total [R, O], rows [R, K]) -> total + rows weight^T, in place, for many such rows and one [O, K]."""
    if not _by_onednn(rows, len(weight)):
        transposed = weight.t()
        return lambda total, rows: total.addmm_(rows, transposed)
    weight = weight.contiguous()
    return lambda total, rows: total.add_(_LINEAR(rows, weight, None, "none", [], ""))


def add_gradient_(total: Tensor, inputs: Tensor, gradients: Tensor) -> None:
    """Of a weight, transposed: inputs [R, K] and gradients [R, O] of what they were multiplied to, total [K, O].

    The total is in fp32 where they are in bf16.
    """
    if _by_onednn(inputs, gradients.shape[1]):
        # both whole, since oneDNN has no fast way for parts of rows here
        total += _LINEAR(inputs.contiguous().t(), gradients.contiguous().t(), None, "none", [], "")
    elif inputs.dtype == total.dtype:
        total.addmm_(inputs.t(), gradients)
    else:
        total += inputs.t() @ gradients


def no_gradient(weight: Tensor, *shape: int) -> Tensor:
    """Zeros to add gradients to."""
    return weight.new_zeros(shape, dtype=torch.float32 if weight.dtype == torch.bfloat16 else weight.dtype)


def _by_onednn(rows: Tensor, outputs: int) -> bool:
    """Whether a product goes to oneDNN instead of MKL, which uses half of the width of an AMD processor's vectors.

    The operation is one that PyTorch's compiler uses; in bf16 PyTorch goes to oneDNN by itself.
    """
    able = _ONEDNN and rows.device.type == "cpu" and rows.dtype == torch.float32
    return able and rows.numel() * outputs >= _FEWEST_MULTIPLICATIONS


def _turn(sequences: Tensor, rows: Tensor | None) -> Tensor:
    return sequences.flip(0) if rows is None else turn(sequences, rows)
