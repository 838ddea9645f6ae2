"""One vector of a sequence's states in ONNX: where each direction ended, or the mean or maximum of the real steps."""

import numpy as np
from onnx import TensorProto

from core.plan import Layer
from models.export import steps
from models.export.steps import whole_numbers
from models.export.writer import Writer


def last(writer: Writer, layer: Layer, value: str) -> str:
    """[N, T, H] -> [N, H]: the last real step; the backward half of a bidirectional layer ends at the first."""
    if not layer.options["bidirectional"]:
        return _last_step(writer, layer, value)
    width = layer.input[1]
    halves = whole_numbers(writer, [width // 2, width // 2])
    forward, backward = writer.node_outputs("Split", 2, value, halves, axis=2)
    ends = (_last_step(writer, layer, forward), _at_step(writer, backward, 0))
    return writer.node("Concat", *ends, axis=1)


def mean(writer: Writer, layer: Layer, value: str) -> str:
    """[N, T, H] -> [N, H]."""
    if writer.lengths is None:
        return writer.node("ReduceMean", value, whole_numbers(writer, [1]), keepdims=0)
    filled = steps.filled(writer, value, 0.0, axis=1, others=[2])
    total = writer.node("ReduceSum", filled, whole_numbers(writer, [1]), keepdims=0)
    counts = writer.node("Unsqueeze", writer.lengths, whole_numbers(writer, [1]))
    return writer.node("Div", total, writer.node("Cast", counts, to=TensorProto.FLOAT))


def maximum(writer: Writer, layer: Layer, value: str) -> str:
    """[N, T, H] -> [N, H]."""
    if writer.lengths is not None:
        value = steps.filled(writer, value, -np.inf, axis=1, others=[2])
    return writer.node("ReduceMax", value, whole_numbers(writer, [1]), keepdims=0)


def _last_step(writer: Writer, layer: Layer, value: str) -> str:
    if writer.lengths is None:
        return _at_step(writer, value, layer.input[0] - 1)
    index = writer.node("Sub", writer.lengths, whole_numbers(writer, 1))
    return writer.node("GatherND", value, writer.node("Unsqueeze", index, whole_numbers(writer, [1])), batch_dims=1)


def _at_step(writer: Writer, value: str, step: int) -> str:
    return writer.node("Gather", value, whole_numbers(writer, step), axis=1)
