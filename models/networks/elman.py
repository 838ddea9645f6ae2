"""The Elman network: h_t = tanh(W x_t + U h_(t-1) + b), h_0 = 0.

One autograd function instead of a graph node for each step: one matrix product makes all input projections, one makes
each weight gradient; only the recurrence itself goes step by step. Gradients equal ``nn.RNN``'s (tested in float64).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.networks.layers import as_autocast, stacked, tanh_of_half_

States = tuple[Tensor, ...]
"""What a recurrent layer carries on: h, and for an LSTM c, each [layers, N, H]."""


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
        """inputs [T, N, F], w [H, F], u [H, H], b [H] -> states [T, N, H]."""
        steps, batch, features = inputs.shape
        # doubled, since the tanh is taken of the half
        states = torch.addmm(b, inputs.reshape(-1, features), w.t(), beta=2, alpha=2).view(steps, batch, -1)
        transposed, minus_one, before = u.t(), states.new_full((1,), -1.0), None
        for state in states.unbind():  # in place: the projection of a step becomes its state
            if before is not None:
                state.addmm_(before, transposed, alpha=2)
            before = tanh_of_half_(state, minus_one)
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

    With ``lengths`` [N] the states behind each last real step mean nothing.
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
        return stacked(
            self._direction,
            inputs,
            lengths,
            layers=self.layers,
            bidirectional=len(self.suffixes) == 2,
            dropout=self.dropout,
            training=self.training,
        )

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

    def _direction(self, inputs: Tensor, name: str) -> Tensor:
        parts = [getattr(self, f"{part}_{name}") for part in ("weight_ih", "weight_hh", "bias_ih")]
        states: Tensor = _Recurrence.apply(*as_autocast(inputs, *parts))  # type: ignore[no-untyped-call]
        return states
