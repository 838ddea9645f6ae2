"""Models over HTTP, on both databases: versions, aliases with their history, and predictions of real digits."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from player import finished

from api.serving import predict as serving
from models.data.splits import Dataset, Split


@pytest.fixture
def model(api: Any, request: pytest.FixtureRequest) -> tuple[str, Any]:
    """A model of this test's own with one version; its name and what was trained."""
    name = f"m-{abs(hash(request.node.name)):x}"
    return name, api.player.train(name)


def digits(api: Any, count: int) -> tuple[list[Any], Any]:
    """Raw test samples as the API gives them, and the same as an array."""
    page = api.http.get("/v1/datasets/digits/samples", params={"limit": count}).json()
    return [sample["values"] for sample in page["data"]], api.player.digits().test.inputs[:count]


def test_predictions_are_those_of_the_trained_network(api: Any, model: tuple[str, Any]) -> None:
    for fields in ({}, {"network": {"family": "cnn"}, "data": {"resize": [28, 28]}}):
        name, played = model if not fields else ("cnn", api.player.train("cnn", **fields))
        inputs, raw = digits(api, 100)
        answer = api.http.post(f"/v1/models/{name}:predict", json={"inputs": inputs})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["model"], body["model_version"], len(body["predictions"])) == (name, 1, 100)
        with torch.no_grad():
            logits = played.network(torch.from_numpy(played.preprocessing.apply(raw)))
        wanted = torch.softmax(logits.double(), 1).numpy()
        found = np.array([list(one["probabilities"].values()) for one in body["predictions"]])
        assert np.abs(found - wanted).max() < 1e-5
        assert [one["index"] for one in body["predictions"]] == wanted.argmax(1).tolist()
        first = body["predictions"][0]
        assert first["class"] == str(first["index"]) and first["probability"] == max(first["probabilities"].values())


def test_a_model_of_sequences(api: Any) -> None:
    played = api.player.train("rows", dataset="digits-rows")
    page = api.http.get("/v1/datasets/digits-rows/samples", params={"limit": 20}).json()
    inputs, raw = [sample["values"] for sample in page["data"]], api.player.digits("digits-rows").test.inputs[:20]
    assert np.array_equal(np.array(inputs, np.float32), raw)
    answer = api.http.post("/v1/models/rows:predict", json={"inputs": inputs})
    with torch.no_grad():
        logits = played.network(torch.from_numpy(played.preprocessing.apply(raw)))
    found = np.array([list(one["probabilities"].values()) for one in answer.json()["predictions"]])
    assert np.abs(found - torch.softmax(logits.double(), 1).numpy()).max() < 1e-5
    version = api.http.get("/v1/models/rows/versions/1").json()
    assert version["input"] == {"kind": "series", "shape": [8, 8], "dtype": "float32"}

    short = api.http.post("/v1/models/rows:predict", json={"inputs": [inputs[0], inputs[1][:7]]})
    assert (short.status_code, short.json()["errors"][0]["pointer"]) == (422, "#/inputs/1")
    huge = api.http.post("/v1/models/rows:predict", json={"inputs": [[[1e300] * 8] * 8]})
    assert (huge.status_code, "finite" in huge.json()["detail"]) == (422, True)
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "png")
    picture = api.http.post("/v1/models/rows:predict", content=file.getvalue(), headers={"Content-Type": "image/png"})
    assert (picture.status_code, "sequences of numbers" in picture.json()["detail"]) == (415, True)


def found(answer: httpx.Response) -> Any:
    """The probabilities of an answer [N, classes]."""
    assert answer.status_code == 200, answer.text
    return np.array([list(one["probabilities"].values()) for one in answer.json()["predictions"]])


