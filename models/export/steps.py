"""Sequences of several lengths in ONNX: which steps are real, and how many a layer leaves of them."""

import numpy as np
from numpy.typing import NDArray

from core.plan import Layer
from core.plan_steps import POOLS
from models.export.writer import Writer


def filled(writer: Writer, value: str, fill: float, *, axis: int, others: list[int]) -> str:
    """``value`` with ``fill`` behind each sequence's end; time is ``axis``, and ``others`` are not that of samples."""
    assert writer.lengths is not None
    count = writer.node("Squeeze", writer.node("Shape", value, start=axis, end=axis + 1))
    steps = writer.node("Range", whole_numbers(writer, 0), count, whole_numbers(writer, 1))
    real = writer.node("Less", steps, writer.node("Unsqueeze", writer.lengths, whole_numbers(writer, [1])))
    real = writer.node("Unsqueeze", real, whole_numbers(writer, others))
    return writer.node("Where", real, value, writer.constant(np.array(fill, np.float32)))


def leave(writer: Writer, layer: Layer) -> None:
    """From here on the lengths are those behind ``layer``: ``core.plan_steps.left`` as nodes."""
    if writer.lengths is None:
        return
    if layer.kind == "conv":
        kernel, stride, padding = (int(layer.options[name]) for name in ("kernel", "stride", "padding"))
        places = writer.node("Add", writer.lengths, whole_numbers(writer, 2 * padding - kernel))
        writer.lengths = writer.node(
            "Add", writer.node("Div", places, whole_numbers(writer, stride)), whole_numbers(writer, 1)
        )
    elif layer.kind in POOLS:
        writer.lengths = writer.node("Div", writer.lengths, whole_numbers(writer, int(layer.options["size"])))


def whole_numbers(writer: Writer, values: int | list[int]) -> str:
    """A constant of int64."""
    array: NDArray[np.int64] = np.array(values, np.int64)
    return writer.constant(array)
