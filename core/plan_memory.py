"""How much memory a training needs, from its plan: an estimate for the process that trains, on a CPU.

A step's tensors are put into a heap in the order in which PyTorch makes and frees them (``core.plan_tensors``), as many
samples at once as training takes (``core.plan_shares``). What remains measured are the few factors below and what
recurrent layers have inside. Checked on the peak of resident memory (VmHWM), which ``tests/footprint.py`` measures as a
worker trains, with two threads and the worker's allocator settings: ``tests/unit/test_memory.py`` draws networks of
every kind of layer, and holds them and the examples to 25 % or 64 MiB. Of 100 others, of 105 to 2,937 MiB, 98 lay
within that; a batch normalisation with residual blocks over 2,000 steps took 661 MiB of 462 said.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from core.plan import FULL_BATCH_CHUNK, Plan
from core.plan_layers import BYTES, Shape
from core.plan_length import held_out
from core.plan_shares import divide
from core.plan_tensors import evaluation_bytes, step_bytes
from core.specs import Optimizer, TrainSpec

USUAL_THREADS = 2
"""Of a job, while no worker is known that would say."""
MOST_BATCH = 2**20
"""The largest batch_size that a spec may have."""
_LIBRARIES = 80 * 2**20
"""What the first step and the export touch of torch and ONNX Runtime: 61 MiB for the smallest RNN, 72 for a CNN; the
fit over larger networks gives 87, since each kernel brings pages and buffers of its own."""
_EVALUATION_BATCH = 512
"""``models.evaluate`` looks at this many samples at once."""
_GROWTH = 1.2
_GROWTH_OF_SHARES = 1.15
"""From step to step small tensors that stay fall into holes, which then take no large one any more; the threads of
shares have heaps of their own, which are given back when they are empty."""
_LENGTHS = 1.6
"""Batches from short to long: the larger tensors of a convolution do not fit where the last batch's were."""
_EXPORT = 7
"""Copies of the weights at the end: the best checkpoint, a network to compare with, the ONNX message (array, graph,
model, bytes) and ONNX Runtime's own. An SGD of 64 MiB of weights peaks at 10.3 times their size, 3 of them held."""
_SERIALISED = 3
"""safetensors holds each tensor as bytes, then the whole file twice. An SGD with momentum (14 copies in all) was
measured at 14.1 times its 64 MiB of weights, an Adam (19) at 18.1."""


@dataclass(frozen=True)
class Samples:
    """What memory depends on in a dataset: the size of its file, and the bytes of one raw and one resized sample."""

    train: int
    test: int
    file_bytes: int
    raw_bytes: int
    resized_bytes: int
    """0 where the samples keep their size."""

    @classmethod
    def of(
        cls, kind: str, shape: Shape, resize: list[int] | None, splits: dict[str, int], file_bytes: int
    ) -> "Samples":
        """From a dataset's row and the size that its images get."""
        value = 1 if kind == "image" else BYTES  # pixels are bytes
        resized = math.prod(resize) * shape[2] * value if resize is not None else 0
        return cls(splits["train"], splits["test"], file_bytes, math.prod(shape) * value, resized)


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak, beside the process itself. ``parts`` add up to ``training_bytes``."""

    parts: dict[str, int]
    dataset_bytes: int

    @property
    def training_bytes(self) -> int:
        """All but the dataset."""
        return sum(self.parts.values())

    @property
    def total_bytes(self) -> int:
        """What a worker's slot must have."""
        return self.training_bytes + self.dataset_bytes


def needed(
    plan: Plan, spec: TrainSpec, samples: Samples, threads: int = USUAL_THREADS, batch_size: int | None = None
) -> Memory:
    """The memory of a training on so many threads; ``batch_size`` instead of the spec's, if it is given."""
    rules = spec.hyperparameters
    whole = batch_size or rules.samples_per_batch or FULL_BATCH_CHUNK
    batch = min(whole, samples.train)
    division = divide(plan, whole, threads, rules.precision)
    activations = batch * math.prod(plan.input) * (BYTES + 1)  # raw, and normalised
    shares = 1
    if division is None:
        steps = step_bytes(plan, batch, halved=rules.precision == "bf16")
    else:
        shares = division.threads
        piece = min(math.ceil(batch / shares), division.piece)
        steps = shares * step_bytes(plan, piece, halved=rules.precision == "bf16")
    activations += math.ceil((_GROWTH if division is None else _GROWTH_OF_SHARES) * steps)
    weights = plan.parameters * BYTES
    optimizer = _numbers(rules.optimizer) * weights
    evaluated = min(_EVALUATION_BATCH, max(samples.test, held_out(samples.train, spec.data.validation)))
    evaluation = evaluation_bytes(plan, evaluated)
    if plan.variable and any(layer.kind == "conv" for layer in plan.layers):
        evaluation = math.ceil(_LENGTHS * evaluation)
    if division is None:  # in the thread of the steps: tensors of fewer samples find room where theirs were
        evaluation = max(0, evaluation - activations * max(0, batch - evaluated) // batch)
    # A checkpoint is a copy of weights, optimizer and best weights; the copy is still there while the next steps run.
    state = optimizer + weights
    copy = weights + state
    # At its end a training holds no activations, and saving can use their memory.
    saving = max(copy + weights + _SERIALISED * state, _EXPORT * weights)
    parts = {
        "weights": weights,
        "gradients": weights * shares,
        "optimizer": optimizer,
        "best_weights": weights,
        "activations": activations,
        "evaluation": evaluation,
        "checkpoint": max(copy, saving - activations - evaluation),
        "libraries": _LIBRARIES,
    }
    # The file as it is, the training split cut out of it, and copies in the network's size: one of each split, and
    # one of the training split that the normalisation is measured on.
    copies = samples.train * samples.raw_bytes + (2 * samples.train + samples.test) * samples.resized_bytes
    return Memory(parts, samples.file_bytes + copies)


def largest_batch_size(fits: Callable[[int], bool], least: int = 1) -> int | None:
    """The largest batch that fits, by bisection: more samples never need less. None if not even ``least`` fit."""
    if not fits(least):
        return None
    low, high = least, MOST_BATCH + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _numbers(optimizer: Optimizer) -> int:
    """What an optimizer keeps for each parameter (``models.training.optim``)."""
    match optimizer.name:
        case "gd":
            return 0
        case "sgd":
            return 1 if optimizer.momentum else 0
        case "rmsprop":
            return 2 if optimizer.momentum else 1
        case "adam" | "adamw":
            return 2
