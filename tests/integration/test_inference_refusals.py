"""What ``/v2`` refuses, in the protocol's own words: ``{"error": "..."}`` whatever went wrong, and wherever."""

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from ingesting import ingested
from player import Player, finished
from prose import prose
from stack import PATIENCE
from tensors import client, tensor
from tritonclient.http import InferRequestedOutput
from tritonclient.utils import InferenceServerException

from core.catalog import keys
from models.data.splits import load

URL = "/v2/models/digits/infer"


@pytest.fixture(scope="module")
def pixels(api: Any) -> Any:
    """Real digits, and a model of them whose second version is not ready."""
    api.player.train("digits")
    api.player.train("digits", ready=False)
    return api.player.digits().test.inputs[:3]


def refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Request-ID"]
    body = answer.json()
    assert body.keys() == {"error"} and words in body["error"], body


def asked(pixels: Any, **fields: Any) -> dict[str, Any]:
    given = {
        "name": "input",
        "shape": list(pixels.shape),
        "datatype": "UINT8",
        "data": pixels.ravel().tolist(),
        **fields,
    }
    return {"inputs": [given]}


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown input": ({"name": "pixels"}, "no input 'pixels', only 'input'"),
    "another shape": ({"shape": [3, 4, 16, 1]}, "each sample must be 8x8x1 (height, width, channels) and is 4x16x1"),
    "one axis": ({"shape": [192]}, "each sample must be 8x8x1"),
    "no samples": ({"shape": [0, 8, 8, 1], "data": []}, "1 to 4,096"),
    "too many samples": ({"shape": [4097, 1], "data": [0] * 4097}, "1 to 4,096"),
    "a pixel of 256": (
        {"datatype": "INT16", "data": [0] * 191 + [256]},
        "sample 2: pixels must be numbers from 0 to 255",
    ),
    "a pixel of -1": ({"datatype": "INT16", "data": [-1] + [0] * 191}, "sample 0: pixels must be"),
    "beyond a float": ({"datatype": "FP32", "data": [1e300] + [0] * 191}, "sample 0: pixels must be"),
    "text": ({"datatype": "BYTES", "data": ["x"] * 3, "shape": [3]}, "sample 0: the body is not an image"),
    "several items a sample": ({"datatype": "BYTES", "data": ["x"] * 6, "shape": [3, 2]}, "one item a sample"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit_the_model(api: Any, pixels: Any, case: str) -> None:
    fields, words = CASES[case]
    refused(api.http.post(URL, json=asked(pixels, **fields)), 400, words)


def test_numbers_that_are_none(api: Any, pixels: Any) -> None:
    stages = [{"channels": 4, "padding": "same", "pool": "none"}]
    api.player.train("rows", dataset="digits-rows", network={"family": "cnn", "stages": stages, "hidden": []})
    one = client(api.url)
    for model, shape, words in (("digits", (1, 8, 8, 1), "pixels must be"), ("rows", (1, 8, 8), "must be finite")):
        for value in (np.nan, np.inf, -np.inf):
            with pytest.raises(InferenceServerException, match=f"sample 0: .*{words}"):
                one.infer(model, [tensor("input", np.full(shape, value, np.float32), "FP32")])
    huge = tensor("input", np.full((1, 8, 8), 3e38, np.float32), "FP32")
    with pytest.raises(InferenceServerException, match="sample 0: its numbers are too large for this model"):
        one.infer("rows", [huge])
    predicted = api.http.post("/v1/models/rows:predict", json={"inputs": [[[0] * 8] * 8, [[3e38] * 8] * 8]})
    assert (predicted.status_code, predicted.json()["errors"][0]["pointer"]) == (422, "#/inputs/1")
    one.close()


def test_inputs_and_outputs_that_are_not_there(api: Any, pixels: Any) -> None:
    one = client(api.url)
    given = tensor("input", pixels, "UINT8")
    ends = tensor("lengths", np.full(3, 8), "INT64")
    cases: list[tuple[Any, Any, str]] = [
        ([ends], None, "no input 'lengths'"),
        ([given, ends], None, "no input 'lengths', only 'input'"),
        ([given, given], None, "there twice"),
        (
            [given],
            [InferRequestedOutput("values")],
            "no output 'values', only 'probabilities', 'logits', 'class', 'index'",
        ),
        ([given], [InferRequestedOutput("class", class_count=3)], "classification"),
    ]
    for inputs, outputs, words in cases:
        with pytest.raises(InferenceServerException, match=words) as caught:
            one.infer("digits", inputs, outputs=outputs)
        assert caught.value.status() == "400"
    for ask in (one.get_model_config, one.load_model, one.get_inference_statistics):
        with pytest.raises(InferenceServerException, match="there is nothing at /v2/"):
            ask("digits")
    one.close()
    refused(api.http.post(URL, json={"inputs": asked(pixels, name="lengths")["inputs"]}), 400, "no input")


def test_headers_that_lie(api: Any, pixels: Any) -> None:
    fields = asked(pixels)["inputs"][0]
    del fields["data"]
    head = json.dumps({"inputs": [{**fields, "parameters": {"binary_data_size": 192}}]}).encode()
    name = "Inference-Header-Content-Length"
    body = head + pixels.tobytes()
    assert api.http.post(URL, content=body, headers={name: str(len(head))}).status_code == 200
    for said, words in (
        (len(head) - 1, "not JSON"),
        (len(head) + 1, "not JSON"),
        (10**12, "and the body has"),
        ("x", "number of"),
    ):
        refused(api.http.post(URL, content=body, headers={name: str(said)}), 400, words)
    refused(api.http.post(URL, content=body + b"x", headers={name: str(len(head))}), 400, "1 bytes follow")
    refused(api.http.post(URL, content=body[:-1], headers={name: str(len(head))}), 400, "191 are left")


def test_bodies_of_other_kinds(api: Any, pixels: Any) -> None:
    plain = json.dumps(asked(pixels)).encode()
    for kind in ("application/json; charset=utf-8", "application/octet-stream", ""):
        assert api.http.post(URL, content=plain, headers={"Content-Type": kind}).status_code == 200
    refused(api.http.post(URL, content=plain, headers={"Content-Type": "image/png"}), 415, "application/octet-stream")
    refused(api.http.post(URL, content=plain, headers={"Content-Encoding": "br"}), 415, "gzip or deflate")
    refused(api.http.post(URL, content=plain, headers={"Content-Encoding": "gzip"}), 400, "not gzip")
    refused(api.http.post(URL, content=b""), 400, "not JSON")


def test_names_that_lead_nowhere(api: Any, pixels: Any) -> None:
    for name, status, words in (
        ("nothing", 404, "no model 'nothing'"),
        ("digits@none", 404, "no alias 'none'"),
        ("digits/versions/9", 404, "no version 9"),
        ("digits/versions/x", 404, "is not a model"),
        ("digits/versions/2", 409, "the parity check failed"),
    ):
        refused(api.http.post(f"/v2/models/{name}/infer", json=asked(pixels)), status, words)
        refused(api.http.get(f"/v2/models/{name}"), status, words)
        refused(api.http.get(f"/v2/models/{name}/ready"), status, words)
    refused(api.http.get("/v2/nothing"), 404, "there is nothing at /v2/nothing")
    refused(api.http.get("/v2/models/%00"), 404, "nothing of that name")
    wrong = api.http.get(URL)
    refused(wrong, 405, f"{URL} answers POST, not GET")
    assert wrong.headers["Allow"] == "POST"
    refused(api.http.post("/v2/repository/index", json={"ready": 1}), 400, "ready")
    refused(api.http.get("/v2", headers={"Host": "elsewhere"}), 403, "elsewhere")
    assert api.http.get("/v20").headers["Content-Type"] == "application/problem+json"


def test_a_language_model_has_no_tensors(api: Any, pixels: Any, tmp_path: Path) -> None:
    path = tmp_path / "corpus"
    path.write_bytes(ingested({"corpus.txt": prose(40).encode()}, kind="corpus").file)
    end = finished(load(path), network={"family": "rnn", "hidden": 8}, data={"window": 16})
    api.player.train("writer", trained=end)
    assert api.http.post("/v1/models/writer:predict", json={"prompt": "a", "max_tokens": 2}).status_code == 200
    words = "model writer writes texts, which has no form in tensors; ask POST /v1/models/writer:predict"
    for path in ("/v2/models/writer", "/v2/models/writer/ready", "/v2/models/writer/versions/1/ready"):
        refused(api.http.get(path), 400, words)
    refused(api.http.post("/v2/models/writer/infer", json=asked(pixels)), 400, words)


def test_too_many_at_once_are_told_to_come_back(api: Any, pixels: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.service.predict, "_most", 0)
    answer = api.http.post(URL, json=asked(pixels))
    refused(answer, 503, "under way already")
    assert answer.headers["Retry-After"] == "1"
    monkeypatch.undo()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: api.http.post(URL, json=asked(pixels)), range(32)))
    assert {answer.status_code for answer in answers} == {200}


