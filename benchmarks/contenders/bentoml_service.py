"""BentoML with adaptive batching; ``bentoml serve`` runs it."""

import os
from typing import Any

import bentoml
import numpy as np

from benchmarks.contenders.served_network import Given, Network, predictions


@bentoml.service(workers=int(os.environ["WORKERS"]), traffic={"timeout": 60})
class Digits:
    """Requests of one or several images."""

    def __init__(self) -> None:
        self.network = Network(Given.read())

    @bentoml.api(  # type: ignore[untyped-decorator]
        batchable=True, max_batch_size=int(os.environ["LARGEST"]), max_latency_ms=int(os.environ["LATENCY_MS"])
    )
    def predict(self, inputs: np.ndarray) -> list[dict[str, Any]]:
        """Images [N, 28, 28] of all requests of a batch."""
        return predictions(self.network.probabilities(inputs))
