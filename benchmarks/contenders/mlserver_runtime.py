"""MLServer with adaptive batching; ``mlserver start`` runs it."""

import mlserver
from mlserver.codecs import NumpyCodec

from benchmarks.contenders.served_network import Given, Network


class Digits(mlserver.MLModel):  # type: ignore[misc]
    """The tensor ``input`` [N, 28, 28] -> ``index`` and ``probabilities``."""

    async def load(self) -> bool:
        """In the process that predicts."""
        self.network = Network(Given.read())
        return True

    async def predict(self, payload: mlserver.types.InferenceRequest) -> mlserver.types.InferenceResponse:
        """Of one request, or of all of a batch."""
        found = self.network.probabilities(NumpyCodec.decode_input(payload.inputs[0]))
        outputs = [
            NumpyCodec.encode_output("index", found.argmax(1)),
            NumpyCodec.encode_output("probabilities", found),
        ]
        return mlserver.types.InferenceResponse(model_name=self.name, outputs=outputs)
