"""Forward and backward of a batch, its samples shared out among threads.

PyTorch by itself shares out every single operation, and waits for all threads after each: small networks spend more
time in these waits than in arithmetic, most of all beside other processes. Here each thread takes its share of the
samples through the whole network alone, and the one that trains, which takes the first, waits once for the others.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn

from core.plan import Plan
from core.plan_shares import FEWEST_SAMPLES, divide

Score = Callable[[Tensor, Tensor | None, Tensor], tuple[Tensor, Tensor, Tensor]]
"""Of some samples (inputs, lengths where they vary, targets): what to minimise, summed, and two numbers to report."""


class Shares:
    """Adds up gradients. Their bits depend on ``threads`` and on nothing else of the machine's state."""

    def __init__(self, network: nn.Module, plan: Plan, samples: int, threads: int, device: torch.device) -> None:
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.count, self.piece = 1, samples
        self._pool: ThreadPoolExecutor | None = None
        division = divide(plan, samples, threads) if device.type == "cpu" else None
        if division is None:
            return
        self.count, self.piece = division.threads, division.piece
        if self.count > 1:
            # the threads that an operation may use are a setting of the thread that calls it
            self._threads, self._inner = threads, threads // self.count
            self._pool = ThreadPoolExecutor(self.count - 1, "share", self._begin)

    def backward(
        self, score: Score, inputs: Tensor, lengths: Tensor | None, targets: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Add the gradients of a batch, [N, ...] and [N], to the parameters'; gives what ``score`` reports of them."""
        if self._pool is None or len(targets) < self.count * FEWEST_SAMPLES:
            if len(targets) <= self.piece:
                loss, *numbers = score(inputs, lengths, targets)
                torch.autograd.backward(loss)
                return [(numbers[0], numbers[1])]
            total, reported = self._work(score, inputs, lengths, targets)
        else:
            own, *others = zip(*(_cut(whole, self.count) for whole in (inputs, lengths, targets)), strict=True)
            waiting = [self._pool.submit(self._work, score, *part) for part in others]
            torch.set_num_threads(self._inner)
            try:
                total, reported = self._work(score, *own)
            finally:
                torch.set_num_threads(self._threads)
            for gradients, further in (other.result() for other in waiting):
                torch._foreach_add_(total, gradients)
                reported += further
        for parameter, gradient in zip(self.parameters, total, strict=True):
            if parameter.grad is not None:
                parameter.grad += gradient
            elif gradient.stride() == parameter.stride():
                parameter.grad = gradient
            else:  # the fused optimizers want both in one memory layout
                parameter.grad = torch.empty_like(parameter, requires_grad=False).copy_(gradient)
        return reported

    def _begin(self) -> None:
        """Of a thread of the pool."""
        # a thread takes over another's setting when it first asks, also after it has set its own
        torch.get_num_threads()
        torch.set_num_threads(self._inner)

    def _work(
        self, score: Score, inputs: Tensor, lengths: Tensor | None, targets: Tensor
    ) -> tuple[tuple[Tensor, ...], list[Any]]:
        """The gradients of one share, and what is reported of its pieces."""
        total: tuple[Tensor, ...] = ()
        reported = []
        count = -(-len(targets) // self.piece)
        for piece in zip(*(_cut(whole, count, self.piece) for whole in (inputs, lengths, targets)), strict=True):
            loss, *numbers = score(*piece)
            gradients = torch.autograd.grad(loss, self.parameters)
            if total:
                torch._foreach_add_(total, gradients)
            else:
                total = gradients
            reported.append(tuple(numbers))
        return total, reported


def _cut(whole: Tensor | None, count: int, size: int | None = None) -> Sequence[Any]:
    """A batch's tensor in ``count`` parts, of ``size`` samples if it is given; what there is not, in as many."""
    if whole is None:
        return [None] * count
    return whole.tensor_split(count) if size is None else torch.split(whole, size)
