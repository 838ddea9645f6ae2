"""The client's calls about why a model answers what it answers."""

import os
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from epochd.errors import EpochdError
from epochd.jobs import JobCalls
from epochd.models import question
from epochd.resources import Explanation

PICTURE_SECONDS = 20


class ExplanationCalls(JobCalls):
    """Ask which parts of a sample speak for an answer, and which against it."""

    def explain(
        self,
        model: str,
        inputs: Sequence[Any] | None = None,
        *,
        image: bytes | str | os.PathLike[str] | None = None,
        audio: bytes | str | os.PathLike[str] | None = None,
        csv: bytes | str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Explanation:
        """Explain one sample; ``inputs`` is a list of it, or give an ``image``, ``audio`` or ``csv`` as to ``predict``.

        ``options`` are those of the service: ``method`` ("kernel_shap", "lime", "exact_shapley", "occlusion",
        "integrated_gradients"), ``target``, ``samples``, ``grid``, ``segments``, ``channels``, ``baseline``, ``seed``.
        Where a worker has to do it, its job is waited for.

        Raises:
            ValueError: as :meth:`~epochd.models.ModelCalls.predict`.
            EpochdError: the worker could not do it.
        """
        response = self._transport.send("POST", _path(model), params=options, **_once(inputs, image, audio, csv))
        answer = self._transport.decoded(response)
        if response.status_code == 202:
            job = self.wait(answer["id"])
            if job["result"] is None:
                reason = job["error"]["message"] if job["error"] is not None else "it was cancelled"
                raise EpochdError(f"job {job['id']} explained nothing: {reason}")
            answer = job["result"]
        found: Explanation = answer
        return found

    def explanation_picture(
        self,
        model: str,
        inputs: Sequence[Any] | None = None,
        *,
        image: bytes | str | os.PathLike[str] | None = None,
        audio: bytes | str | os.PathLike[str] | None = None,
        csv: bytes | str | os.PathLike[str] | None = None,
        media: str = "image/png",
        **options: Any,
    ) -> bytes:
        """The same as a picture: a heat map for a model of images (``image/png``), else ``image/svg+xml``."""
        sent = _once(inputs, image, audio, csv)
        sent["headers"] |= {"Accept": media, "Prefer": f"wait={PICTURE_SECONDS}"}
        response = self._transport.send("POST", _path(model), params=options, **sent)
        if response.status_code == 202:
            job = self._transport.decoded(response)["id"]
            raise EpochdError(f"the picture was not ready within {PICTURE_SECONDS} s; job {job} goes on explaining")
        return response.content


def _once(*given: Any) -> dict[str, Any]:
    """How a sample is sent; however often the connection is lost on the way, a worker explains it once."""
    sent = question(*given)
    return {**sent, "headers": {**sent.get("headers", {}), "Idempotency-Key": uuid.uuid4().hex}}


def _path(model: str) -> str:
    return f"/v1/models/{quote(model, safe='@:')}:explain"
