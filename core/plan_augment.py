"""Whether the data can be augmented as a spec asks."""

from core.plan_layers import PlanError, Shape
from core.specs import Augment

_OF_KIND = {
    "image": ("flip", "shift", "rotate", "cutout", "brightness", "contrast", "noise", "fill"),
    "series": ("time_shift", "time_mask", "scale", "noise", "fill"),
    "audio": ("time_shift", "time_mask", "scale", "noise", "fill"),
}


def check(augment: Augment, kind: str, shape: Shape) -> None:
    """PlanError names the field that does not fit samples of this kind, or of this ``shape`` after preprocessing."""
    fitting = _OF_KIND.get(kind, ())
    usual = Augment()
    for name in Augment.model_fields:
        if getattr(augment, name) == getattr(usual, name) or name in fitting:
            continue
        instead = f"use {', '.join(fitting[:-1])}" if fitting else "leave data.augment out"
        raise PlanError(f"#/data/augment/{name}", f"{name} does not fit data of kind {kind}; {instead}")
    if kind not in _OF_KIND:
        return
    sides = {
        "shift": (min(shape[:2]) - 1, "pixels"),
        "cutout": (min(shape[:2]), "pixels"),
        "time_shift": (shape[0] - 1, "steps"),
        "time_mask": (shape[0], "steps"),
    }
    for name, (most, unit) in sides.items():
        value = getattr(augment, name)
        if value is not None and value > most:
            size = "x".join(map(str, shape[: 2 if kind == "image" else 1]))
            raise PlanError(
                f"#/data/augment/{name}",
                f"{name} may be at most {most} for the {size} {unit} that the network reads (it is {value})",
            )
