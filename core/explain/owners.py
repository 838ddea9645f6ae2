"""To which player each number of a network's input belongs; what explains numbers is summed up by players."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.encode import Preprocessing
from core.explain.players import Players, Samples


def owners(
    preprocessing: Preprocessing, sample: Samples, players: Players, shape: tuple[int, ...]
) -> NDArray[np.int64]:
    """The player of each number of the input of one raw sample (an array of length 1), in a form that broadcasts to
    its ``shape``: [H, W, 1] of an image in the network's size, [T, F] or [T, 1] of a series, [T, 1, ...] of frames,
    [T] of token ids."""
    if preprocessing.tokens is not None:
        return _of_tokens(preprocessing, sample[0], players, shape[0])
    if preprocessing.kind == "image":
        return _of_pixels(preprocessing, players, shape)
    moments: NDArray[Any] = np.arange(shape[0])
    if preprocessing.frames is not None:
        frames = preprocessing.frames
        moments = (moments * frames.hop + frames.window / 2) / frames.rate  # a frame is where its middle is
    ends = sorted({place["end"] for place in players.places})
    stretch: NDArray[np.int64] = np.searchsorted(ends, moments, "right").clip(0, len(ends) - 1).astype(np.int64)
    channels = len(players.places) // len(ends)
    player = stretch[:, None] * channels + (np.arange(channels) if channels > 1 else 0)
    return player.reshape(shape[0], -1, *(1 for _ in shape[2:]))


def _of_pixels(preprocessing: Preprocessing, players: Players, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """A pixel that was resized is where its middle was."""
    height, width, _ = preprocessing.shape
    cell = np.zeros((height, width), np.int64)
    for number, place in enumerate(players.places):
        y0, x0, y1, x1 = place["box"]
        cell[y0:y1, x0:x1] = number
    rows = ((np.arange(shape[0]) + 0.5) * height / shape[0]).astype(int)
    columns = ((np.arange(shape[1]) + 0.5) * width / shape[1]).astype(int)
    found: NDArray[np.int64] = cell[rows][:, columns, None]
    return found


def _of_tokens(preprocessing: Preprocessing, text: str, players: Players, count: int) -> NDArray[np.int64]:
    """As many tokens as each part has by itself; what is behind a text's end belongs to the last."""
    assert preprocessing.tokens is not None
    tokens = replace(preprocessing.tokens, max_length=None)
    starts = [0, *(place["start"] for place in players.places[1:]), len(text)]
    parts = [text[one:two] for one, two in pairwise(starts)]
    counts = [len(ids) for ids in tokens.encode(parts)]
    found = np.repeat(np.arange(len(parts)), counts)[:count]
    return np.pad(found, (0, count - len(found)), constant_values=len(parts) - 1)
