"""The tensors of one training step in the order in which PyTorch makes and frees them: how large its heap becomes."""

import math

from core.plan import Plan
from core.plan_heap import Block, Heap
from core.plan_layers import BYTES, GATES, Layer

OF_INPUT = frozenset({"leaky_relu", "gelu", "silu"})
"""Activations whose gradient is computed from their input; the others' from their output."""
_INDEX = 8
"""Bytes of an int64: max-pool remembers where each maximum was."""
_RECURRENT = {"elman": ((1, 2), (0, 4)), "gru": ((0, 8), (2, 6)), "lstm": ((5, 8), (8, 16))}
"""Numbers that a step holds at its peak for each state of each time, in one direction and in two: some of one layer,
and some of each. They are projections, gates, states and the gradients of all; measured, since PyTorch's own layers
make them inside."""
_RECURRENT_BF16 = {"elman": ((1, 1), (1, 2)), "gru": ((1, 4), (2, 3)), "lstm": ((1, 9), (4, 15))}
"""The same under autocast, where only the matrix products are halved."""
_RECURRENT_EVALUATION = {"elman": (1, 2), "gru": (5, 4), "lstm": (1, 1)}
"""The same of one layer without gradients: a GRU projects the whole sequence at once, three gates of one direction."""
_NOT_KEPT = frozenset({"dropout", "global_average", "readout_mean", "flatten", "embedding"})
"""Layers whose gradient needs no look at their input."""


class _Tensor:
    """A block that several may use; it is given back by the last of them."""

    def __init__(self, block: Block) -> None:
        self.block, self.users = block, 1


class _Node:
    """A node of the backward pass: the bytes a sample of the gradient that it makes, and what was kept for it."""

    def __init__(self, kind: str, gradient: int, kept: list[_Tensor]) -> None:
        self.kind, self.gradient, self.kept = kind, gradient, kept


def step_bytes(plan: Plan, samples: int, *, halved: bool) -> int:
    """The heap of a forward and backward pass of so many samples; ``halved``: under autocast, in bf16."""
    step = _Step(samples, plan.variable, halved=halved, training=True)
    logits = step.through(plan)
    probabilities = math.prod(plan.layers[-1].output) * BYTES if plan.carries else 0
    step.backward(logits, probabilities)
    return step.heap.top


def evaluation_bytes(plan: Plan, samples: int) -> int:
    """The same of a forward pass that keeps nothing, in fp32."""
    step = _Step(samples, plan.variable, halved=False, training=False)
    step.through(plan)
    return step.heap.top


class _Step:
    def __init__(self, samples: int, variable: bool, *, halved: bool, training: bool) -> None:
        self.heap, self.samples = Heap(), samples
        self.variable, self.halved, self.training = variable, halved, training
        self.number = BYTES // 2 if halved else BYTES
        self.nodes: list[_Node] = []

    def new(self, size: int) -> _Tensor:
        """A tensor of so many bytes a sample."""
        return _Tensor(self.heap.take(self.samples * size))

    def free(self, *tensors: _Tensor) -> None:
        """One user less of each."""
        for tensor in tensors:
            tensor.users -= 1
            if not tensor.users:
                self.heap.give_back(tensor.block)

    def note(self, kind: str, gradient: int, kept: list[_Tensor]) -> None:
        """A node; without a backward pass it keeps nothing."""
        if self.training:
            self.nodes.append(_Node(kind, gradient, kept))
        else:
            self.free(*kept)

    def through(self, plan: Plan) -> _Tensor:
        """The logits."""
        value = self.new(math.prod(plan.input) * BYTES)
        for layer in plan.layers:
            value = self.forward(layer, value)
        return value

    def forward(self, layer: Layer, value: _Tensor) -> _Tensor:
        """The layer's output. It takes ``value`` over: to keep it for the backward pass, or to free it."""
        kind, number = layer.kind, self.number
        inputs, outputs = math.prod(layer.input) * number, math.prod(layer.output) * number
        if kind == "residual":
            return self._residual(layer, value, outputs)
        if kind == "activation":
            return self._activation(str(layer.options["function"]), value, outputs)
        one_by_one = 1 in (math.prod(layer.input[:-1]), layer.input[-1])  # one place or one channel: no other order
        if kind in ("rows", "readout_last") or (kind == "flatten" and one_by_one):
            return value
        if kind == "dropout" and not self.training:
            return value
        if kind == "conv" and self.variable and layer.options["padding"]:
            copy = self.new(inputs)  # in which there are zeros behind the ends
            self.free(value)
            value = copy
        output = self.new(outputs)
        kept = [value]
        if kind in _NOT_KEPT:
            self.free(value)
            kept = []
        if kind == "dropout":
            kept.append(self.new(outputs))  # what it let through
        elif kind == "max_pool":
            kept.append(self.new(outputs // number * _INDEX))
        elif kind in ("global_max", "readout_max"):
            kept.append(_shared(output))
        elif kind in GATES:
            kept.append(self.new(self._inside(layer)))
            inputs = 0  # their gradients are counted in what is inside
        self.note(kind, inputs, kept)
        return output

    def _inside(self, layer: Layer) -> int:
        """Bytes of one sample that a recurrent layer has beside its states."""
        states = math.prod(layer.output) * BYTES
        directions = 1 if layer.options["bidirectional"] else 0
        if not self.training:
            # what a further layer reads is there beside its own, and for the way back once more, turned around
            further = (1 + directions) * (layer.kind != "lstm" and int(layer.options["layers"]) > 1)
            return states * (_RECURRENT_EVALUATION[layer.kind][directions] - 1 + further)
        numbers = _RECURRENT_BF16 if self.halved else _RECURRENT
        once, each = numbers[layer.kind][directions]
        return states * (once + each * int(layer.options["layers"]) - 1)

    def _activation(self, function: str, value: _Tensor, size: int) -> _Tensor:
        output = self.new(size)
        if function in OF_INPUT:
            self.note("activation", size, [value])
        else:
            self.free(value)
            self.note("activation", size, [_shared(output)])
        return output

    def _residual(self, layer: Layer, value: _Tensor, size: int) -> _Tensor:
        inner = _shared(value)
        self.nodes.append(_Node("fork", 0, []))
        for part in layer.inner:
            inner = self.forward(part, inner)
        total = self.new(size)
        self.free(inner, value)
        self.nodes.append(_Node("sum", 0, []))
        return self._activation(str(layer.options["function"]), total, size)

    def backward(self, logits: _Tensor, probabilities: int) -> None:
        """From the last node to the first: each makes the gradient of its input from that of its output.

        The loss keeps so many bytes of ``probabilities`` a sample, in fp32: many where there is a head at every step.
        """
        if probabilities and self.halved:
            logits_in_full = self.new(probabilities)
            self.free(logits)
            logits = logits_in_full
        kept = self.new(probabilities)
        gradient = self.new(max(self.number, probabilities))
        self.free(logits, kept)
        around: list[_Tensor] = []  # the gradients of the ways around residual blocks wait for those of the bodies
        for number, node in reversed(list(enumerate(self.nodes))):
            if node.kind == "sum":
                around.append(_shared(gradient))
            elif node.kind == "fork":
                self.free(around.pop())
            elif node.gradient and number:  # nobody asks for that of the network's input
                made = self.new(node.gradient)
                if node.kind == "batch_norm":  # it needs one more while it works
                    self.free(self.new(node.gradient))
                self.free(gradient)
                gradient = made
            self.free(*node.kept)


def _shared(tensor: _Tensor) -> _Tensor:
    tensor.users += 1
    return tensor
