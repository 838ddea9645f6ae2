"""``fine_tune_from`` a version that was trained on texts, over HTTP: a writer and a classifier."""

from typing import Any

import pytest
from prose import prose
from stack import Stack
from uploaded import put

WRITER: dict[str, Any] = {
    "dataset": "plays",
    "network": {"family": "rnn", "cell": "gru", "hidden": 24, "embedding": 12},
    "data": {"window": 24},
    "hyperparameters": {"epochs": 4, "batch_size": 16, "optimizer": {"lr": 0.01}},
}
JUDGE: dict[str, Any] = {
    "dataset": "reviews",
    "network": {"family": "rnn", "cell": "gru", "hidden": 12, "embedding": 8},
    "data": {"tokens": "word", "vocabulary": 50},
    "hyperparameters": {"epochs": 8, "batch_size": 16, "optimizer": {"lr": 0.02}},
}


def upload(system: Stack, name: str, data: str, filename: str) -> None:
    ended = system.ended(put(system, name, data.encode(), filename=filename)["id"])
    assert ended["status"] == "succeeded", ended["error"]


def table(words: dict[str, str]) -> str:
    rows = [f"{label},{filler} {word} {number % 5}" for number, filler in enumerate(["so", "ja", "né"] * 20)
            for label, word in words.items()]  # fmt: skip
    return "\n".join(["label,text", *rows])


def trained(system: Stack, **body: Any) -> dict[str, Any]:
    job = system.ended(system.submit(body))
    assert job["status"] == "succeeded", job["error"]
    return job


def first(system: Stack, job: dict[str, Any], name: str) -> float:
    return float(system.metrics(job["id"])[name][0][1])


@pytest.fixture(scope="module")
def bases(system: Stack) -> None:
    """Version 1 of the models ``writer`` and ``judge``."""
    upload(system, "plays", prose(150), "plays.txt")
    upload(system, "reviews", table({"good": "bra", "bad": "dum"}), "reviews.csv")
    trained(system, **WRITER, model="writer")
    trained(system, **JUDGE, model="judge")


def test_a_writer_learns_another_text(system: Stack, bases: None) -> None:
    upload(system, "own", prose(60, seed=4), "own.txt")
    scratch = trained(system, **{**WRITER, "dataset": "own"})
    tuned = trained(system, **{**WRITER, "dataset": "own", "model": "writer", "fine_tune_from": "writer"})
    assert tuned["fine_tune_from"] == "writer:1" and tuned["model_version"] == 2
    assert first(system, tuned, "validation_loss") < 0.8 * first(system, scratch, "validation_loss")
    versions = [system.http.get(f"/v1/models/writer/versions/{number}").json() for number in (1, 2)]
    assert versions[0]["preprocessing"]["tokens"] == versions[1]["preprocessing"]["tokens"]
    answer = system.http.post("/v1/models/writer:predict", json={"prompt": "the king ", "max_tokens": 20}).json()
    assert answer["model_version"] == 2 and len(answer["text"]) == 20


def test_a_classifier_learns_other_classes(system: Stack, bases: None) -> None:
    upload(system, "more", table({"good": "bra", "bad": "dum", "odd": "ny"}), "more.csv")
    body = {**JUDGE, "dataset": "more", "fine_tune_from": "judge:1", "model": "three"}
    estimate = system.http.post("/v1/estimates", json={**body, "data": {"tokens": "word"}}).json()
    tuned = trained(system, **body)
    tokens = system.http.get("/v1/models/judge/versions/1").json()["preprocessing"]["tokens"]["vocabulary"]
    assert tuned["layers"][0]["parameters"] == 8 * (2 + len(tokens))
    assert estimate["parameters"] == tuned["parameters"] and tuned["result"]["classes"] == ["bad", "good", "odd"]
    answer = system.http.post("/v1/models/three:predict", json={"inputs": ["so bra 1"]}).json()
    assert answer["predictions"][0]["class"] in ("bad", "good", "odd")


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"data": {}}, "#/data/tokens", 'give its tokens, "word"'),
        ({"data": {"tokens": "word", "lowercase": True}}, "#/data/lowercase", "false"),
        ({"fine_tune_from": "writer"}, "#/dataset", "these samples are text, and writer:1 was trained on corpus"),
        ({"fine_tune_from": "nobody"}, "#/fine_tune_from", "there is no model 'nobody'"),
        ({"dataset": "digits", "data": {}}, "#/dataset", "these samples are image"),
    ],
)
def test_what_cannot_be_a_start_is_refused_by_jobs_and_estimates(
    system: Stack, bases: None, fields: dict[str, Any], pointer: str, words: str
) -> None:
    body = {**JUDGE, "fine_tune_from": "judge", **fields}
    if "dataset" in fields:
        body["network"] = {"family": "rnn", "cell": "gru", "hidden": 12}
    for url in ("/v1/jobs", "/v1/estimates"):
        answer = system.http.post(url, json=body)
        assert answer.status_code == 422, answer.text
        (error,) = answer.json()["errors"]
        assert error["pointer"] == pointer
        assert words in error["detail"].replace("writer:2", "writer:1"), error["detail"]
