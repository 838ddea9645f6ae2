"""Triton's own HTTP client, which nobody here wrote, for tests of ``/v2``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.http import InferenceServerClient, InferInput, InferResult


def client(url: str) -> InferenceServerClient:
    """A client of the service at a URL."""
    return InferenceServerClient(url.removeprefix("http://"))


def tensor(name: str, values: NDArray[Any], datatype: str, *, binary: bool = True) -> InferInput:
    """An input of a request."""
    one = InferInput(name, list(values.shape), datatype)
    one.set_data_from_numpy(values, binary_data=binary)
    return one


def words(result: InferResult, name: str) -> list[str]:
    """A BYTES output as text, however it was sent."""
    return [one if isinstance(one, str) else one.decode() for one in result.as_numpy(name)]


def predicted(api: Any, model: str, inputs: Any) -> list[dict[str, Any]]:
    """What ``:predict`` says of the same samples."""
    answer = api.http.post(f"/v1/models/{model}:predict", json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    predictions: list[dict[str, Any]] = answer.json()["predictions"]
    return predictions


def check_same(result: InferResult, predictions: list[dict[str, Any]]) -> None:
    """The tensors say what the predictions say, bit for bit."""
    probabilities = np.array([list(one["probabilities"].values()) for one in predictions], np.float32)
    found = result.as_numpy("probabilities")
    assert found.dtype == np.float32 and np.array_equal(found, probabilities)
    assert result.as_numpy("index").tolist() == [one["index"] for one in predictions]
    assert words(result, "class") == [one["class"] for one in predictions]
