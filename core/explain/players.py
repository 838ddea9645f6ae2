"""The parts of a sample that are left in or taken away: cells of an image, stretches of time, words."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.encode import Preprocessing, image, ragged
from core.errors import Invalid

MOST_PLAYERS = 256
Baseline = Literal["zeros", "mean", "blur", "silence", "removed", "unknown"]
BASELINES: dict[str, tuple[Baseline, ...]] = {
    "image": ("zeros", "mean", "blur"),
    "series": ("mean", "zeros"),
    "audio": ("silence",),
    "text": ("removed", "unknown"),
}
"""What stands in the place of what is taken away, by what a model reads; the first is the usual one."""
BLUR = 8
"""A blurred image keeps one number for so many pixels a side."""

Samples = NDArray[Any]
"""Raw samples as ``Preprocessing.from_rows`` gives them."""
Place = dict[str, Any]


@dataclass(frozen=True)
class Parts:
    """How a sample is to be cut: ``grid`` cells a side of an image, or into ``segments``; null is the usual number.

    ``channels``: each feature of a series is a player of its own. ``few``: so few that all coalitions can be asked.
    """

    grid: int | None = None
    segments: int | None = None
    channels: bool = False
    baseline: Baseline | None = None
    few: bool = False


@dataclass(frozen=True)
class Players:
    """``places`` say where each lies; ``keep`` makes the samples of coalitions [N, players] of ``bytes_each``.

    Places: of images ``box`` [y0, x0, y1, x1] in pixels, the ends not included; of texts ``start`` and ``end`` in
    characters and ``text``; of series ``start`` and ``end`` in steps, and ``channel``; of recordings in seconds.
    """

    places: list[Place]
    keep: Callable[[NDArray[np.bool_]], Samples]
    bytes_each: int
    baseline: Baseline


def divide(preprocessing: Preprocessing, sample: Samples, parts: Parts) -> Players:
    """The players of one raw sample, an array of length 1.

    Raises:
        Invalid: what is asked for does not suit the sample; points at the query.
    """
    kind = preprocessing.kind
    assert kind in BASELINES
    baseline = parts.baseline or BASELINES[kind][0]
    if baseline not in BASELINES[kind]:
        raise Invalid(f"the baseline of this model may be {' or '.join(BASELINES[kind])}", "#/query/baseline")
    if (parts.grid if kind != "image" else parts.segments) is not None:
        name, other = ("grid", "segments") if kind != "image" else ("segments", "grid")
        raise Invalid(f"this model reads {'images' if kind == 'image' else kind}: give {other}", f"#/query/{name}")
    if parts.channels and kind != "series":
        raise Invalid("only series have channels that can be told apart", "#/query/channels")
    if kind == "text":
        from core.explain import words

        assert preprocessing.tokens is not None
        return words.divide(sample[0], preprocessing.tokens, parts, baseline)
    if kind == "image":
        return _cells(sample[0], parts, baseline)
    if kind == "series":
        return _stretches(sample, parts, baseline)
    assert preprocessing.frames is not None
    return _seconds(sample[0], preprocessing.frames.rate, parts, baseline)


def bounds(length: int, count: int) -> list[int]:
    """The ends of ``count`` stretches of about the same length, from 0."""
    return [length * index // count for index in range(count + 1)]


def _cells(pixels: NDArray[np.uint8], parts: Parts, baseline: Baseline) -> Players:
    height, width, _ = pixels.shape
    asked = parts.grid or (3 if parts.few else 8)
    rows, columns = bounds(height, min(asked, height)), bounds(width, min(asked, width))
    cell = np.zeros((height, width, 1), np.int64)
    places: list[Place] = []
    for y0, y1 in pairwise(rows):
        for x0, x1 in pairwise(columns):
            cell[y0:y1, x0:x1] = len(places)
            places.append({"box": [y0, x0, y1, x1]})
    if baseline == "blur":
        small = max(1, height // BLUR), max(1, width // BLUR)
        ground = image.resize(image.resize(pixels[None], small), (height, width))[0]
    elif baseline == "mean":
        ground = np.rint(pixels.mean((0, 1), keepdims=True)).astype(np.uint8)
    else:
        ground = np.zeros_like(pixels)
    return Players(places, lambda left: np.where(left[:, cell], pixels, ground), pixels.nbytes, baseline)


def _stretches(sample: Samples, parts: Parts, baseline: Baseline) -> Players:
    values: NDArray[np.float32] = sample[0]
    steps, features = values.shape
    channels = features if parts.channels else 1
    count = min(steps, _count(parts, 12 if parts.few else 16))
    if count * channels > MOST_PLAYERS:
        raise Invalid(
            f"{count} segments of {channels} channels are {count * channels} players; at most {MOST_PLAYERS} are "
            f"explained: give fewer segments",
            "#/query/segments",
        )
    ends = bounds(steps, count)
    stretch = np.repeat(np.arange(count), np.diff(ends))
    player = stretch[:, None] * channels + (np.arange(features) if parts.channels else 0)
    places: list[Place] = [
        {"start": start, "end": end, **({"channel": channel} if parts.channels else {})}
        for start, end in pairwise(ends)
        for channel in range(channels)
    ]
    ground = values.mean(0, dtype=np.float64).astype(np.float32) if baseline == "mean" else np.zeros(1, np.float32)

    def keep(left: NDArray[np.bool_]) -> Samples:
        kept = np.where(left[:, player], values, ground)
        return ragged.collect(list(kept)) if sample.dtype == object else kept

    return Players(places, keep, values.nbytes, baseline)


def _seconds(recording: NDArray[np.int16], rate: int, parts: Parts, baseline: Baseline) -> Players:
    count = min(len(recording), _count(parts, 12 if parts.few else 16))
    ends = bounds(len(recording), count)
    player = np.repeat(np.arange(count), np.diff(ends))
    places: list[Place] = [{"start": one / rate, "end": two / rate} for one, two in pairwise(ends)]

    def keep(left: NDArray[np.bool_]) -> Samples:
        return ragged.collect(list(np.where(left[:, player], recording, np.int16(0))))

    return Players(places, keep, recording.nbytes, baseline)


def _count(parts: Parts, usual: int) -> int:
    return parts.segments or usual
