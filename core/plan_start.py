"""Whether a network can start from another one's weights."""

from typing import Any

from core.plan import Plan
from core.plan_layers import Layer, PlanError
from core.specs import Data

_FREE = ("ratio", "dropout")
"""Options that say how a layer trains, not what its weights mean."""


def check(plan: Plan, start: Plan, name: str) -> None:
    """PlanError unless the weights of the version called ``name``, whose plan is ``start``, fit ``plan``.

    The last layer, the head, may be of another size: it is made anew when classes, targets or horizon differ.
    """
    # token ids are no numbers: how many of them a text has changes no weight
    if len(plan.input) != len(start.input) or (len(plan.input) > 1 and plan.input[-1] != start.input[-1]):
        ours, theirs = ("x".join(map(str, shape)) for shape in (plan.input, start.input))
        raise PlanError("#/dataset", f"the samples are {ours} numbers and those of {name} are {theirs}")
    for number in range(max(len(plan.layers), len(start.layers))):
        ours, theirs = (_describe(whole.layers, number) for whole in (plan, start))
        if ours != theirs:
            raise PlanError(
                "#/network",
                f"layer {number} would be {ours} and is {theirs} in {name}; give the network of that version",
            )


def check_tokens(data: Data, kind: str, start: Data, start_kind: str, name: str) -> None:
    """PlanError unless texts of ``kind`` are cut as ``start`` cut those of the version called ``name``.

    Its vocabulary is taken over; ``max_length`` may differ.
    """
    if kind != start_kind:
        raise PlanError("#/dataset", f"these samples are {kind}, and {name} was trained on {start_kind}")
    for field in ("tokens", "lowercase", "nfc", "vocabulary"):
        asked, known = getattr(data, field), getattr(start, field)
        if asked != known and not (field == "vocabulary" and asked is None):
            given = f'"{known}"' if isinstance(known, str) else "null" if known is None else str(known).lower()
            raise PlanError(f"#/data/{field}", f"{name} knows the tokens of its own texts: give its {field}, {given}")


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
