"""How much memory a training needs, from its plan: an estimate for the process that trains, on a CPU.

A step's tensors are put into a heap in the order in which PyTorch makes and frees them (``core.plan_tensors``), as many
samples at once as training takes (``core.plan_shares``). What remains measured are the few factors below and what
recurrent layers have inside. Checked on the peak of resident memory (VmHWM), which ``tests/footprint.py`` measures as a
worker trains, with two threads and the worker's allocator settings: ``tests/unit/test_memory.py`` draws networks of
every kind of layer, and holds them and the examples to 25 % or 64 MiB, by the middle of five where chance is large. An
evaluation looks at as many samples as are small together (``core.plan_shares``), or it would be most of the peak.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.plan import FULL_BATCH_CHUNK, Plan
from core.plan_layers import BYTES, Shape
from core.plan_length import held_out
from core.plan_shares import Division, divide, together
from core.plan_tensors import evaluation_bytes, step_bytes
from core.specs import Optimizer, TrainSpec

USUAL_THREADS = 2
"""Of a job, while no worker is known that would say."""
MOST_BATCH = 2**20
"""The largest batch_size that a spec may have."""
_LIBRARIES = 80 * 2**20
"""What the first step and the export touch of torch and ONNX Runtime: 61 MiB for the smallest RNN, 72 for a CNN; the
fit over larger networks gives 87, since each kernel brings pages and buffers of its own."""
_MEASURED = 64
"""Samples whose tensors are put into a heap; what others take is in proportion."""
_READ_AT_ONCE = 1024
"""And at this many tokens of a text that is read through."""
_GROWTH = 1.35
_GROWTH_OF_SHARES = 1.15
"""From step to step small tensors that stay fall into holes, which then take no large one any more; where, is chance:
the same training of a 5x5 convolution with batch normalisation took from 426 to 670 MiB. The threads of shares have
heaps of their own, which are given back when they are empty."""
_LENGTHS = 1.6
"""Batches from short to long: the larger tensors of a convolution do not fit where the last batch's were."""
_EXPORT = 7
"""Copies of the weights at the end: the best checkpoint, a network to compare with, the ONNX message (array, graph,
model, bytes) and ONNX Runtime's own. An SGD of 64 MiB of weights peaks at 10.3 times their size, 3 of them held."""
_SERIALISED = 3
"""safetensors holds each tensor as bytes, then the whole file twice. An SGD with momentum (14 copies in all) was
measured at 14.1 times its 64 MiB of weights, an Adam (19) at 18.1."""
_MAPPED = 64 * 2**20
"""A chunk of a mapped data set on its way to statistics, or to another size: 4 MiB, and its copies in wider types."""
_MAPPED_SAMPLE = 64
"""Of each sample in memory: target, length, row and place in the file, and the order of an epoch as it is drawn."""
_OF_AN_OUTPUT = 56
"""Bytes that the scores of a forecast hold of each number foretold: the number, what came, and their difference, in
double precision. Two tables of 500,000 and 1,000,000 rows gave 56 and 54."""


@dataclass(frozen=True)
class Samples:
    """What memory depends on in a dataset: the size of its file, and the bytes of one raw and one resized sample."""

    train: int
    test: int
    file_bytes: int
    raw_bytes: int
    resized_bytes: int
    """0 where the samples keep their size."""
    mappable: bool = True
    """Whether they may stay on disk: a forecast's table and a corpus are always in memory."""

    @classmethod
    def of(
        cls, kind: str, shape: Shape, resize: list[int] | None, splits: dict[str, int], file_bytes: int
    ) -> "Samples":
        """From a dataset's row and the size that its images get."""
        # pixels are bytes; of a corpus a character is an id, and there is the text itself, whole and cut into splits
        value = {"image": 1, "corpus": 2 * BYTES}.get(kind, BYTES)
        resized = math.prod(resize) * shape[2] * value if resize is not None else 0
        raw = math.prod(shape) * value
        return cls(splits["train"], splits["test"], file_bytes, raw, resized, kind != "corpus")

    @classmethod
    def of_windows(cls, windows: Mapping[str, int], outputs: int, file_bytes: int) -> "Samples":
        """From the windows of a forecast's table, which is held three times: as its file, its splits, and whole again.

        The numbers foretold and those that came, of the whole test split and in double precision, stand for what else
        there is of a window.
        """
        held = windows["test"] * outputs * _OF_AN_OUTPUT // windows["train"]
        return cls(windows["train"], windows["test"], 3 * file_bytes, held, 0, mappable=False)


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak, beside the process itself. ``parts`` add up to ``training_bytes``.

    ``mapped_bytes`` are what takes the place of ``dataset_bytes`` where the samples stay on disk.
    """

    parts: dict[str, int]
    dataset_bytes: int
    mapped_bytes: int

    @property
    def training_bytes(self) -> int:
        """All but the dataset."""
        return sum(self.parts.values())

    @property
    def total_bytes(self) -> int:
        """With the data set in memory, as a worker trains whose slot has so much."""
        return self.training_bytes + self.dataset_bytes

    @property
    def least_bytes(self) -> int:
        """What a worker's slot must have: with less than ``total_bytes`` the samples stay on disk."""
        return self.training_bytes + min(self.dataset_bytes, self.mapped_bytes)


