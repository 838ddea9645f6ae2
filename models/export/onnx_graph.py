"""Plan + weights -> ONNX: one small function for each kind of layer.

The graph's input is ``input``, float32 after preprocessing: images [N, H, W, C] for both families, or series [N, T, F];
or int32 token ids [N, T]. Where sequences vary in length there is a second one, ``lengths`` int64 [N], each 1 to T. The
output is ``logits`` [N, classes]. Dropout is left out: the graph is for prediction.

A language model's graph reads ``input``, tokens int32 [N, T], and ``state`` (an LSTM also ``cell``), float32 [layers,
N, H], zeros before the first token; it gives ``logits`` [N, T, vocabulary], and ``next_state`` (``next_cell``) to go on
with.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from core.plan import Layer, Plan
from core.plan_layers import BYTES, GATES
from models.export import convolution, readout, steps
from models.export.recurrent import write_recurrent
from models.export.writer import Writer

OPSET = 21
_IR_VERSION = 10
_MOST_BYTES = 2**31 - 2**24
"""A protobuf message ends at 2 GiB; the rest is for names and nodes."""


def export(plan: Plan, state_dict: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """The ONNX file of a network; ``state_dict`` as ``build(plan)`` has it. ValueError: too large for one file.

    ``metadata`` goes into the file's own, for whoever has nothing but the file.
    """
    if plan.parameters * BYTES > _MOST_BYTES:
        raise ValueError(f"an ONNX file holds at most 2 GB and this network has {plan.parameters:,} parameters")
    writer = Writer({name: np.ascontiguousarray(value.numpy(force=True)) for name, value in state_dict.items()})
    value = "input"
    if plan.variable:
        writer.lengths = "lengths"
    convolves = next((layer for layer in plan.layers if layer.kind == "conv"), None)
    if plan.carries:
        writer.states = state_names(plan)
    for layer in plan.layers:
        if layer is convolves:
            value = convolution.as_channels(writer, layer, value, plan.least_steps)
        value = _write(writer, layer, value)
        steps.leave(writer, layer)
    writer.node("Identity", value, output="logits")
    for name, left in zip(state_names(plan), writer.states, strict=False):
        writer.node("Identity", left, output=f"next_{name}")
    graph = helper.make_graph(
        writer.nodes,
        "network",
        _inputs(plan),
        _outputs(plan),
        [numpy_helper.from_array(array, name) for name, array in writer.constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION, producer_name="epochd"
    )
    helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def state_names(plan: Plan) -> list[str]:
    """What a language model's recurrent layer carries on, in the order of ``Network.carry``."""
    return ["state", "cell"] if any(layer.kind == "lstm" for layer in plan.layers) else ["state"]


def _states(plan: Plan, prefix: str = "") -> list[onnx.ValueInfoProto]:
    (recurrent,) = (layer for layer in plan.layers if layer.kind in GATES)
    shape: list[str | int | None] = [int(recurrent.options["layers"]), "batch", int(recurrent.options["hidden"])]
    return [helper.make_tensor_value_info(prefix + name, TensorProto.FLOAT, shape) for name in state_names(plan)]


def _outputs(plan: Plan) -> list[onnx.ValueInfoProto]:
    if not plan.carries:
        return [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", plan.outputs])]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "time", plan.outputs])
    return [logits, *_states(plan, "next_")]


def _inputs(plan: Plan) -> list[onnx.ValueInfoProto]:
    if plan.carries:
        return [helper.make_tensor_value_info("input", TensorProto.INT32, ["batch", "time"]), *_states(plan)]
    if not plan.variable:
        return [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *plan.input])]
    number = TensorProto.INT32 if plan.layers[0].kind == "embedding" else TensorProto.FLOAT
    return [
        helper.make_tensor_value_info("input", number, ["batch", "time", *plan.input[1:]]),
        helper.make_tensor_value_info("lengths", TensorProto.INT64, ["batch"]),
    ]


def _write(writer: Writer, layer: Layer, value: str) -> str:
    return _WRITERS[layer.kind](writer, layer, value)


def _function(writer: Writer, function: str, value: str) -> str:
    match function:
        case "relu":
            return writer.node("Relu", value)
        case "leaky_relu":
            return writer.node("LeakyRelu", value, alpha=0.01)
        case "gelu":
            return writer.node("Gelu", value, approximate="none")
        case "silu":
            return writer.node("Mul", value, writer.node("Sigmoid", value))
        case "tanh":
            return writer.node("Tanh", value)
    raise AssertionError(f"no ONNX operator for the activation {function}")


def _activation(writer: Writer, layer: Layer, value: str) -> str:
    return _function(writer, str(layer.options["function"]), value)


def _plain(operator: str, **attributes: Any) -> Callable[[Writer, Layer, str], str]:
    return lambda writer, layer, value: writer.node(operator, value, **attributes)


def _residual(writer: Writer, layer: Layer, value: str) -> str:
    inside = value
    for part in layer.inner:
        inside = _write(writer, part, inside)
    return _function(writer, str(layer.options["function"]), writer.node("Add", value, inside))


def _rows(writer: Writer, layer: Layer, value: str) -> str:
    return _reshape(writer, value, [0, *layer.output])


def _reshape(writer: Writer, value: str, shape: list[int]) -> str:
    return writer.node("Reshape", value, writer.constant(np.array(shape, np.int64)))


def _dense(writer: Writer, layer: Layer, value: str) -> str:
    if len(layer.output) == 1:
        return writer.node("Gemm", value, writer.weight(layer, "weight"), writer.weight(layer, "bias"), transB=1)
    weights = writer.constant(np.ascontiguousarray(writer.weights[f"{layer.name}.weight"].T))  # Gemm reads no sequences
    return writer.node("Add", writer.node("MatMul", value, weights), writer.weight(layer, "bias"))


def _embedding(writer: Writer, layer: Layer, value: str) -> str:
    return writer.node("Gather", writer.weight(layer, "weight"), value, axis=0)


_WRITERS: dict[str, Callable[[Writer, Layer, str], str]] = {
    "conv": convolution.conv,
    "batch_norm": convolution.batch_norm,
    "group_norm": convolution.group_norm,
    "activation": _activation,
    "max_pool": convolution.pool("MaxPool"),
    "average_pool": convolution.pool("AveragePool"),
    "global_average": convolution.global_average,
    "global_max": convolution.global_max,
    "dropout": lambda writer, layer, value: value,
    "residual": _residual,
    "flatten": _plain("Flatten"),
    "rows": _rows,
    "embedding": _embedding,
    "dense": _dense,
    "elman": write_recurrent,
    "gru": write_recurrent,
    "lstm": write_recurrent,
    "readout_last": readout.last,
    "readout_mean": readout.mean,
    "readout_max": readout.maximum,
}