def test_inference_counts_as_prediction(api: Any, pixels: Any) -> None:
    def count(name: str) -> float:
        lines = api.http.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    requests = (
        'epochd_http_requests_total{method="POST",route="/v2/models/{name}/versions/{version}/infer",status="200"}'
    )
    before = count("epochd_predictions_total"), count(requests)
    assert api.http.post("/v2/models/digits/versions/1/infer", json=asked(pixels)).status_code == 200
    assert (count("epochd_predictions_total"), count(requests)) == (before[0] + 3, before[1] + 1)
    assert count("epochd_predictions_in_flight") == 0


Guarded = tuple[httpx.Client, dict[str, str], dict[str, str]]


@pytest.fixture
def guarded(database_url: str, migrated: Any, start_api: Any) -> Iterator[Guarded]:
    """An API that requires keys and takes small bodies, with a model; its tenant's key, and that of another."""
    database = migrated(database_url)
    Player(database).train("digits")
    with database.transaction() as session:
        secrets = [keys.create(session, tenant, tenant, admin=False)[1] for tenant in ("default", "others")]
    database.close()
    url, _ = start_api(database_url, require_keys="always", max_body_bytes=10_000)
    with httpx.Client(base_url=url, timeout=PATIENCE) as http:
        mine, other = ({"Authorization": f"Bearer {secret}"} for secret in secrets)
        yield http, mine, other


def test_keys_tenants_and_limits_hold_as_elsewhere(guarded: Guarded, pixels: Any) -> None:
    http, mine, other = guarded
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"ready": True}
    for path in ("/v2", "/v2/models/digits", "/v2/models/digits/ready"):
        refused(http.get(path), 401, "an API key is required")
        assert http.get(path, headers=mine).status_code == 200
    refused(http.post("/v2/repository/index"), 401, "an API key is required")
    refused(http.post(URL, json=asked(pixels)), 401, "an API key is required")
    assert http.post(URL, json=asked(pixels), headers=mine).status_code == 200
    refused(http.post(URL, json=asked(pixels), headers=other), 404, "no model 'digits'")
    assert len(http.post("/v2/repository/index", headers=mine).json()) == 1
    assert http.post("/v2/repository/index", headers=other).json() == []

    refused(http.post(URL, content=b" " * 10_001, headers=mine), 413, "larger than 10,000 bytes")
    refused(http.post(URL, content=iter([b" " * 6000] * 2), headers=mine), 413, "larger than 10,000 bytes")
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < 10_000
    refused(http.post(URL, content=bomb, headers={**mine, "Content-Encoding": "gzip"}), 413, "unpacks to more")
