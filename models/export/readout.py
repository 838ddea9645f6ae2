"""One vector of a sequence's states in ONNX: where each direction ended, or the mean or maximum of the real steps."""

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from core.plan import Layer
from models.export.writer import Writer


def last(writer: Writer, layer: Layer, value: str) -> str:
    """[N, T, H] -> [N, H]: the last real step; the backward half of a bidirectional layer ends at the first."""
    if not layer.options["bidirectional"]:
        return _last_step(writer, layer, value)
    width = layer.input[1]
    halves = _whole_numbers(writer, [width // 2, width // 2])
    forward, backward = writer.node_outputs("Split", 2, value, halves, axis=2)
    ends = (_last_step(writer, layer, forward), _at_step(writer, backward, 0))
    return writer.node("Concat", *ends, axis=1)


def mean(writer: Writer, layer: Layer, value: str) -> str:
    """[N, T, H] -> [N, H]."""
    if writer.lengths is None:
        return writer.node("ReduceMean", value, _whole_numbers(writer, [1]), keepdims=0)
    total = writer.node("ReduceSum", _filled(writer, value, 0.0), _whole_numbers(writer, [1]), keepdims=0)
    counts = writer.node("Unsqueeze", writer.lengths, _whole_numbers(writer, [1]))
    return writer.node("Div", total, writer.node("Cast", counts, to=TensorProto.FLOAT))


def maximum(writer: Writer, layer: Layer, value: str) -> str:
    """[N, T, H] -> [N, H]."""
    if writer.lengths is not None:
        value = _filled(writer, value, -np.inf)
    return writer.node("ReduceMax", value, _whole_numbers(writer, [1]), keepdims=0)


def _last_step(writer: Writer, layer: Layer, value: str) -> str:
    if writer.lengths is None:
        return _at_step(writer, value, layer.input[0] - 1)
    index = writer.node("Sub", writer.lengths, _whole_numbers(writer, 1))
    return writer.node("GatherND", value, writer.node("Unsqueeze", index, _whole_numbers(writer, [1])), batch_dims=1)


def _at_step(writer: Writer, value: str, step: int) -> str:
    return writer.node("Gather", value, _whole_numbers(writer, step), axis=1)


def _filled(writer: Writer, value: str, fill: float) -> str:
    """``value`` [N, T, H] with ``fill`` behind each sequence's end."""
    assert writer.lengths is not None
    steps = writer.node("Shape", value, start=1, end=2)
    first, by = _whole_numbers(writer, 0), _whole_numbers(writer, 1)
    steps = writer.node("Range", first, writer.node("Squeeze", steps), by)
    real = writer.node("Less", steps, writer.node("Unsqueeze", writer.lengths, _whole_numbers(writer, [1])))
    real = writer.node("Unsqueeze", real, _whole_numbers(writer, [2]))
    return writer.node("Where", real, value, writer.constant(np.array(fill, np.float32)))


def _whole_numbers(writer: Writer, values: int | list[int]) -> str:
    array: NDArray[np.int64] = np.array(values, np.int64)
    return writer.constant(array)
