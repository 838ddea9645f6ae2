"""TorchServe's handler; ``torch-model-archiver`` packs it."""

import json
from typing import Any

import numpy as np
from ts.torch_handler.base_handler import BaseHandler

from benchmarks.contenders.served_network import Given, Network, of_bytes, predictions


class Digits(BaseHandler):  # type: ignore[misc]
    """Requests of one or several images, as JSON or as bytes."""

    def initialize(self, context: Any) -> None:
        """Load, in a worker."""
        self.network = Network(Given.read())
        self.initialized = True

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[str]:
        """The requests of a batch, together."""
        bodies: list[Any] = [one.get("body") or one.get("data") for one in data]
        parts = [
            of_bytes(body) if isinstance(body, (bytes, bytearray)) else np.asarray(body["inputs"], np.float32)
            for body in bodies
        ]
        found = self.network.probabilities(np.concatenate(parts))
        split = np.split(found, np.cumsum([len(one) for one in parts])[:-1])
        return [json.dumps({"predictions": predictions(one)}) for one in split]
