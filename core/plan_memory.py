"""How much memory a training needs, from its plan: an estimate for the process that trains, on a CPU.

The arithmetic follows what PyTorch keeps for the backward pass; its few factors were fitted on the peak of resident
memory (VmHWM) of 125 measured trainings - CNNs and RNNs of 60 to 1,300 MiB, batches of 16 to 512, every kind of layer,
optimizer and precision - which ``tests/footprint.py`` runs as a worker does, with two threads and the worker's
allocator settings. Of those and 45 others, 163 of 170 lay within 25 % or 64 MiB; 7 missed by up to 35 %. It says too
little for residual blocks with silu on large maps (362-376 MiB said, 466-520 taken, which is outside the bounds of
``tests/unit/test_memory.py``: that draws smaller networks) and too much for a large LSTM of two layers (1,593, 1,178).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.plan import FULL_BATCH_CHUNK, Plan
from core.plan_layers import BYTES, GATES, Layer, Shape
from core.plan_length import held_out
from core.specs import Optimizer, TrainSpec

MOST_BATCH = 2**20
"""The largest batch_size that a spec may have."""
_LIBRARIES = 80 * 2**20
"""What the first step and the export touch of torch and ONNX Runtime: 61 MiB for the smallest RNN, 72 for a CNN; the
fit over larger networks gives 87, since each kernel brings pages and buffers of its own."""
_EVALUATION_BATCH = 512
"""``models.evaluate`` looks at this many samples at once."""
_READ_AT_ONCE = 1024
"""And at this many tokens of a text that is read through."""
_IN_FLIGHT = 1.25
"""The two gradients that the backward pass holds beside what it goes through. The fit gives 1.23: the allocator's
holes and the convolutions' own buffers are in it."""
_EVALUATION = 0.9
"""Evaluation's maps are of another size than training's, so that they find few holes to reuse; the fit gives 0.90."""
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
_RECURRENT = {"elman": 4, "gru": 8, "lstm": 24}
"""Numbers that a training step holds at its peak for each state of each step and layer. PyTorch's LSTM keeps on a CPU
the projections, the gates, both states and the gradients of all; the fits give 3.9, 7.3 and 24.2."""
_RECURRENT_BF16 = {"elman": 2, "gru": 6, "lstm": 15}
"""The same under autocast: of GRU and LSTM only the matrix products are halved (fits: 5.2 and 15.4)."""
_RECURRENT_EVALUATION = {"elman": 1, "gru": 6, "lstm": 1}
"""The same without gradients: a GRU projects the whole sequence at once, three gates (fits: 1.0, 5.8 and 0.8)."""
_OF_AN_OUTPUT = 56
"""Bytes that the scores of a forecast hold of each number foretold: the number, what came, and their difference, in
double precision. Two tables of 500,000 and 1,000,000 rows gave 56 and 54."""
_VIEWS = frozenset({"flatten", "rows", "readout_last"})
"""Layers that only look at their input in another way."""
_OF_INPUT = frozenset({"leaky_relu", "gelu", "silu"})
"""Activations whose gradient is computed from their input; the others' from their output."""
_KEEP_INPUT = frozenset(
    {"conv", "max_pool", "average_pool", "batch_norm", "group_norm", "dense", "global_max", "readout_max", *GATES}
)


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


