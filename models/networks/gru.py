"""The gated recurrent unit (Cho et al. 2014), in PyTorch's form, whose reset gate acts on U h + c:

    r_t, z_t = sigmoid(W x_t + b + U h_(t-1) + c)
    n_t      = tanh(W x_t + b + r_t * (U h_(t-1) + c))
    h_t      = (1 - z_t) * n_t + z_t * h_(t-1), h_0 = 0

One autograd function, as for the Elman network: all input projections and each weight gradient are one matrix product,
and the steps write into memory that is there. Gradients equal ``nn.GRU``'s (tested in float64).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.networks.elman import States
from models.networks.layers import as_autocast, stacked, tanh_of_half_
from models.networks.lengths import both_directions

_tanh_gradient = torch.ops.aten.tanh_backward.grad_input
_sigmoid_gradient = torch.ops.aten.sigmoid_backward.grad_input


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, w: Tensor, u: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """inputs [T, N, F], w [3H, F], u [3H, H], b and c [3H], each for r, z and n -> states [T, N, H]."""
        steps, batch, features = inputs.shape
        hidden = u.shape[1]
        flat, gated = inputs.reshape(-1, features), 2 * hidden
        gates = torch.addmm(b[:gated] + c[:gated], flat, w[:gated].t()).view(steps, batch, gated)
        # doubled, since the tanh is taken of the half
        news = torch.addmm(b[gated:], flat, w[gated:].t(), beta=2, alpha=2).view(steps, batch, hidden)
        inner = c[gated:].expand(steps, batch, hidden).contiguous()  # U h + c of the new state
        states = torch.empty_like(news)
        of_gates, of_new, minus_one = u[:gated].t(), u[gated:].t(), news.new_full((1,), -1.0)
        before = None
        for gate, new, own, state in zip(gates.unbind(), news.unbind(), inner.unbind(), states.unbind(), strict=True):
            if before is not None:
                gate.addmm_(before, of_gates)
                own.addmm_(before, of_new)
            reset, update = gate.sigmoid_().chunk(2, 1)
            tanh_of_half_(new.addcmul_(reset, own, value=2), minus_one)
            if before is None:
                torch.addcmul(new, new, update, value=-1, out=state)
            else:
                torch.lerp(new, before, update, out=state)
            before = state
        ctx.save_for_backward(inputs, w, u, gates, news, inner, states)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
        inputs, w, u, gates, news, inner, states = ctx.saved_tensors
        gated = gates.shape[2]
        # gradients before sigmoid and tanh, and of U h + c
        before_gates, before_new, before_inner = (torch.empty_like(one) for one in (gates, news, inner))
        of_gates, of_new = u[:gated], u[gated:]
        change = torch.empty_like(news[0])
        carried = grad[-1]
        for step in range(len(states) - 1, -1, -1):
            (reset, update), new = gates[step].chunk(2, 1), news[step]
            to_reset, to_update = before_gates[step].chunk(2, 1)
            kept = carried * update
            _tanh_gradient(torch.sub(carried, kept, out=change), new, grad_input=before_new[step])
            torch.mul(before_new[step], reset, out=before_inner[step])
            _sigmoid_gradient(torch.mul(before_new[step], inner[step], out=change), reset, grad_input=to_reset)
            if step:
                torch.sub(states[step - 1], new, out=change)
            else:
                torch.neg(new, out=change)
            _sigmoid_gradient(change.mul_(carried), update, grad_input=to_update)
            if step:
                carried = kept.addmm_(before_gates[step], of_gates).addmm_(before_inner[step], of_new)
                carried += grad[step - 1]
        flat, earlier = inputs.flatten(0, 1), states[:-1].flatten(0, 1)
        both, new = before_gates.flatten(0, 1), before_new.flatten(0, 1)
        grad_w, grad_u = torch.empty_like(w), torch.empty_like(u)
        torch.mm(both.t(), flat, out=grad_w[:gated])
        torch.mm(new.t(), flat, out=grad_w[gated:])
        torch.mm(before_gates[1:].flatten(0, 1).t(), earlier, out=grad_u[:gated])
        torch.mm(before_inner[1:].flatten(0, 1).t(), earlier, out=grad_u[gated:])
        of_both = both.sum(0)
        grad_b = torch.cat((of_both, new.sum(0)))
        grad_c = torch.cat((of_both, before_inner.flatten(0, 1).sum(0)))
        grad_inputs = None
        if ctx.needs_input_grad[0]:
            grad_inputs = torch.mm(both, w[:gated]).addmm_(new, w[gated:]).view_as(inputs)
        return grad_inputs, grad_w, grad_u, grad_b, grad_c


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
