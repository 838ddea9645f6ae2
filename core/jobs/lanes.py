"""The two lines: long work waits for a training slot, short work for the small one that every worker has beside them.

So an upload or an explanation never waits behind a five-hour training. The answers to a whole data set are long work.
"""

from collections.abc import Sequence
from typing import Literal

from core.tables import Worker

Lane = Literal["long", "short"]
LANES: dict[Lane, tuple[str, ...]] = {"long": ("train", "predict"), "short": ("ingest", "explain", "evaluate")}
"""The kinds of job that stand in each line."""


def lane_of(kind: str) -> Lane:
    """The line that a kind of job stands in."""
    return next(lane for lane, kinds in LANES.items() if kind in kinds)


def neighbours(kind: str) -> tuple[str, ...]:
    """The kinds that stand in the same line, itself among them."""
    return LANES[lane_of(kind)]


def slots(lane: Lane, workers: Sequence[Worker]) -> int:
    """How many jobs of a line these workers run at once."""
    return sum(worker.slots for worker in workers) if lane == "long" else len(workers)