def test_a_model_of_series_that_vary_in_length(api: Any) -> None:
    whole = api.player.digits("digits-rows")
    cut = [Split(part.inputs, part.targets, 3 + part.targets % 6) for part in (whole.train, whole.test)]
    dataset = Dataset(*cut, {**whole.manifest, "lengths": [3, 8]})
    played = api.player.train("varied", trained=finished(dataset))
    rows = [one[:length].tolist() for one, length in zip(*(dataset.test.inputs, dataset.test.lengths), strict=True)][
        :90
    ]
    with torch.no_grad():
        alone = [
            played.network(torch.from_numpy(played.preprocessing.feed([np.float32(one)])["input"])) for one in rows
        ]
    wanted = torch.softmax(torch.cat(alone).double(), 1).numpy()
    url = "/v1/models/varied:predict"
    assert np.abs(found(api.http.post(url, json={"inputs": rows})) - wanted).max() < 1e-5
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda row: found(api.http.post(url, json={"inputs": [row]})), rows))
    assert np.abs(np.concatenate(answers) - wanted).max() < 1e-5
    long = api.http.post(url, json={"inputs": [rows[0], [[0.0] * 8] * 33]})
    assert (long.status_code, long.json()["errors"][0]["pointer"]) == (422, "#/inputs/1")
    assert "1 to 32 steps" in long.json()["detail"]