def needed(plan: Plan, spec: TrainSpec, samples: Samples, batch_size: int | None = None, devices: int = 1) -> Memory:
    """The memory of a training; ``batch_size`` instead of the spec's, if it is given.

    On several ``devices`` each has a process, with a part of every batch and data of its own; they share the file.
    """
    rules = spec.hyperparameters
    batch = math.ceil(min(batch_size or rules.samples_per_batch or FULL_BATCH_CHUNK, samples.train) / devices)
    halved = rules.precision == "bf16"
    weights = plan.parameters * BYTES
    optimizer = _numbers(rules.optimizer) * weights
    activations = math.ceil(batch * _step_bytes(plan, halved))
    evaluated = min(_EVALUATION_BATCH, max(samples.test, held_out(samples.train, spec.data.validation)))
    if plan.carries:
        evaluated = math.ceil(_READ_AT_ONCE / plan.input[0])
    evaluation = math.ceil(_EVALUATION * evaluated * _evaluation_bytes(plan))
    # A checkpoint is a copy of weights, optimizer and best weights; the copy is still there while the next steps run.
    state = optimizer + weights
    copy = weights + state
    # At its end a training holds no activations, and saving can use their memory.
    saving = max(copy + weights + _SERIALISED * state, _EXPORT * weights)
    # Another process has its own of these; and in each the gradients are added up in one more copy.
    ranks = (devices - 1) * (2 * weights + optimizer + activations + _LIBRARIES)
    ranks += devices * weights if devices > 1 else 0
    parts = {
        "weights": weights,
        "gradients": weights,
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


def _step_bytes(plan: Plan, halved: bool) -> float:
    """Of one sample in a training step, at its peak: all that is kept up to a layer, and that layer's two gradients.

    The loss of a language model keeps the logarithms of all probabilities, in fp32.
    """
    layers = _flat(plan.layers)
    number = BYTES / 2 if halved else BYTES
    kept = math.prod(plan.input) * float(BYTES + 1)  # raw, and normalised
    total = peak = kept
    for index, layer in enumerate(layers):
        following = next((one for one in layers[index + 1 :] if one.kind not in _VIEWS), None)
        total += _kept(layer, following, number, halved)
        values = 0 if layer.kind in GATES else math.prod(layer.input) + math.prod(layer.output)
        if layer.name.count("."):  # in a residual block: the gradient of the way around it waits
            values += math.prod(layer.output)
        if plan.carries and index == len(layers) - 1:
            total += math.prod(layer.output) * BYTES
        peak = max(peak, total + _IN_FLIGHT * values * number)
    return peak


def _kept(layer: Layer, following: Layer | None, number: float, halved: bool) -> float:
    """Bytes of one sample that the forward pass leaves for the backward pass."""
    outputs = math.prod(layer.output)
    if layer.kind in GATES:
        return outputs * int(layer.options["layers"]) * (_RECURRENT_BF16 if halved else _RECURRENT)[layer.kind] * BYTES
    if layer.kind in _VIEWS:
        return 0
    kept = 0.0
    by_input = layer.options.get("function") in _OF_INPUT
    by_output = layer.kind in ("global_max", "readout_max") or ("function" in layer.options and not by_input)
    if by_output or (following is not None and _keeps_input(following)):
        kept += outputs * number
    if layer.kind == "residual" and by_input:
        kept += outputs * number  # the sum
    if layer.kind == "max_pool":
        kept += outputs * 8  # where each maximum was, as int64
    if layer.kind == "dropout":
        kept += outputs * number  # which values it let through
    return kept


def _keeps_input(layer: Layer) -> bool:
    return layer.kind in _KEEP_INPUT or (layer.kind == "activation" and layer.options["function"] in _OF_INPUT)


def _flat(layers: tuple[Layer, ...]) -> list[Layer]:
    """In the order of computation: the body of a residual block before its sum."""
    return [one for layer in layers for one in (*layer.inner, layer)]


def _evaluation_bytes(plan: Plan) -> int:
    """Of one sample in evaluation, at its peak: a layer's input and output, and what it needs between them."""
    most = 0
    for layer in plan.layers:
        inputs, outputs = math.prod(layer.input), math.prod(layer.output)
        if layer.kind in GATES:
            count = _RECURRENT_EVALUATION[layer.kind] * outputs + inputs
        elif layer.kind == "residual":  # the block's input waits for the sum
            normalised = any(part.kind.endswith("_norm") for part in layer.inner)
            count = (4 if normalised else 3) * outputs
        elif layer.kind.endswith("_norm"):
            count = 3 * outputs
        else:
            count = inputs + outputs
        most = max(most, count * BYTES)
    return most
