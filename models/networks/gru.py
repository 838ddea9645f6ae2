"""The gated recurrent unit (Cho et al. 2014), in PyTorch's form, whose reset gate acts on U h + c:

    r_t, z_t = sigmoid(W x_t + b + U h_(t-1) + c)
    n_t      = tanh(W x_t + b + r_t * (U h_(t-1) + c))
    h_t      = (1 - z_t) * n_t + z_t * h_(t-1), h_0 = 0

One autograd function, as for the Elman network: all input projections are one matrix product, and so is a block of
steps of each weight gradient. A step is five operations forwards and three backwards, since with few samples the calls
cost as much as the arithmetic. Gradients equal ``nn.GRU``'s (tested in float64).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.networks.elman import States
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
from models.networks.lengths import both_directions


class _Recurrence(torch.autograd.Function):
    """``memory`` [T, N, 4H] is of each step U h + c of the new state, r, z and n: one matrix product adds to the first
    three, and another has made the last three of the inputs.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, w: Tensor, u: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """inputs [T, N, F], w [3H, F], u [3H, H], b and c [3H], each for r, z and n -> states [T, N, H]."""
        steps, batch, features = inputs.shape
        hidden, shortcut = u.shape[1], by_sigmoid(inputs)
        states = inputs.new_empty(1 + steps, batch, hidden)  # the first is h_0
        states[0] = 0.5 if shortcut else 0
        recurrent, offset, projection, bias = u.roll(hidden, 0), c.roll(hidden), w, b.clone()
        if shortcut:
            offset -= u.sum(1).roll(hidden)
            recurrent = 2 * recurrent
            projection = torch.cat((w[: 2 * hidden], 2 * w[2 * hidden :]))
            bias[2 * hidden :] *= 2
        bias[: 2 * hidden] += offset[hidden:]
        memory = inputs.new_empty(steps, batch, 4 * hidden)
        memory[..., :hidden] = offset[:hidden]
        product_(memory.view(-1, 4 * hidden)[:, hidden:], inputs.reshape(-1, features), projection, bias)
        add_ = adder(states[0], recurrent)
        squash_, factor = (Tensor.sigmoid_, 2) if shortcut else (Tensor.tanh_, 1)
        before, *others = states.unbind()
        sums, gates = memory[..., : 3 * hidden].unbind(), memory[..., hidden : 3 * hidden].unbind()
        parts = (part.unbind() for part in memory.chunk(4, 2))
        for state, of_three, of_two, own, reset, update, new in zip(others, sums, gates, *parts, strict=True):
            add_(of_three, before)
            of_two.sigmoid_()
            squash_(new.addcmul_(reset, own, value=factor))
            before = torch.lerp(new, before, update, out=state)
        if shortcut:
            signed_(states)
            signed_(memory[..., 3 * hidden :])
        ctx.save_for_backward(inputs, w, u, memory, states)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
        inputs, w, u, memory, states = ctx.saved_tensors
        hidden, one = u.shape[1], u.new_ones(1)
        # of all four parts, and transposed
        grad_w, grad_u, grad_b = (no_gradient(w, *rows, 4 * hidden) for rows in ((w.shape[1],), (hidden,), ()))
        add_ = adder(memory[0, :, : 3 * hidden], u.roll(hidden, 0).t())
        grad_inputs = inputs.new_empty(inputs.shape) if ctx.needs_input_grad[0] else None
        after = None
        for first, end in blocks_backwards(inputs):
            own, reset, update, new = memory[first:end].chunk(4, 2)
            # what makes of a state's gradient those of U h + c, and of r, z and n before sigmoid and tanh
            slopes = torch.empty_like(memory[first:end])
            of_own, of_reset, of_update, of_new = slopes.chunk(4, 2)
            fresh = one - update
            torch.addcmul(one, new, new, value=-1, out=of_new).mul_(fresh)
            torch.mul(of_new, reset, out=of_own)
            torch.addcmul(own, own, reset, value=-1, out=of_reset).mul_(of_own)
            torch.sub(states[first:end], new, out=of_update).mul_(update).mul_(fresh)
            gradients = grad[first:end].clone(memory_format=torch.contiguous_format)
            each = (gradients, slopes.unflatten(2, (4, hidden)), slopes[..., : 3 * hidden], update)
            for gradient, of_four, of_three, kept in zip(*(reversed(part.unbind()) for part in each), strict=True):
                if after is not None:
                    add_(gradient.addcmul_(*after[:2]), after[2])
                of_four.mul_(gradient.unsqueeze(1))
                after = gradient, kept, of_three
            rows, flat = slopes.flatten(0, 1), inputs[first:end].flatten(0, 1)
            add_gradient_(grad_w, flat, rows)
            add_gradient_(grad_u, states[first:end].flatten(0, 1), rows)
            grad_b += rows.sum(0)
            if grad_inputs is not None:
                product_(grad_inputs[first:end].flatten(0, 1), rows[:, hidden:], w.t())
        grad_w, grad_u = grad_w[:, hidden:].t(), grad_u[:, : 3 * hidden].t().roll(-hidden, 0)
        return grad_inputs, grad_w, grad_u, grad_b[hidden:], grad_b[: 3 * hidden].roll(-hidden)


class Gru(nn.GRU):
    """``nn.GRU`` that gives its states [N, T, H] only; those behind a sequence's end mean nothing."""

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:  # type: ignore[override]
        if inputs.device.type == "cpu":
            return stacked(
                self._direction,
                inputs,
                lengths,
                layers=self.num_layers,
                bidirectional=self.bidirectional,
                dropout=self.dropout,
                training=self.training,
            )
        if lengths is not None and self.bidirectional:
            return both_directions(self, inputs, lengths)
        states: Tensor = super().forward(inputs)[0]
        return states

    def carry(self, inputs: Tensor, states: States | None) -> tuple[Tensor, States]:
        """The states of all steps, and those to go on with: h [layers, N, H]."""
        outputs, left = super().forward(inputs, None if states is None else states[0])
        return outputs, (left,)

    def _direction(self, inputs: Tensor, name: str) -> Tensor:
        parts = [getattr(self, f"{part}_{name}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        states: Tensor = _Recurrence.apply(*as_autocast(inputs, *parts))  # type: ignore[no-untyped-call]
        return states
