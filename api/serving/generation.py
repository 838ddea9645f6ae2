"""What a language model writes: one token after another, on ONNX Runtime and without torch."""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.encode.text import FIRST, Tokens
from core.sampling import Sampler, Sampling

READ_AT_ONCE = 256
"""Tokens of a prompt; more would only take memory, and time until a client that has gone is noticed."""


@dataclass(frozen=True)
class Prompt:
    """What to go on from, how boldly, and when to stop."""

    text: str
    max_tokens: int
    sampling: Sampling
    stop: str | None


@dataclass(frozen=True)
class Written:
    """The end. ``prompt_tokens`` and ``tokens`` were read and written; the reason is ``length`` or ``stop``."""

    prompt_tokens: int
    tokens: int
    finish_reason: str


def write(session: Any, tokens: Tokens, prompt: Prompt, gone: Callable[[], bool]) -> Iterator[str | Written]:
    """What each token adds to the text, then how it ended; nothing more once ``gone`` says that nobody listens.

    A token may add nothing yet: it is a part of a character, or of what may become the ``stop``. An unknown character
    of the prompt is an unknown token. An empty prompt is read as the end of a line.
    """
    network, sampler, text = Network(session), Sampler(prompt.sampling, FIRST), Text(prompt.stop)
    ids = tokens.encode([prompt.text or "\n"])[0]
    count = len(ids) if prompt.text else 0
    for first in range(0, len(ids), READ_AT_ONCE):
        if gone():
            return
        logits = network.read(ids[first : first + READ_AT_ONCE])
    for number in range(1, prompt.max_tokens + 1):
        drawn = sampler.draw(logits)
        piece = text.add(tokens.piece(drawn))
        if text.stopped or number == prompt.max_tokens:
            yield piece + text.rest()
            yield Written(count, number, "stop" if text.stopped else "length")
            return
        yield piece
        if gone():
            return
        logits = network.read(np.array([drawn], np.int32))


class Network:
    """A language model's graph with the states that it carries on."""

    def __init__(self, session: Any) -> None:
        self._session = session
        _, *states = session.get_inputs()
        self._states = {one.name: np.zeros((one.shape[0], 1, one.shape[2]), np.float32) for one in states}
        self._outputs = ["logits", *(f"next_{name}" for name in self._states)]

    def read(self, ids: Any) -> Any:
        """Go on with these tokens [T]; the logits [vocabulary] of the one that comes next."""
        logits, *states = self._session.run(self._outputs, {"input": ids[None], **self._states})
        self._states = dict(zip(self._states, states, strict=True))
        return logits[0, -1]


class Text:
    """Tokens' bytes -> text that can be shown: whole characters, and nothing that may be the beginning of ``stop``."""

    def __init__(self, stop: str | None) -> None:
        self._stop = stop
        self._held = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.stopped = False

    def add(self, piece: bytes) -> str:
        """What can be shown now; ``stopped`` says whether the text has come to its stop, which is left out."""
        return self._show(self._decoder.decode(piece))

    def rest(self) -> str:
        """What was held back, when nothing comes any more."""
        if not self.stopped:
            shown = self._show(self._decoder.decode(b"", final=True))
            return shown + self._held
        return ""

    def _show(self, more: str) -> str:
        whole = self._held + more
        if self._stop is None:
            return whole
        place = whole.find(self._stop)
        if place >= 0:
            self.stopped, self._held = True, ""
            return whole[:place]
        most = min(len(whole), len(self._stop) - 1)
        kept = next((size for size in range(most, 0, -1) if self._stop.startswith(whole[-size:])), 0)
        self._held = whole[len(whole) - kept :]
        return whole[: len(whole) - kept]
