"""Whole steps on a GPU as one CUDA graph: a small network's kernels are shorter than the calls that start them.

Experimental: it is written for a CUDA device, and none was at hand when it was.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim import Optimizer

from core.plan import Plan
from core.specs import TrainSpec

WARM_UP = 3
"""Steps before the capture: libraries choose their kernels and make their workspaces, optimizers their state."""
_MOST_BYTES = 2**30
"""A graph keeps the memory of all that a step computes; a network with more is busy in long kernels anyway."""


def obstacle(plan: Plan, spec: TrainSpec, device: str, devices: int, on_disk: bool) -> str | None:
    """Why the steps of a training are not captured; none if they are. Decided by what is known before it starts."""
    rules, layers = spec.hyperparameters, [layer for outer in plan.layers for layer in (outer, *outer.inner)]
    batch = rules.samples_per_batch
    if device != "cuda":
        return "there is no GPU"
    if devices > 1:
        return "the devices wait for one another in every step"
    if on_disk:
        return "batches are read from disk"
    if plan.variable:
        return "sequences of several lengths make batches of several sizes"
    if spec.data.augment is not None:
        return "augmentation draws its numbers on the host"
    if any(layer.kind == "dropout" or layer.options.get("dropout") for layer in layers):
        return "dropout draws numbers that a resumed training must draw again"
    if batch is None:
        return "a step of gd goes through all samples"
    if rules.optimizer.name == "rmsprop":
        return "rmsprop reads its learning rate on the host"
    if batch * plan.activation_bytes > _MOST_BYTES:
        return "the network is large"
    return None


class Captured:
    """Makes steps of ``samples`` samples by ``update``, which is given their indices: the same work, replayed.

    All that ``update`` reads and changes must keep its place in memory between steps, and all that differs between them
    must be a tensor: the indices, and the learning rate, for which the optimizer gets one here.
    """

    def __init__(
        self, update: Callable[[Tensor], None], optimizer: Optimizer, samples: int, device: torch.device
    ) -> None:
        self._update, self._optimizer = update, optimizer
        self._indices = torch.zeros(samples, dtype=torch.int64, device=device)
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._graph: torch.cuda.CUDAGraph | None = None
        self._warm = 0
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(group["lr"], dtype=torch.float32, device=device)

    def __call__(self, indices: Tensor) -> None:
        """One step with these samples."""
        self._indices.copy_(indices)
        if self._graph is None and self._warm < WARM_UP:
            self._warm += 1
            self._warm_up()
            return
        if self._graph is None:
            self._graph = self._capture()
        self._graph.replay()

    @property
    def recorded(self) -> bool:
        """Whether steps are replayed by now."""
        return self._graph is not None

    def _warm_up(self) -> None:
        """A step as any other, on the stream that a capture needs: not the usual one."""
        usual = torch.cuda.current_stream()
        self._stream.wait_stream(usual)
        with torch.cuda.stream(self._stream):
            self._update(self._indices)
        usual.wait_stream(self._stream)

    def _capture(self) -> torch.cuda.CUDAGraph:
        """Record a step; nothing is computed yet."""
        graph = torch.cuda.CUDAGraph()
        with (
            _capturable(self._optimizer),
            torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
        ):
            self._update(self._indices)
        return graph


@contextmanager
def _capturable(optimizer: Optimizer) -> Iterator[None]:
    """Say that a capture is meant. Only then: the fused kernels are the same, but other steps would be warned of it."""
    groups = [group for group in optimizer.param_groups if "capturable" in group]
    for group in groups:
        group["capturable"] = True
    yield
    for group in groups:
        group["capturable"] = False
