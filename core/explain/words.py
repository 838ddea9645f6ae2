"""The players of a text: words, or characters where a short text is read by characters."""

import re
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.encode import text
from core.encode.text import Tokens
from core.errors import Invalid
from core.explain.players import Baseline, Parts, Place, Players, bounds

USUAL = 48
MOST_CHARACTERS = 48
"""A text read by characters (or bytes) has them as players up to so many, else its words."""
_SIGN = re.compile(r"\S")
_STRANGE = "\ufffd\ue000\ue001\ue002"
"""Signs that hardly any vocabulary has: what stands for them is the unknown token."""


def divide(written: str, tokens: Tokens, parts: Parts, baseline: Baseline) -> Players:
    """Neighbours are joined where there are more than the segments asked for.

    What is taken away goes with the spaces behind it. Only what the model reads of a long text is looked at: else what
    lies behind would move into its sight.

    Raises:
        Invalid: there is nothing in the text to take away, or this vocabulary knows everything.
    """
    written = _read(written, tokens)
    by_word = tokens.unit == "word" or len(written.strip()) > MOST_CHARACTERS
    pieces = [match.span() for match in (text.WORD if by_word else _SIGN).finditer(written)]
    if not pieces:
        raise Invalid("there is no word in this text, so nothing can be explained", "#/inputs/0")
    count = min(len(pieces), parts.segments or (12 if parts.few else USUAL))
    ends = bounds(len(pieces), count)
    spans = [(pieces[one][0], pieces[two - 1][1]) for one, two in pairwise(ends)]
    places: list[Place] = [{"start": start, "end": end, "text": written[start:end]} for start, end in spans]
    starts = [0, *(start for start, _ in spans[1:]), len(written)]
    own = [written[one:two] for one, two in pairwise(starts)]
    nothing = " " if tokens.unit == "word" else ""  # a space is no word, and keeps its neighbours apart
    gone = [nothing] * count if baseline == "removed" else [_unknown(one, tokens) for one in own]

    def keep(left: NDArray[np.bool_]) -> NDArray[Any]:
        return text.from_rows(
            ["".join(one if kept else other for kept, one, other in zip(row, own, gone, strict=True)) for row in left]
        )

    return Players(places, keep, 4 * max(1, len(written)), baseline)


def _read(written: str, tokens: Tokens) -> str:
    """The beginning of a text that the model reads."""
    if tokens.max_length is None:
        return written
    if tokens.unit == "byte":
        return written.encode(errors="replace")[: tokens.max_length].decode(errors="ignore")
    if tokens.unit == "char":
        return written[: tokens.max_length]
    last = next(islice(text.WORD.finditer(written), tokens.max_length - 1, None), None)
    return written if last is None else written[: last.end()]


def _unknown(own: str, tokens: Tokens) -> str:
    """As many unknown tokens as a part has of its own."""
    sign = next((one for one in _STRANGE if one not in tokens.vocabulary), None)
    if tokens.unit == "byte" or sign is None:
        raise Invalid("this model knows every sign, so there is no unknown token: use removed", "#/query/baseline")
    return text.WORD.sub(sign, own) if tokens.unit == "word" else sign * len(own)
