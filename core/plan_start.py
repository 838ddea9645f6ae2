"""Whether a network can start from another one's weights."""

from typing import Any

from core.plan import Plan
from core.plan_layers import Layer, PlanError

_FREE = ("ratio", "dropout")
"""Options that say how a layer trains, not what its weights mean."""


def check(plan: Plan, start: Plan, name: str) -> None:
    """PlanError unless the weights of the version called ``name``, whose plan is ``start``, fit ``plan``.

    The last layer, the head, may be of another size: it is made anew when classes, targets or horizon differ.
    """
    if len(plan.input) != len(start.input) or plan.input[-1] != start.input[-1]:
        ours, theirs = ("x".join(map(str, shape)) for shape in (plan.input, start.input))
        raise PlanError("#/dataset", f"the samples are {ours} numbers and those of {name} are {theirs}")
    for number in range(max(len(plan.layers), len(start.layers))):
        ours, theirs = (_describe(whole.layers, number) for whole in (plan, start))
        if ours != theirs:
            raise PlanError(
                "#/network",
                f"layer {number} would be {ours} and is {theirs} in {name}; give the network of that version",
            )


def _describe(layers: tuple[Layer, ...], number: int) -> str:
    """What the weights of a layer depend on, in words."""
    if number >= len(layers):
        return "none"
    layer = layers[number]
    head = number == len(layers) - 1
    options: list[Any] = [f"{name} {value}" for name, value in layer.options.items() if name not in _FREE]
    size = f"{layer.input[-1]} to {'the classes' if head else layer.output[-1]}"
    inner = [_inner(layer.inner, place) for place in range(len(layer.inner))]
    return " ".join([layer.kind, size, *([f"({', '.join(options)})"] if options else []), *inner])


def _inner(layers: tuple[Layer, ...], number: int) -> str:
    layer = layers[number]
    return f"{layer.kind} {sorted(layer.options.items())}"
