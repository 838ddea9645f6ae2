"""The Python client of one Epochd service."""

from collections.abc import Iterator

from epochd.calls import segment
from epochd.datasets import DatasetCalls
from epochd.explanations import ExplanationCalls
from epochd.exports import ExportCalls
from epochd.generation import GenerationCalls
from epochd.models import ModelCalls
from epochd.predictions import PredictionCalls
from epochd.resources import Info, Key, NewKey, Worker


class Client(DatasetCalls, ModelCalls, ExportCalls, GenerationCalls, ExplanationCalls, PredictionCalls):
    """Talks to the service at ``url`` (else ``EPOCHD_URL``, else http://127.0.0.1:8600).

    ``key`` is an API key (else ``EPOCHD_API_KEY``); none is needed on the service's own machine. ``timeout`` is in
    seconds and for one request. Every method may raise :class:`~epochd.errors.ApiError` and
    :class:`~epochd.errors.ConnectionFailed`. One client may be used by several threads.

        with Client() as epochd:
            job = epochd.submit({"dataset": "digits", "model": "digits", "network": {"family": "cnn"}})
            print(epochd.wait(job["id"])["result"])
    """

    def workers(self) -> Iterator[Worker]:
        """The workers that have been seen."""
        return self._pages("/v1/workers", {})

    def keys(self) -> Iterator[Key]:
        """The API keys, without their secrets (administrators only)."""
        return self._pages("/v1/keys", {})

    def create_key(self, name: str, *, tenant: str = "default", admin: bool = False) -> NewKey:
        """Make an API key; its ``secret`` is in this answer and never again."""
        key: NewKey = self._transport.json("POST", "/v1/keys", body={"name": name, "tenant": tenant, "admin": admin})
        return key

    def revoke_key(self, key_id: str) -> None:
        """End an API key at once."""
        self._transport.send("DELETE", f"/v1/keys/{segment(key_id)}", repeatable=True)

    def info(self) -> Info:
        """The service's version and when it started."""
        info: Info = self._transport.json("GET", "/v1/info")
        return info
