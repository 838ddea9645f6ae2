"""An ONNX graph in the making: nodes, constants, and names for what flows between them."""

from typing import Any

from numpy.typing import NDArray
from onnx import NodeProto, helper

from core.plan import Layer


class Writer:
    """Collects nodes in order. ``weights`` are the network's, by their state dict names."""

    def __init__(self, weights: dict[str, NDArray[Any]]) -> None:
        self.weights = weights
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.lengths: str | None = None
        """Where sequences vary: the value with how many steps of each are real, int64 [N]."""
        self.states: list[str] = []
        """Of a language model: the values with the states [layers, N, H] that the recurrent layer goes on from."""
        self._values = 0

    def weight(self, layer: Layer, name: str) -> str:
        """A tensor of the state dict as a constant of the graph, under its own name."""
        key = f"{layer.name}.{name}"
        self.constants[key] = self.weights[key]
        return key

    def constant(self, array: NDArray[Any]) -> str:
        """Any other constant."""
        name = f"constant_{len(self.constants)}"
        self.constants[name] = array
        return name

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output; gives the output's name."""
        name = output or self._new_value()
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def node_outputs(self, operator: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node with several outputs."""
        names = [self._new_value() for _ in range(count)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    def _new_value(self) -> str:
        self._values += 1
        return f"value_{self._values}"
