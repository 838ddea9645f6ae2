"""Convolutional layers in ONNX: images [N, C, H, W], and sequences [N, C, 1, T], as in ``models.networks``."""

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from core.plan import Layer
from models.export import steps
from models.export.steps import whole_numbers
from models.export.writer import Writer

_EPSILON = 1e-5
"""PyTorch's for batch and group normalisation."""


def as_channels(writer: Writer, layer: Layer, value: str, least: int) -> str:
    """[N, H, W, C] -> [N, C, H, W], or [N, T, C] -> [N, C, 1, T]; at least so many steps where they vary."""
    if len(layer.input) == 3:
        return writer.node("Transpose", value, perm=[0, 3, 1, 2])
    if writer.lengths is not None:
        value = steps.filled(writer, value, 0.0, axis=1, others=[2])
        if least > 1:
            count = writer.node("Shape", value, start=1, end=2)
            missing = writer.node("Max", writer.node("Sub", whole_numbers(writer, [least]), count), _zeros(writer, 1))
            pads = writer.node("Concat", _zeros(writer, 4), missing, _zeros(writer, 1), axis=0)
            value = writer.node("Pad", value, pads)
            writer.lengths = writer.node("Max", writer.lengths, whole_numbers(writer, least))
    value = writer.node("Transpose", value, perm=[0, 2, 1])
    return writer.node("Unsqueeze", value, whole_numbers(writer, [2]))


def conv(writer: Writer, layer: Layer, value: str) -> str:
    """Where sequences vary, its padding is what stands behind their ends."""
    options = layer.options
    padding = int(options["padding"])
    if padding:
        value = _filled(writer, value, 0.0)
    inputs = [value, writer.weight(layer, "weight")] + ([writer.weight(layer, "bias")] if options["bias"] else [])
    return writer.node("Conv", *inputs, strides=_sides(layer, "stride"), pads=2 * _sides(layer, "padding", 0))


def batch_norm(writer: Writer, layer: Layer, value: str) -> str:
    """By the statistics of the training."""
    names = ("weight", "bias", "running_mean", "running_var")
    return writer.node("BatchNormalization", value, *(writer.weight(layer, name) for name in names), epsilon=_EPSILON)


def group_norm(writer: Writer, layer: Layer, value: str) -> str:
    """Over the real steps of each sample."""
    scale, shift = writer.weight(layer, "weight"), writer.weight(layer, "bias")
    groups = int(layer.options["groups"])
    if writer.lengths is None:
        return writer.node("GroupNormalization", value, scale, shift, num_groups=groups, epsilon=_EPSILON)
    channels = layer.input[-1]
    shape = whole_numbers(writer, [0, groups, channels // groups, -1])  # [N, groups, channels, T]
    grouped = writer.node("Reshape", value, shape)
    lengths = writer.node("Cast", writer.lengths, to=TensorProto.FLOAT)
    lengths = writer.node("Unsqueeze", lengths, whole_numbers(writer, [1, 2, 3]))
    count = writer.node("Mul", lengths, writer.constant(np.array(channels // groups, np.float32)))

    def mean(values: str) -> str:
        total = writer.node("ReduceSum", _filled(writer, values, 0.0), whole_numbers(writer, [2, 3]))
        return writer.node("Div", total, count)

    centred = writer.node("Sub", grouped, mean(grouped))
    variance = writer.node("Add", mean(writer.node("Mul", centred, centred)), writer.constant(np.array(_EPSILON, "f4")))
    normal = writer.node("Div", centred, writer.node("Sqrt", variance))
    normal = writer.node("Reshape", normal, whole_numbers(writer, [0, channels, 1, -1]))
    along = [writer.node("Unsqueeze", one, whole_numbers(writer, [1, 2])) for one in (scale, shift)]
    return writer.node("Add", writer.node("Mul", normal, along[0]), along[1])


def pool(operator: str) -> Callable[[Writer, Layer, str], str]:
    """Windows side by side: those that are whole within a sequence are its own."""

    def write(writer: Writer, layer: Layer, value: str) -> str:
        size = _sides(layer, "size")
        return writer.node(operator, value, kernel_shape=size, strides=size)

    return write


def global_average(writer: Writer, layer: Layer, value: str) -> str:
    """[N, C, H, W] -> [N, C, 1, 1]."""
    if writer.lengths is None:
        return writer.node("GlobalAveragePool", value)
    total = writer.node("ReduceSum", _filled(writer, value, 0.0), whole_numbers(writer, [3]))
    lengths = writer.node("Cast", writer.lengths, to=TensorProto.FLOAT)
    return writer.node("Div", total, writer.node("Unsqueeze", lengths, whole_numbers(writer, [1, 2, 3])))


def global_max(writer: Writer, layer: Layer, value: str) -> str:
    """[N, C, H, W] -> [N, C, 1, 1]."""
    return writer.node("GlobalMaxPool", _filled(writer, value, -np.inf))


def _filled(writer: Writer, value: str, fill: float) -> str:
    """[N, C, 1, T] with ``fill`` behind each sequence's end; images, and sequences of one length, as they are."""
    return value if writer.lengths is None else steps.filled(writer, value, fill, axis=3, others=[1, 2])


def _sides(layer: Layer, option: str, along_row: int = 1) -> list[int]:
    """An option for both axes of an image; a sequence is an image of one row, whose height has ``along_row``."""
    number = int(layer.options[option])
    return [number if len(layer.input) == 3 else along_row, number]


def _zeros(writer: Writer, count: int) -> str:
    return whole_numbers(writer, [0] * count)
