"""The Elman network: h_t = tanh(W x_t + U h_(t-1) + b), h_0 = 0.

One autograd function instead of a graph node for each step: one matrix product makes all input projections, one makes
each weight gradient; only the recurrence itself goes step by step. Gradients equal ``nn.RNN``'s (tested in float64).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.networks.lengths import turn, turned

States = tuple[Tensor, ...]
"""What a recurrent layer carries on: h, and for an LSTM c, each [layers, N, H]."""


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
        """inputs [T, N, F], w [H, F], u [H, H], b [H] -> states [T, N, H]."""
        steps, batch, features = inputs.shape
        states = torch.addmm(b, inputs.reshape(-1, features), w.t()).view(steps, batch, -1)
        states[0].tanh_()
        transposed = u.t()
        for step in range(1, steps):  # in place: the projection of a step becomes its state
            states[step].addmm_(states[step - 1], transposed).tanh_()
        ctx.save_for_backward(inputs, w, u, states)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, Tensor]:
        inputs, w, u, states = ctx.saved_tensors
        steps = len(states)
        before = torch.empty_like(states)  # gradients before the tanh
        carried = grad[-1]
        for step in range(steps - 1, -1, -1):
            torch.ops.aten.tanh_backward.grad_input(carried, states[step], grad_input=before[step])
            if step:
                carried = torch.addmm(grad[step - 1], before[step], u)
        flat = before.flatten(0, 1)
        grad_inputs = torch.matmul(before, w) if ctx.needs_input_grad[0] else None
        grad_w = flat.t() @ inputs.flatten(0, 1)
        grad_u = before[1:].flatten(0, 1).t() @ states[:-1].flatten(0, 1)
        return grad_inputs, grad_w, grad_u, flat.sum(0)


class Elman(nn.Module):
    """[N, T, F] -> [N, T, H] (2H when bidirectional, forward first). Named as in ``nn.RNN``, with ``bias_ih`` alone.

    With ``lengths`` [N] the backward direction starts at each last real step; the states behind it mean nothing.
    """

    def __init__(
        self, features: int, hidden: int, *, layers: int = 1, bidirectional: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.hidden, self.layers, self.dropout = hidden, layers, dropout
        self.suffixes = ("", "_reverse") if bidirectional else ("",)
        bound = 1 / math.sqrt(hidden)
        for layer in range(layers):
            width = features if layer == 0 else hidden * len(self.suffixes)
            for suffix in self.suffixes:
                for name, shape in (
                    ("weight_ih", (hidden, width)),
                    ("weight_hh", (hidden, hidden)),
                    ("bias_ih", (hidden,)),
                ):
                    values = torch.empty(shape).uniform_(-bound, bound)
                    self.register_parameter(f"{name}_l{layer}{suffix}", nn.Parameter(values))

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        states = inputs.transpose(0, 1)
        rows = None
        if lengths is not None and len(self.suffixes) == 2:
            rows = turned(lengths, len(states), time_first=True)
        for layer in range(self.layers):
            if layer and self.dropout:
                states = nn.functional.dropout(states, self.dropout, self.training)
            directions = [self._direction(states, f"l{layer}{suffix}", bool(suffix), rows) for suffix in self.suffixes]
            states = directions[0] if len(directions) == 1 else torch.cat(directions, 2)
        return states.transpose(0, 1)

    def carry(self, inputs: Tensor, states: States | None) -> tuple[Tensor, States]:
        """The states [N, T, H] of all steps after ``states``, and those to go on with; one direction, no gradient."""
        sequence, ends = inputs.transpose(0, 1), []
        for layer in range(self.layers):
            w, u, b = (getattr(self, f"{part}_l{layer}") for part in ("weight_ih", "weight_hh", "bias_ih"))
            before = sequence.new_zeros(len(inputs), self.hidden) if states is None else states[0][layer]
            sequence = torch.matmul(sequence, w.t()) + b
            for step in sequence:
                before = step.addmm_(before, u.t()).tanh_()
            ends.append(before)
        return sequence.transpose(0, 1), (torch.stack(ends),)

    def _direction(self, inputs: Tensor, name: str, backwards: bool, rows: Tensor | None) -> Tensor:
        """``rows``: how sequences of several lengths are turned around; null: all have the one length."""
        tensors = [inputs] + [getattr(self, f"{part}_{name}") for part in ("weight_ih", "weight_hh", "bias_ih")]
        device = inputs.device.type
        if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
            # autocast does not look into a function of our own
            tensors = [tensor.to(torch.get_autocast_dtype(device)) for tensor in tensors]
        if backwards:
            tensors[0] = _turn(tensors[0], rows)
        states: Tensor = _Recurrence.apply(*tensors)  # type: ignore[no-untyped-call]
        return _turn(states, rows) if backwards else states


def _turn(sequences: Tensor, rows: Tensor | None) -> Tensor:
    return sequences.flip(0) if rows is None else turn(sequences, rows)
