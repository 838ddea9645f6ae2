"""Forward and backward of a batch, its samples shared out among threads.

PyTorch by itself shares out every single operation, and waits for all threads after each: small networks spend more
time in these waits than in arithmetic, most of all beside other processes. Here each thread takes its share of the
samples through the whole network alone, and all wait once.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from core.plan import Layer, Plan

_FEWEST_SAMPLES = 16
"""Of a share: smaller ones cost more in calls than they gain."""


class Shares:
    """Adds up gradients. What it gives depends on ``threads`` and on nothing else of the machine's state."""

    def __init__(self, network: nn.Module, plan: Plan, samples: int, threads: int, device: torch.device) -> None:
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        alone = device.type != "cpu" or not all(_takes_samples_one_by_one(layer) for layer in plan.layers)
        self.count = 1 if alone else max(1, min(threads, samples // _FEWEST_SAMPLES))
        self._pool: ThreadPoolExecutor | None = None
        if self.count > 1:
            # the threads that an operation may use are a setting of the thread that calls it
            inner = threads // self.count
            self._pool = ThreadPoolExecutor(self.count, "share", lambda: torch.set_num_threads(inner))

    def backward(
        self, score: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]], inputs: Tensor, targets: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Add the gradients of a batch, [N, ...] and [N], to the parameters'.

        ``score`` gives of some samples what to minimise, summed over them, and two numbers to report; these are given
        back share by share.
        """
        if self._pool is None or len(targets) < self.count * _FEWEST_SAMPLES:
            loss, *reported = score(inputs, targets)
            torch.autograd.backward(loss)
            return [(reported[0], reported[1])]

        def work(inputs: Tensor, targets: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
            loss, first, second = score(inputs, targets)
            return torch.autograd.grad(loss, self.parameters), first, second

        found = list(self._pool.map(work, inputs.tensor_split(self.count), targets.tensor_split(self.count)))
        total = found[0][0]
        for gradients, _, _ in found[1:]:
            torch._foreach_add_(total, gradients)
        for parameter, gradient in zip(self.parameters, total, strict=True):
            if parameter.grad is not None:
                parameter.grad += gradient
            elif gradient.stride() == parameter.stride():
                parameter.grad = gradient
            else:  # the fused optimizers want both in one memory layout
                parameter.grad = torch.empty_like(parameter, requires_grad=False).copy_(gradient)
        return [(first, second) for _, first, second in found]


def _takes_samples_one_by_one(layer: Layer) -> bool:
    """Whether a layer treats every sample by itself in training, and draws no random numbers."""
    if layer.kind in ("batch_norm", "dropout") or layer.options.get("dropout"):
        return False
    return all(_takes_samples_one_by_one(part) for part in layer.inner)
