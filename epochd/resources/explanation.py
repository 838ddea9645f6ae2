"""Why a model answers what it answers."""

from typing import Literal, NotRequired, TypedDict


class Player(TypedDict):
    """A part of a sample, and what it adds to the output.

    ``box`` [y0, x0, y1, x1] of an image; ``start`` and ``end`` of a text (characters), a series (steps) or a recording
    (seconds).
    """

    value: float
    box: NotRequired[list[int]]
    start: NotRequired[float]
    end: NotRequired[float]
    text: NotRequired[str]
    channel: NotRequired[int]


class Explanation(TypedDict):
    """``output`` is the probability of the class ``target``, or the number of that name."""

    object: Literal["explanation"]
    model: str
    model_version: int
    kind: str
    method: str
    target: str
    output: float
    base_value: float
    additivity_gap: float
    r2: float | None
    baseline: str
    seed: int
    samples: int
    shape: list[int]
    players: list[Player]
