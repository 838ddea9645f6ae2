"""The client's call of a language model: what it writes, as it comes."""

import json
from collections.abc import Callable
from typing import cast
from urllib.parse import quote

from epochd.calls import Calls
from epochd.errors import ApiError, ConnectionFailed
from epochd.resources import Generation
from epochd.stream import SILENCE, lines, messages


class GenerationCalls(Calls):
    """Ask a language model to write."""

    def generate(
        self,
        model: str,
        prompt: str = "",
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        seed: int | None = None,
        stop: str | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Generation:
        """Have a model (``name``, ``name@alias`` or ``name:version``) go on with a text; None is the service's usual.

        Args:
            max_tokens: when to end at the latest (200).
            temperature: 0 takes the likeliest token each time, 1 the model's own probabilities (0.8).
            top_k: only so many of the likeliest tokens may come (all).
            seed: the same seed gives the same text; without one the answer tells the one that was drawn.
            stop: end before this text.
            on_text: is told each piece of the text as soon as it is written.
        """
        wanted = {
            "prompt": prompt,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_k": top_k,
            "seed": seed,
            "stop": stop,
        }
        body = {name: value for name, value in wanted.items() if value is not None}
        path, headers = f"/v1/models/{quote(model, safe='@:')}:predict", {"Accept": "text/event-stream"}
        pieces: list[str] = []
        with self._transport.open(path, method="POST", body=body, headers=headers, read_timeout=SILENCE) as response:
            for message in messages(lines(response.iter_bytes())):
                if message is None:
                    continue
                data = json.loads(message.data)
                match message.event:
                    case "token":
                        pieces.append(data["text"])
                        if on_text is not None and data["text"]:
                            on_text(data["text"])
                    case "end":
                        return cast(Generation, {**data, "text": "".join(pieces)})
                    case "error":
                        raise ApiError(data["status"], data["code"], data["title"], data["detail"])
        raise ConnectionFailed(self._transport.url, "the stream was cut")
