"""Sequences through a convolutional network: how many steps a layer leaves of them, and how many it must get."""

from collections.abc import Iterable
from typing import Any

from core.plan_layers import Layer

POOLS = ("max_pool", "average_pool")


def left(layer: Layer, steps: Any) -> Any:
    """The steps behind a layer of sequences with so many before it: a number, or an array or tensor of them."""
    options = layer.options
    if layer.kind == "conv":
        return (steps + (2 * int(options["padding"]) - int(options["kernel"]))) // int(options["stride"]) + 1
    if layer.kind in POOLS:
        return steps // int(options["size"])
    return steps


def least(layers: Iterable[Layer]) -> int:
    """The steps that a sequence must have for one to be left everywhere; shorter ones count as filled up with zeros."""
    needed = 1
    for layer in reversed(list(layers)):
        options = layer.options
        if layer.kind == "conv":
            reach = (needed - 1) * int(options["stride"]) + int(options["kernel"]) - 2 * int(options["padding"])
            needed = max(1, reach)
        elif layer.kind in POOLS:
            needed *= int(options["size"])
    return needed
