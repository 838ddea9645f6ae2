"""The Elman network: h_t = tanh(W x_t + U h_(t-1) + b), h_0 = 0.

One autograd function instead of a graph node for each step: one matrix product makes all input projections, one makes
each weight gradient of a block of steps; only the recurrence itself goes step by step, in two operations each way.
Gradients equal ``nn.RNN``'s (tested in float64).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.networks.layers import (
    add_gradient_,
    adder,
    as_autocast,
    blocks_backwards,
    by_sigmoid,
    no_gradient,
    product_,
    signed_,
    stacked,
)

States = tuple[Tensor, ...]
"""What a recurrent layer carries on: h, and for an LSTM c, each [layers, N, H]."""


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
        """inputs [T, N, F], w [H, F], u [H, H], b [H] -> states [T, N, H]."""
        steps, batch, features = inputs.shape
        shortcut = by_sigmoid(inputs)
        states = inputs.new_empty(1 + steps, batch, len(u))  # the first is h_0
        states[0] = 0.5 if shortcut else 0
        recurrent, projection, bias = u, w, b
        if shortcut:
            recurrent, projection, bias = 4 * u, 2 * w, 2 * (b - u.sum(1))
        product_(states[1:].view(-1, len(u)), inputs.reshape(-1, features), projection, bias)
        squash_ = Tensor.sigmoid_ if shortcut else Tensor.tanh_
        before, *others = states.unbind()
        add_ = adder(before, recurrent)
        for state in others:  # in place: the projection of a step becomes its state
            before = squash_(add_(state, before))
        if shortcut:
            signed_(states)
        ctx.save_for_backward(inputs, w, u, states)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, Tensor]:
        inputs, w, u, states = ctx.saved_tensors
        hidden, features = w.shape
        grad_w, grad_u, grad_b = (no_gradient(w, *rows, hidden) for rows in ((features,), (hidden,), ()))
        add_, one = adder(states[0], u.t()), u.new_ones(1)
        grad_inputs = inputs.new_empty(inputs.shape) if ctx.needs_input_grad[0] else None
        after = None
        for first, end in blocks_backwards(inputs):
            deltas = grad[first:end].clone(memory_format=torch.contiguous_format)  # become gradients before the tanh
            slopes = torch.addcmul(one, states[first + 1 : end + 1], states[first + 1 : end + 1], value=-1)
            for delta, slope in zip(reversed(deltas.unbind()), reversed(slopes.unbind()), strict=True):
                if after is not None:
                    add_(delta, after)
                after = delta.mul_(slope)
            rows = deltas.flatten(0, 1)
            add_gradient_(grad_w, inputs[first:end].flatten(0, 1), rows)
            add_gradient_(grad_u, states[first:end].flatten(0, 1), rows)
            grad_b += rows.sum(0)
            if grad_inputs is not None:
                product_(grad_inputs[first:end].flatten(0, 1), rows, w.t())
        return grad_inputs, grad_w.t(), grad_u.t(), grad_b


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
