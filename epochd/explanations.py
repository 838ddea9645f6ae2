"""The client's calls about why a model answers what it answers."""

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from epochd.calls import Calls
from epochd.models import question
from epochd.resources import Explanation

PICTURES = ("image/png", "image/svg+xml")


class ExplanationCalls(Calls):
    """Ask which parts of a sample speak for an answer, and which against it."""

    def explain(
        self,
        model: str,
        inputs: Sequence[Any] | None = None,
        *,
        image: bytes | str | os.PathLike[str] | None = None,
        audio: bytes | str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Explanation:
        """Explain one sample; ``inputs`` is a list of that one, or give an ``image`` or ``audio`` as to ``predict``.

        ``options`` are those of the service: ``method`` ("kernel_shap", "lime", "exact_shapley", "occlusion"),
        ``target``, ``samples``, ``grid``, ``segments``, ``channels``, ``baseline``, ``seed``.

        Raises:
            ValueError: as :meth:`~epochd.models.ModelCalls.predict`.
        """
        sent = question(inputs, image, audio)
        answer: Explanation = self._transport.json("POST", _path(model), params=options, **sent)
        return answer

    def explanation_picture(
        self,
        model: str,
        inputs: Sequence[Any] | None = None,
        *,
        image: bytes | str | os.PathLike[str] | None = None,
        audio: bytes | str | os.PathLike[str] | None = None,
        media: str = "image/png",
        **options: Any,
    ) -> bytes:
        """The same as a picture: a heat map for a model of images (``image/png``), else ``image/svg+xml``."""
        sent = question(inputs, image, audio)
        sent["headers"] = {**sent.get("headers", {}), "Accept": media}
        return self._transport.send("POST", _path(model), params=options, **sent).content


def _path(model: str) -> str:
    return f"/v1/models/{quote(model, safe='@:')}:explain"