def test_a_model_of_texts(api: Any) -> None:
    digits = api.player.digits()

    def texts(part: Split) -> Split:
        words = np.array(["nul", "een", "twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "neg\u00ean"], object)
        return Split(words[part.targets] + " \u20ac", part.targets)

    manifest = {**digits.manifest, "kind": "text", "shape": [], "dtype": "utf8", "lengths": [5, 7]}
    played = api.player.train("texts", trained=finished(Dataset(texts(digits.train), texts(digits.test), manifest)))
    sentences = ["zes \u20ac", "\u00ean", "een heel lange zin", ""]
    tokens = played.preprocessing.tokens
    with torch.no_grad():
        alone = [played.network(torch.from_numpy(one)[None]) for one in tokens.encode(sentences)]
    wanted = torch.softmax(torch.cat(alone).double(), 1).numpy()
    url = "/v1/models/texts:predict"
    assert np.abs(found(api.http.post(url, json={"inputs": sentences})) - wanted).max() < 1e-5
    for sentence, row in zip(sentences, wanted, strict=True):
        plain = {"Content-Type": "text/plain; charset=utf-8"}
        assert np.abs(found(api.http.post(url, content=sentence.encode(), headers=plain)) - row).max() < 1e-5
    refused = api.http.post(url, json={"inputs": ["zes", [1]]})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/inputs/1")
    picture = api.http.post(url, content=b"", headers={"Content-Type": "image/png"})
    assert (picture.status_code, "reads texts" in picture.json()["detail"]) == (415, True)


def test_one_sample_many_ways(api: Any, model: tuple[str, Any]) -> None:
    name, _ = model
    (rows,), raw = digits(api, 1)
    url = f"/v1/models/{name}:predict"
    expected = api.http.post(url, json={"inputs": [rows]}).json()["predictions"]
    with_channel = [[[pixel] for pixel in row] for row in rows]
    assert api.http.post(url, json={"inputs": [with_channel]}).json()["predictions"] == expected
    for kind in ("png", "bmp"):
        file = io.BytesIO()
        Image.fromarray(raw[0, :, :, 0]).save(file, kind)
        answer = api.http.post(url, content=file.getvalue(), headers={"Content-Type": f"image/{kind}"})
        assert answer.json()["predictions"] == expected
    file = io.BytesIO()
    Image.fromarray(raw[0, :, :, 0]).save(file, "jpeg")
    with Image.open(file) as decoded:
        lossy = np.asarray(decoded).tolist()
    assert lossy != rows  # or this would be one more picture of the same pixels
    answer = api.http.post(url, content=file.getvalue(), headers={"Content-Type": "image/jpeg"})
    assert answer.json()["predictions"] == api.http.post(url, json={"inputs": [lossy]}).json()["predictions"]
    (top,) = api.http.post(f"{url}?top=3", json={"inputs": [rows]}).json()["predictions"]
    best = sorted(expected[0]["probabilities"].items(), key=lambda pair: -pair[1])[:3]
    assert list(top["probabilities"].items()) == best


BAD: list[tuple[bytes, str, int, str]] = [
    (b'{"inputs": [[[0]]]}', "application/json", 422, "#/inputs/0"),
    (b'{"inputs": []}', "application/json", 422, "#/inputs"),
    (b'{"inputs": [[["0"]]]}', "application/json", 422, "#/inputs/0/0/0"),
    (b'{"inputs": 1}', "application/json", 422, "#/inputs"),
    (b'{"input": []}', "application/json", 422, "#"),
    (b'{"inputs": [[[0]]], "more": 1}', "application/json", 422, "#"),
    (b'{"inputs": [[[1e999]]]}', "application/json", 422, "#/inputs/0/0/0"),
    (b"{", "application/json", 422, "#"),
    (b"[" * 100_000, "application/json", 422, "#"),
    (b"GIF89a", "image/png", 422, "#"),
    (b"x", "text/plain", 415, ""),
    (b"x", "", 415, ""),
]


@pytest.mark.parametrize(("body", "kind", "status", "pointer"), BAD, ids=[str(case[0][:24]) for case in BAD])
def test_bad_samples_are_refused(
    api: Any, model: tuple[str, Any], body: bytes, kind: str, status: int, pointer: str
) -> None:
    answer = api.http.post(f"/v1/models/{model[0]}:predict", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == ([pointer] if pointer else [])


def test_the_wrong_sample_of_many_is_named(api: Any, model: tuple[str, Any]) -> None:
    url = f"/v1/models/{model[0]}:predict"
    inputs, _ = digits(api, 5)
    for wrong in ([[300] * 8] * 8, [[-1] * 8] * 8, [[0] * 8] * 7, [[0] * 8] * 7 + [[0] * 9]):
        answer = api.http.post(url, json={"inputs": [*inputs[:3], wrong, inputs[4]]})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == "#/inputs/3"
    assert api.http.post(f"{url}?top=0", json={"inputs": inputs}).json()["errors"][0]["pointer"] == "#/query/top"


def test_names_that_lead_nowhere(api: Any, model: tuple[str, Any]) -> None:
    name, _ = model
    api.player.train(name, ready=False)
    inputs, _ = digits(api, 1)
    for reference, status in (
        ("nothing", 404),
        (f"{name}@none", 404),
        (f"{name}:9", 404),
        (f"{name}:2", 409),
        (name, 200),
    ):
        assert api.http.post(f"/v1/models/{reference}:predict", json={"inputs": inputs}).status_code == status
    shown = api.http.get(f"/v1/models/{name}").json()
    assert (shown["versions"], shown["latest_ready"], shown["serves"], shown["production"]) == (2, 1, 1, None)
    newest, oldest = api.http.get(f"/v1/models/{name}/versions").json()["data"]
    assert (newest["version"], newest["ready"], newest["reason"]) == (2, False, "the parity check failed")
    one = api.http.get(f"/v1/models/{name}/versions/1").json()
    assert (one["preprocessing"]["shape"], oldest["preprocessing"]) == ([8, 8, 1], None)  # it may be long
    assert {**one, "preprocessing": None} == oldest
    assert oldest["input"]["shape"] == [8, 8, 1] and oldest["classes"] == [str(digit) for digit in range(10)]
    assert name in {one["name"] for one in api.http.get("/v1/models?limit=100").json()["data"]}


def test_an_alias_moves_only_for_who_has_seen_it_and_goes_back_in_one_call(api: Any, model: tuple[str, Any]) -> None:
    name, _ = model
    api.player.train(name, seed=1)
    inputs, _ = digits(api, 1)
    url = f"/v1/models/{name}/aliases/production"

    def serves() -> int:
        return int(api.http.post(f"/v1/models/{name}:predict", json={"inputs": inputs}).json()["model_version"])

    def put(version: int, **headers: str) -> Any:
        return api.http.put(url, json={"version": version, "reason": f"to {version}"}, headers=headers)

    assert serves() == 2
    secret = api.http.post("/v1/keys", json={"name": "a colleague"}).json()["secret"]
    colleague = {"Authorization": f"Bearer {secret}"}
    times = [datetime.now(UTC)]
    assert put(9).status_code == 422 and put(1, **{"If-Match": '"r1"'}).status_code == 412
    made = put(1)
    assert (made.status_code, made.json()["version"], serves()) == (201, 1, 1)
    assert put(2).status_code == 428
    tag = api.http.get(url).headers["ETag"]
    assert tag == made.headers["ETag"]  # predictions, which are counted, have not changed it
    times.append(datetime.now(UTC))
    moved = put(2, **{"If-Match": tag}, **colleague)
    times.append(datetime.now(UTC))
    assert (moved.status_code, serves()) == (200, 2)
    assert put(1, **{"If-Match": tag}).status_code == 412
    once = {
        "Idempotency-Key": name,
        **colleague,
    }  # whoever lost the first answer asks again, and does not go forward with it
    api.http.post(f"{url}/rollback", json={"reason": "worse"}, headers=once)
    back = api.http.post(f"{url}/rollback", json={"reason": "worse"}, headers=once)
    other = api.http.post(f"{url}/rollback", json={"reason": "better"}, headers=once)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert (back.status_code, back.json()["version"], serves()) == (200, 1, 1)
    assert api.http.get(f"/v1/models/{name}").json()["serves"] == 1

    history = api.http.get(f"{url}/history").json()["data"]
    assert [(move["from"], move["to"], move["reason"], move["by"]) for move in history] == [
        (2, 1, "worse", "a colleague"),
        (1, 2, "to 2", "a colleague"),
        (None, 1, "to 1", "local"),
    ]
    third, second, first = [datetime.fromisoformat(move["at"]) for move in history]
    assert times[0] <= first <= times[1] <= second <= times[2] <= third <= datetime.now(UTC)
    assert api.http.delete(url).status_code == 428
    assert api.http.delete(url, headers={"If-Match": back.headers["ETag"]}).status_code == 204
    assert (api.http.get(url).status_code, serves()) == (404, 2)
    assert [move["to"] for move in api.http.get(f"{url}/history").json()["data"]] == [None, 1, 2, 1]
    again = put(1)
    assert again.status_code == 201 and again.headers["ETag"] not in (made.headers["ETag"], moved.headers["ETag"])


def test_many_requests_at_once_get_their_own_answers(api: Any, model: tuple[str, Any]) -> None:
    inputs, _ = digits(api, 64)
    url = f"/v1/models/{model[0]}:predict"
    expected = api.http.post(url, json={"inputs": inputs}).json()["predictions"]

    def ask(index: int) -> Any:
        (prediction,) = api.http.post(url, json={"inputs": [inputs[index]]}).json()["predictions"]
        return prediction

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(ask, range(64)))
    for answer, wanted in zip(answers, expected, strict=True):
        assert answer["index"] == wanted["index"]
        assert answer["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-6)
    counted = api.http.get("/metrics").text
    assert "epochd_predictions_total" in counted and 'route="/v1/models/{reference}:predict"' in counted


def test_too_many_at_once_are_told_to_come_back(
    api: Any, model: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, _ = digits(api, 1)
    url = f"/v1/models/{model[0]}:predict"
    predict: serving.Predict = api.service.predict
    monkeypatch.setattr(predict, "_most", 0)
    answer = api.http.post(url, json={"inputs": inputs})
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "overloaded", "1")
    monkeypatch.undo()
    assert api.http.post(url, json={"inputs": inputs}).status_code == 200
