"""Why a model answers what it answers."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from core.explain.players import Baseline
from core.specs.explain import AnyMethod


class Player(TypedDict):
    """A part of the sample, and what it adds to the output.

    Of an image it has ``box`` [y0, x0, y1, x1] in pixels of the sample's shape, the ends not included; of a text
    ``start`` and ``end`` in characters, and its ``text``; of a series ``start`` and ``end`` in steps, and ``channel``
    where those were told apart; of a recording ``start`` and ``end`` in seconds.
    """

    value: float
    box: NotRequired[list[int]]
    start: NotRequired[float]
    end: NotRequired[float]
    text: NotRequired[str]
    channel: NotRequired[int]


class Explanation(TypedDict):
    """What each part of a sample adds to the ``output``: the probability of the class ``target``, or the number of
    that name in its own unit (of a forecast, the mean of its rows).

    The values start from ``base_value``; ``additivity_gap`` is their sum and the base, less the output. ``r2`` says
    how well a sum of values tells what the model answered to the ``samples`` that it was asked about; null where
    nothing was fitted. ``baseline`` stood in the place of what was taken away. ``shape`` is that of the sample.
    """

    object: Literal["explanation"]
    model: str
    model_version: int
    kind: str
    method: AnyMethod
    target: str
    output: float
    base_value: float
    additivity_gap: float
    r2: float | None
    baseline: Baseline
    seed: int
    samples: int
    shape: list[int]
    players: list[Player]
