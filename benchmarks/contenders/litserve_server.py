"""LitServe with batching. Arguments: port, inference workers, HTTP processes, largest batch, seconds to wait."""

import sys
from collections.abc import Sequence
from typing import Any

import litserve
import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders.served_network import Given, Network, predictions


class Digits(litserve.LitAPI):  # type: ignore[misc]
    """Requests of one or several images."""

    def setup(self, device: str) -> None:
        """Load, in an inference worker."""
        self.network = Network(Given.read())

    def decode_request(self, request: dict[str, Any]) -> NDArray[np.float32]:
        """Images [N, 28, 28]."""
        return np.asarray(request["inputs"], np.float32)

    def batch(self, inputs: Sequence[NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """Requests stay apart: they may have several images each."""
        return inputs

    def predict(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Of all requests at once."""
        found = self.network.probabilities(np.concatenate(inputs))
        return np.split(found, np.cumsum([len(one) for one in inputs])[:-1])

    def unbatch(self, output: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """They are apart already."""
        return output

    def encode_response(self, output: NDArray[np.float32]) -> dict[str, Any]:
        """Of one request."""
        return {"predictions": predictions(output)}


if __name__ == "__main__":
    port, workers, processes, largest, seconds = sys.argv[1:]
    api = Digits(max_batch_size=int(largest), batch_timeout=float(seconds))
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=int(workers), fast_queue=True)
    server.run(
        host="127.0.0.1",
        port=int(port),
        num_api_servers=int(processes),
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
