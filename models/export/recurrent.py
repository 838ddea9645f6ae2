"""Recurrent layers as ONNX's own RNN, GRU and LSTM operators, one for each depth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from core.plan import Layer
from models.export.writer import Writer

_OPERATORS = {"elman": "RNN", "gru": "GRU", "lstm": "LSTM"}
_GATES = {
    "elman": [0],
    "gru": [1, 0, 2],  # PyTorch: reset, update, new; ONNX: update, reset, hidden
    "lstm": [0, 3, 1, 2],  # PyTorch: input, forget, cell, output; ONNX: input, output, forget, cell
}
"""For each of ONNX's gates, which of PyTorch's it is."""


def write_recurrent(writer: Writer, layer: Layer, value: str) -> str:
    """[N, T, F] -> [N, T, H * directions]; behind a sequence's end ONNX's operators give zeros.

    Where the writer has states, each depth starts from its own of them, and those that it leaves take their place.
    """
    kind, hidden = layer.kind, int(layer.options["hidden"])
    suffixes = ["", "_reverse"] if layer.options["bidirectional"] else [""]
    attributes: dict[str, Any] = {"hidden_size": hidden}
    if len(suffixes) == 2:
        attributes["direction"] = "bidirectional"
    if kind == "gru":
        attributes["linear_before_reset"] = 1  # as PyTorch: the reset gate acts on U h + b
    value = writer.node("Transpose", value, perm=[1, 0, 2])
    left: list[list[str]] = [[] for _ in writer.states]
    for depth in range(int(layer.options["layers"])):
        parts = [_direction(writer, layer, f"l{depth}{suffix}") for suffix in suffixes]
        operands = [writer.constant(np.stack([part[index] for part in parts])) for index in range(3)]
        if writer.lengths is not None:
            operands.append(writer.node("Cast", writer.lengths, to=TensorProto.INT32))
        elif writer.states:
            index = writer.constant(np.array([depth], np.int64))
            operands += ["", *(writer.node("Gather", whole, index, axis=0) for whole in writer.states)]
        states, *ends = writer.node_outputs(_OPERATORS[kind], 1 + len(left), value, *operands, **attributes)
        for whole, end in zip(left, ends, strict=True):
            whole.append(end)
        states = writer.node("Transpose", states, perm=[0, 2, 1, 3])  # it was [T, directions, N, H]
        shape = np.array([0, 0, hidden * len(suffixes)], np.int64)
        value = writer.node("Reshape", states, writer.constant(shape))
    writer.states = [writer.node("Concat", *ends, axis=0) for ends in left]
    return writer.node("Transpose", value, perm=[1, 0, 2])


def _direction(writer: Writer, layer: Layer, name: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """W, R and B of one direction, gates in ONNX's order."""

    def gates(part: str) -> NDArray[Any]:
        array = writer.weights[f"{layer.name}.{part}_{name}"]
        blocks = np.split(array, len(_GATES[layer.kind]))
        return np.concatenate([blocks[gate] for gate in _GATES[layer.kind]])

    bias = gates("bias_ih")
    other = np.zeros_like(bias) if layer.kind == "elman" else gates("bias_hh")  # the formula has one b
    return gates("weight_ih"), gates("weight_hh"), np.concatenate([bias, other])