@dataclass(frozen=True)
class Heaps:
    """Bytes a sample that a training step takes, and a look at samples without gradients."""

    step: float
    evaluation: float

    @classmethod
    def of(cls, plan: Plan, spec: TrainSpec) -> "Heaps":
        """From those of some samples: a deep network has thousands of tensors, and batches are tried one by one."""
        halved = spec.hyperparameters.precision == "bf16"
        step = step_bytes(plan, _MEASURED, halved=halved)
        return cls(step / _MEASURED, evaluation_bytes(plan, _MEASURED) / _MEASURED)


def needed(
    plan: Plan,
    spec: TrainSpec,
    samples: Samples,
    threads: int = USUAL_THREADS,
    batch_size: int | None = None,
    devices: int = 1,
    heaps: Heaps | None = None,
) -> Memory:
    """The memory of a training on so many threads; ``batch_size`` instead of the spec's, if it is given.

    On several ``devices`` each has a process, with a part of every batch and data of its own; they share the file.
    ``heaps`` are those of this plan and spec, for who asks about several batches.
    """
    rules, heaps = spec.hyperparameters, heaps or Heaps.of(plan, spec)
    whole = math.ceil((batch_size or rules.samples_per_batch or FULL_BATCH_CHUNK) / devices)
    batch = min(whole, math.ceil(samples.train / devices))
    division = divide(plan, whole, max(1, threads // devices))
    shares, activations = _step(plan, division, batch, heaps)
    weights = plan.parameters * BYTES
    optimizer = _numbers(rules.optimizer) * weights
    evaluated, evaluation = _evaluation(plan, spec, samples, heaps)
    if division is None:  # in the thread of the steps: tensors of fewer samples find room where theirs were
        evaluation = max(0, evaluation - activations * max(0, batch - evaluated) // batch)
    evaluation += _said(plan, spec, samples)
    # A checkpoint is a copy of weights, optimizer and best weights; the copy is still there while the next steps run.
    state = optimizer + weights
    copy = weights + state
    # At its end a training holds no activations, and saving can use their memory.
    saving = max(copy + weights + _SERIALISED * state, _EXPORT * weights)
    # Another process has its own of these; and in each the gradients are added up in one more copy.
    ranks = (devices - 1) * (weights * (1 + shares) + optimizer + activations + _LIBRARIES)
    ranks += devices * weights if devices > 1 else 0
    parts = {
        "weights": weights,
        "gradients": weights * shares,
        "optimizer": optimizer,
        "best_weights": weights,
        "activations": activations,
        "evaluation": evaluation,
        "checkpoint": max(copy, saving - activations - evaluation),
        "libraries": _LIBRARIES,
        "ranks": ranks,
    }
    # The file as it is, the training split cut out of it, and a copy of each split in the network's size.
    copies = samples.train * samples.raw_bytes + (samples.train + samples.test) * samples.resized_bytes
    read = max(batch, evaluated) * (samples.raw_bytes + samples.resized_bytes)
    mapped = _MAPPED + _MAPPED_SAMPLE * (samples.train + samples.test) + read
    held = samples.file_bytes + devices * copies
    return Memory(parts, held, devices * mapped if samples.mappable else held)


def _step(plan: Plan, division: Division | None, batch: int, heaps: Heaps) -> tuple[int, int]:
    """Threads that share a batch, and the bytes that its inputs, and what is kept for the backward pass, take."""
    inputs = batch * math.prod(plan.input) * (BYTES + 1)  # raw, and normalised
    if division is None:
        return 1, inputs + math.ceil(_GROWTH * batch * heaps.step)
    piece = min(math.ceil(batch / division.threads), division.piece)
    steps = division.threads * piece * heaps.step
    return division.threads, inputs + math.ceil(_GROWTH_OF_SHARES * steps)


def _evaluation(plan: Plan, spec: TrainSpec, samples: Samples, heaps: Heaps) -> tuple[int, int]:
    """How many samples are looked at together, and their bytes."""
    most = max(samples.test, held_out(samples.train, spec.data.validation))
    count = min(together(plan), most)
    if plan.carries:
        count = math.ceil(_READ_AT_ONCE / plan.input[0])
    taken = math.ceil(count * heaps.evaluation)
    if plan.variable and any(layer.kind == "conv" for layer in plan.layers):
        taken = math.ceil(_LENGTHS * taken)
    return count, taken


def _said(plan: Plan, spec: TrainSpec, samples: Samples) -> int:
    """What the network says of a whole split, twice while its parts are put together: much where classes are many.

    Of forecasts, and of a text, it is counted elsewhere.
    """
    if not samples.mappable:
        return 0
    return 2 * BYTES * plan.outputs * max(samples.test, held_out(samples.train, spec.data.validation))


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
