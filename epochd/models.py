"""The client's calls about models and predictions."""

import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from epochd.calls import Calls, segment
from epochd.errors import ApiError
from epochd.resources import Alias, AliasMove, Model, ModelVersion, Prediction


class ModelCalls(Calls):
    """Look at models, move aliases, ask for predictions."""

    def models(self) -> Iterator[Model]:
        """The registered models."""
        return self._pages("/v1/models", {})

    def model(self, name: str) -> Model:
        """One model."""
        model: Model = self._transport.json("GET", f"/v1/models/{segment(name)}")
        return model

    def versions(self, name: str) -> Iterator[ModelVersion]:
        """A model's versions, newest first."""
        return self._pages(f"/v1/models/{segment(name)}/versions", {})

    def version(self, name: str, version: int) -> ModelVersion:
        """One version of a model."""
        answer: ModelVersion = self._transport.json("GET", f"/v1/models/{segment(name)}/versions/{version}")
        return answer

    def aliases(self, name: str) -> Iterator[Alias]:
        """A model's aliases."""
        return self._pages(f"/v1/models/{segment(name)}/aliases", {})

    def promote(self, name: str, version: int, *, alias: str = "production", reason: str | None = None) -> Alias:
        """Point an alias at a version.

        Raises:
            ApiError: also with code ``precondition_failed``, when somebody else moved the alias at this very moment.
        """
        path = f"/v1/models/{segment(name)}/aliases/{segment(alias)}"
        headers: dict[str, str] = {}
        try:
            headers["If-Match"] = self._transport.send("GET", path).headers["ETag"]
        except ApiError as error:
            if error.status != 404:
                raise
        body = {"version": version} | ({"reason": reason} if reason is not None else {})
        moved: Alias = self._transport.json("PUT", path, body=body, headers=headers)
        return moved

    def rollback(self, name: str, *, alias: str = "production", reason: str | None = None) -> Alias:
        """Point an alias back at the version before its last move; once, however often the connection is lost."""
        path = f"/v1/models/{segment(name)}/aliases/{segment(alias)}/rollback"
        body, headers = {} if reason is None else {"reason": reason}, {"Idempotency-Key": uuid.uuid4().hex}
        moved: Alias = self._transport.json("POST", path, body=body, headers=headers, repeatable=True)
        return moved

    def alias_history(self, name: str, alias: str = "production") -> Iterator[AliasMove]:
        """When an alias was moved, from where to where, by whom and why; newest first."""
        return self._pages(f"/v1/models/{segment(name)}/aliases/{segment(alias)}/history", {})

    def predict(
        self,
        model: str,
        inputs: Sequence[Any] | None = None,
        *,
        image: bytes | str | os.PathLike[str] | None = None,
        audio: bytes | str | os.PathLike[str] | None = None,
        csv: bytes | str | os.PathLike[str] | None = None,
        top: int | None = None,
    ) -> Prediction:
        """Ask a model (``name``, ``name@alias`` or ``name:version``).

        Args:
            inputs: raw samples: nested lists in the data set's shape (pixels 0-255), or strings for a model of texts.
            image: instead of ``inputs``, one PNG, JPEG, BMP or WebP image: its bytes, or the path of a file.
            audio: instead of ``inputs``, one WAV, FLAC, OGG or MP3 recording: its bytes, or the path of a file.
            csv: instead of ``inputs``, the rows of a series or table as CSV: the bytes, or the path of a file.
            top: keep only the ``top`` largest probabilities of each answer.

        Raises:
            ValueError: not exactly one of ``inputs``, ``image``, ``audio`` and ``csv`` was given, ``inputs`` is one
                string and no list, or the image or recording is of no known format.
        """
        path = f"/v1/models/{quote(model, safe='@:')}:predict"
        answer = self._transport.json("POST", path, params={"top": top}, **question(inputs, image, audio, csv))
        prediction: Prediction = answer
        return prediction


def question(
    inputs: Sequence[Any] | None,
    image: bytes | str | os.PathLike[str] | None,
    audio: bytes | str | os.PathLike[str] | None,
    csv: bytes | str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """How samples are sent to a model: options of ``Transport.send``.

    Raises:
        ValueError: as :meth:`ModelCalls.predict`.
    """
    if sum(given is not None for given in (inputs, image, audio, csv)) != 1:
        raise ValueError("give one of inputs, image, audio and csv")
    if isinstance(inputs, str):
        raise ValueError("inputs is a list of samples: put the text into a list")
    file = next((one for one in (image, audio, csv) if one is not None), None)
    if file is None:
        return {"body": {"inputs": list(inputs or ())}, "repeatable": True}
    content = file if isinstance(file, bytes) else Path(file).read_bytes()
    kind = "text/csv" if csv is not None else image_type(content) if image is not None else audio_type(content)
    return {"content": content, "headers": {"Content-Type": kind}, "repeatable": True}


def image_type(content: bytes) -> str:
    """The media type of an image, by its first bytes.

    Raises:
        ValueError: it is none of PNG, JPEG, BMP and WebP.
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"BM"):
        return "image/bmp"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    raise ValueError("this is not a PNG, JPEG, BMP or WebP image")


def audio_type(content: bytes) -> str:
    """The media type of a recording, by its first bytes.

    Raises:
        ValueError: it is none of WAV, FLAC, OGG and MP3.
    """
    if content.startswith(b"RIFF") and content[8:12] == b"WAVE":
        return "audio/wav"
    if content.startswith(b"fLaC"):
        return "audio/flac"
    if content.startswith(b"OggS"):
        return "audio/ogg"
    # a frame of MPEG audio begins with eleven bits that are set
    if content.startswith(b"ID3") or (content[:1] == b"\xff" and content[1:2] >= b"\xe0"):
        return "audio/mpeg"
    raise ValueError("this is not a WAV, FLAC, OGG or MP3 recording")
