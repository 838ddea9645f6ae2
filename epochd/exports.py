"""The client's calls about the files of model versions, and versions of checkpoints."""

import json
import os
import uuid
from pathlib import Path

from epochd import download
from epochd.calls import Calls, segment
from epochd.errors import EpochdError
from epochd.resources import Job, Manifest


class ExportCalls(Calls):
    """Fetch what a version is made of, and make versions of checkpoints."""

    def make_version(self, name: str, checkpoint: str, *, idempotency_key: str | None = None) -> Job:
        """Make the next version of a model from a checkpoint, by its id; gives the job that does it.

        The version is the ``model_version`` of the job once that has succeeded. One call makes one job, as with
        ``submit``.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        path, body = f"/v1/models/{segment(name)}/versions", {"checkpoint": checkpoint}
        job: Job = self._transport.json("POST", path, body=body, headers=headers, repeatable=True)
        return job

    def manifest(self, name: str, version: int) -> Manifest:
        """What a version reads and answers, what made it, and the hashes of its files."""
        found: Manifest = self._transport.json("GET", f"/v1/models/{segment(name)}/versions/{version}/manifest")
        return found

    def resolve(self, reference: str) -> tuple[str, int]:
        """The model and the version that ``name``, ``name@alias`` or ``name:version`` means now.

        Raises:
            EpochdError: it means none, or no version is ready.
        """
        name, _, version = reference.partition(":")
        if version:
            if not (version.isascii() and version.isdigit()):
                raise EpochdError(f"{reference!r}: versions are numbers")
            return name, int(version)
        name, _, alias = name.partition("@")
        if alias:
            named = self._transport.json("GET", f"/v1/models/{segment(name)}/aliases/{segment(alias)}")["version"]
        else:
            named = self._transport.json("GET", f"/v1/models/{segment(name)}")["serves"]
        if named is None:
            raise EpochdError(f"no version of {name} is ready; name one: {name}:VERSION")
        return name, int(named)

    def export(self, model: str, folder: str | os.PathLike[str]) -> Manifest:
        """Save a version as ``model.onnx`` (if it has one), ``weights.safetensors`` and ``manifest.json`` in a folder.

        Broken-off downloads go on where they stopped, and the SHA-256 of each file is checked. The manifest comes last:
        where it is, all is.
        """
        name, version = self.resolve(model)
        target, found = Path(folder), self.manifest(name, version)
        target.mkdir(parents=True, exist_ok=True)
        path = f"/v1/models/{segment(name)}/versions/{version}"
        download.fetch(self._transport, f"{path}/weights", found["weights"]["sha256"], target / "weights.safetensors")
        if found["onnx"] is not None:
            download.fetch(self._transport, f"{path}/onnx", found["onnx"]["sha256"], target / "model.onnx")
        text = json.dumps(found, ensure_ascii=False, indent=2)
        (target / "manifest.json").write_text(text + "\n", encoding="utf-8")
        return found
