"""What one writes first: a FastAPI route that is a plain function, pydantic, PyTorch. Arguments: port and workers."""

import sys
from typing import Annotated, Any

import uvicorn
from fastapi import Body, FastAPI
from pydantic import BaseModel

from benchmarks.contenders.served_network import Given, Network, of_bytes, predictions

app = FastAPI()
network = Network(Given.read())


class Images(BaseModel):
    """Images [N, 28, 28]."""

    inputs: list[list[list[float]]]


class Prediction(BaseModel):
    """Of one image."""

    index: int
    probabilities: list[float]


class Predictions(BaseModel):
    """Of all."""

    predictions: list[Prediction]


@app.post("/predict")
def predict(images: Images) -> Predictions:
    """Images as JSON."""
    return _answer(images.inputs)


@app.post("/raw")
def predict_raw(data: Annotated[bytes, Body(media_type="application/octet-stream")]) -> Predictions:
    """The bytes of the pixels."""
    return _answer(of_bytes(data))


def _answer(pixels: Any) -> Predictions:
    return Predictions.model_validate({"predictions": predictions(network.probabilities(pixels))})


if __name__ == "__main__":
    uvicorn.run(
        "benchmarks.contenders.naive_server:app",
        host="127.0.0.1",
        port=int(sys.argv[1]),
        workers=int(sys.argv[2]),
        log_level="warning",
        access_log=False,
    )
