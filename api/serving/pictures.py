"""Pictures of explanations: a heat map over an image as PNG; coloured words and stretches of time as SVG.

Blue speaks for the answer, orange against it; the strongest part has the full colour.
"""

import math
import re
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from api import objects
from api.objects import Player
from core.encode import image
from core.errors import Invalid

PNG, SVG = "image/png", "image/svg+xml"
FOR, AGAINST = (66, 120, 178), (222, 134, 58)
STRONGEST = 0.75
SIDE = 320
"""The longer side of a picture is at least so many pixels."""
WIDTH, HEIGHT, LETTER, LINE, MARGIN = 640, 160, 9, 28, 12
MOST_POINTS = 800
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def chosen(accept: str, kind: str) -> str | None:
    """The picture that an Accept header asks for; null: JSON, which is also what is sent when it names nothing known.

    Raises:
        Invalid: it asks for the picture of another kind of sample.
    """
    for one in accept.split(","):
        name = one.partition(";")[0].strip().lower()
        if name in ("application/json", "application/*", "*/*"):
            return None
        if name in (PNG, SVG):
            fitting = PNG if kind == "image" else SVG
            if name != fitting:
                raise Invalid(f"a picture for a model that reads {kind} is {fitting}", "#/header/Accept")
            return name
    return None


def draw(sample: Any, explanation: objects.Explanation) -> bytes:
    """The picture of an explanation of a raw sample."""
    players = explanation["players"]
    if explanation["kind"] == "image":
        return heat_map(sample, players)
    title = f"{explanation['target']}: {explanation['output']:.3g} ({explanation['method']})"
    if explanation["kind"] == "text":
        return coloured_words(sample, players, title)
    seconds = len(sample) / max(player["end"] for player in players)
    scale = seconds if explanation["kind"] == "audio" else 1.0
    return coloured_steps(np.asarray(sample).reshape(len(sample), -1), players, title, scale)


def strengths(players: Sequence[Player]) -> NDArray[np.float64]:
    """The values between -1 and 1, the largest in size being one of them."""
    values = np.array([player["value"] for player in players])
    shares: NDArray[np.float64] = values / max(np.abs(values).max(), 1e-12)
    return shares


def heat_map(pixels: NDArray[np.uint8], players: Sequence[Player]) -> bytes:
    """A grey image [H, W, C] under the colours of its cells, as PNG."""
    grey = pixels[..., :3].mean(2) if pixels.shape[2] >= 3 else pixels[..., 0].astype(np.float64)
    picture = np.repeat(grey[..., None], 3, 2)
    for player, strength in zip(players, strengths(players), strict=True):
        y0, x0, y1, x1 = player["box"]
        share = STRONGEST * abs(strength)
        colour = np.array(FOR if strength > 0 else AGAINST)
        picture[y0:y1, x0:x1] = (1 - share) * picture[y0:y1, x0:x1] + share * colour
    times = max(1, math.ceil(SIDE / max(grey.shape)))
    return image.png(np.rint(picture).astype(np.uint8).repeat(times, 0).repeat(times, 1))


def coloured_words(text: str, players: Sequence[Player], title: str) -> bytes:
    """A text whose parts have coloured grounds, as SVG; lines are broken between parts, and within long ones."""
    across = (WIDTH - 2 * MARGIN) // LETTER
    shapes, x, y = [], 0, 1
    for player, strength in zip(players, strengths(players), strict=True):
        written = text[int(player["start"]) : int(player["end"])]
        for piece in (written[first : first + across] for first in range(0, len(written), across)):
            if x + len(piece) > across:
                x, y = 0, y + 1
            left, top = MARGIN + x * LETTER, MARGIN + y * LINE
            shapes.append(_ground(left, top, len(piece) * LETTER, LINE - 6, strength))
            shapes.append(_letters(left, top + 16, piece))
            x += len(piece) + 1
    return _svg(shapes, MARGIN + (y + 2) * LINE, title)


def coloured_steps(values: NDArray[Any], players: Sequence[Player], title: str, scale: float) -> bytes:
    """A series [T, F] over the coloured stretches of its time, as SVG; ``scale``: steps in a unit of the players."""
    inside, top, features = WIDTH - 2 * MARGIN, MARGIN + LINE, values.shape[1]
    wide, shapes = inside / len(values), []
    for player, strength in zip(players, strengths(players), strict=True):
        start, end = player["start"] * scale, player["end"] * scale
        row = HEIGHT / features if "channel" in player else HEIGHT
        y = top + row * player.get("channel", 0)
        shapes.append(_ground(MARGIN + start * wide, y, (end - start) * wide, row, strength))
    banded = any("channel" in player for player in players)
    for feature in range(features):
        row = HEIGHT / features if banded else HEIGHT
        shapes.append(_line(values[:, feature], top + (row * feature if banded else 0), row))
    return _svg(shapes, top + HEIGHT + MARGIN, title)


def _line(values: NDArray[Any], top: float, height: float) -> str:
    """Where there are many numbers, the least and the largest of each stretch of them."""
    numbers = values.astype(np.float64)
    places = np.arange(len(numbers))
    if len(numbers) > MOST_POINTS:
        groups = np.array_split(places, MOST_POINTS // 2)
        both = [(group[numbers[group].argmin()], group[numbers[group].argmax()]) for group in groups]
        places = np.array([place for pair in both for place in sorted(pair)])
    low, high = numbers.min(), numbers.max()
    share = (numbers[places] - low) / (high - low) if high > low else np.full(len(places), 0.5)
    x = MARGIN + (WIDTH - 2 * MARGIN) * (places + 0.5) / len(numbers)
    y = top + height * (0.95 - 0.9 * share)
    points = " ".join(f"{one:.1f},{two:.1f}" for one, two in zip(x, y, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="#555" stroke-width="1"/>'


def _ground(x: float, y: float, width: float, height: float, strength: float) -> str:
    red, green, blue = FOR if strength > 0 else AGAINST
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="rgb({red},{green},{blue})" fill-opacity="{STRONGEST * abs(strength):.3f}"/>'
    )


def _letters(x: float, y: float, text: str) -> str:
    shown = escape(_NOT_XML.sub("\ufffd", text))
    return f'<text x="{x:.1f}" y="{y:.1f}" textLength="{len(text) * LETTER}" xml:space="preserve">{shown}</text>'


def _svg(shapes: Sequence[str], height: float, title: str) -> bytes:
    shown = escape(_NOT_XML.sub("\ufffd", title))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
        f'font-family="monospace" font-size="15">',
        f"<title>{shown}</title>",
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#fff"/>',
        f'<text x="{MARGIN}" y="{MARGIN + 14}" fill="#555">{shown}</text>',
        *shapes,
        "</svg>",
    ]
    return "\n".join(parts).encode()
