"""``/v2`` as a client that nobody here wrote asks it: Triton's, on both databases, compared with ``:predict``."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult

NAMES = {"UINT8": np.uint8, "INT16": np.int16, "INT64": np.int64, "FP16": np.float16, "FP32": np.float32}


@pytest.fixture
def triton(api: Any) -> Iterator[InferenceServerClient]:
    client = InferenceServerClient(api.url.removeprefix("http://"))
    yield client
    client.close()


@pytest.fixture(scope="module")
def digits(api: Any) -> NDArray[np.uint8]:
    """The first test digits, and a model ``digits`` with two versions, the second of which is not ready."""
    api.player.train("digits", network={"family": "cnn"}, data={"resize": [28, 28]})
    api.player.train("digits", ready=False)
    pixels: NDArray[np.uint8] = api.player.digits().test.inputs[:70]
    return pixels


def tensor(name: str, values: NDArray[Any], datatype: str, *, binary: bool = True) -> InferInput:
    one = InferInput(name, list(values.shape), datatype)
    one.set_data_from_numpy(values, binary_data=binary)
    return one


def predicted(api: Any, model: str, inputs: Any) -> list[dict[str, Any]]:
    answer = api.http.post(f"/v1/models/{model}:predict", json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    predictions: list[dict[str, Any]] = answer.json()["predictions"]
    return predictions


def same(result: InferResult, predictions: list[dict[str, Any]]) -> None:
    """Bit for bit."""
    probabilities = np.array([list(one["probabilities"].values()) for one in predictions], np.float32)
    assert result.as_numpy("probabilities").dtype == np.float32
    assert np.array_equal(result.as_numpy("probabilities"), probabilities)
    assert result.as_numpy("index").tolist() == [one["index"] for one in predictions]
    names = [one if isinstance(one, str) else one.decode() for one in result.as_numpy("class")]
    assert names == [one["class"] for one in predictions]


def test_images_binary_and_json(api: Any, triton: Any, digits: Any) -> None:
    wanted = predicted(api, "digits", digits.tolist())
    for kind in ("UINT8", "FP32", "FP16", "INT64"):
        values = digits.astype(NAMES[kind])
        same(triton.infer("digits", [tensor("input", values, kind)]), wanted)
    outputs = [
        InferRequestedOutput(name, binary_data=name == "logits")
        for name in ("index", "class", "logits", "probabilities")
    ]
    for kind in ("UINT8", "FP32"):
        one = tensor("input", digits[..., 0].astype(NAMES[kind]), kind, binary=False)
        result = triton.infer("digits", [one], outputs=outputs, request_id="a", model_version="1")
        same(result, wanted)
        shown = result.get_response()
        assert (shown["id"], shown["model_name"], shown["model_version"]) == ("a", "digits", "1")
        assert [output["name"] for output in shown["outputs"]] == ["index", "class", "logits", "probabilities"]
