"""Explanations that a worker makes, on both databases: gradients, and whatever the client does not wait for."""

import csv
import io
import time
from typing import Any

import psutil
import pytest
from PIL import Image
from stack import Stack
from uploaded import put

from core import ids

CNN = {"family": "cnn", "stages": [{"channels": 8}], "hidden": [16]}


@pytest.fixture(scope="module")
def digit(service: Stack) -> list[list[int]]:
    """A real digit, and a model called ``digits`` that has learnt them."""
    spec = {"dataset": "digits", "model": "digits", "network": CNN, "hyperparameters": {"epochs": 6}}
    assert service.ended(service.submit(spec))["status"] == "succeeded"
    page = service.http.get("/v1/datasets/digits/samples", params={"split": "test", "limit": 1}).json()
    values: list[list[int]] = page["data"][0]["values"]
    return values


def asked(service: Stack, model: str, sample: Any, prefer: str = "wait=60", **query: Any) -> Any:
    """The answer; once more where a busy machine takes longer than one may wait: then it is the same job's."""
    headers = {"Prefer": prefer, "Idempotency-Key": ids.new("key")}

    def ask() -> Any:
        return service.http.post(
            f"/v1/models/{model}:explain", json={"inputs": [sample]}, params=query, headers=headers
        )

    answer = ask()
    if answer.status_code == 202 and "wait=" in prefer:
        service.ended(answer.json()["id"])
        answer = ask()
    return answer


def test_gradients_agree_with_what_only_asks(service: Stack, digit: list[list[int]]) -> None:
    answer = asked(service, "digits", digit, method="integrated_gradients", samples=128)
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=60")
    gradients = answer.json()
    assert abs(gradients["additivity_gap"]) < 1e-3
    assert gradients["r2"] is None
    shapley = asked(service, "digits", digit).json()
    assert set(shapley) == set(gradients)
    assert (shapley["target"], shapley["shape"]) == (gradients["target"], gradients["shape"])
    assert shapley["output"] == pytest.approx(gradients["output"], abs=1e-5)
    assert shapley["base_value"] == pytest.approx(gradients["base_value"], abs=1e-5)
    assert [one["box"] for one in shapley["players"]] == [one["box"] for one in gradients["players"]]
    black = [one["value"] for one in gradients["players"] if digit[one["box"][0]][one["box"][1]] == 0]
    assert len(black) > 10 and set(black) == {0.0}  # what is the baseline already adds nothing


def test_a_worker_says_the_same_as_the_service_itself(service: Stack, digit: list[list[int]]) -> None:
    here = asked(service, "digits", digit, "", method="lime", seed=3).json()
    answer = asked(service, "digits", digit, "respond-async, wait=60", method="lime", seed=3)
    assert answer.headers["Preference-Applied"] == "respond-async, wait=60"
    there = answer.json()
    assert [one["value"] for one in here["players"]] == pytest.approx(
        [one["value"] for one in there["players"]], abs=1e-5
    )


def test_who_does_not_wait_is_given_a_job(service: Stack, digit: list[list[int]]) -> None:
    answer = asked(service, "digits", digit, "respond-async", method="kernel_shap", samples=4096)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["explain"]["model"], job["dataset"], job["ingest"]) == ("explain", "digits:1", None, None)
    ended = service.ended(job["id"])
    assert (ended["status"], ended["result"]["samples"] <= 4096) == ("succeeded", True)
    assert ended["result"]["object"] == "explanation"
    events = service.http.get(f"/v1/jobs/{job['id']}/events").json()["data"]
    assert [one["type"] for one in events if one["type"] != "stage"] == ["queued", "claimed", "succeeded"]
    listed = service.http.get("/v1/jobs", params={"kind": "explain"}).json()["data"]
    assert job["id"] in [one["id"] for one in listed]
    assert service.http.post(f"/v1/jobs/{job['id']}/pause").status_code == 409
    assert service.http.delete(f"/v1/jobs/{job['id']}").status_code == 204


def test_who_waits_for_less_than_it_takes_is_given_the_job(service: Stack, digit: list[list[int]]) -> None:
    once = {"Idempotency-Key": ids.new("key")}

    def ask(prefer: str) -> Any:
        query, headers = {"method": "integrated_gradients"}, {"Prefer": prefer, **once}
        return service.http.post("/v1/models/digits:explain", json={"inputs": [digit]}, params=query, headers=headers)

    worker = psutil.Process(service.started[-1].pid)
    worker.suspend()  # it is online, and takes as little as one whose place for short jobs is taken
    try:
        began = time.monotonic()
        answer = ask("wait=1")
        waited = time.monotonic() - began
    finally:
        worker.resume()
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=1")
    assert waited >= 1
    job = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["status"], job["result"]) == ("explain", "queued", None)
    ended = service.ended(job["id"])
    assert (ended["status"], ended["result"]["method"]) == ("succeeded", "integrated_gradients")
    again = ask("wait=60")
    assert (again.status_code, again.json()) == (200, ended["result"])


def test_an_idempotency_key_makes_one_explanation(service: Stack, digit: list[list[int]]) -> None:
    """Also where the alias that was asked for has moved meanwhile; another question is refused."""
    alias = "/v1/models/moving/aliases/canary"
    spec = {"dataset": "digits", "model": "moving", "network": CNN, "hyperparameters": {"steps": 1}}
    for version in (1, 2):
        assert service.ended(service.submit(spec))["model_version"] == version
    assert service.http.put(alias, json={"version": 1}).status_code == 201

    def ask(prefer: str, **query: Any) -> Any:
        headers = {"Prefer": prefer, "Idempotency-Key": "explain-once"}
        query = {"method": "integrated_gradients", **query}
        return service.http.post(
            "/v1/models/moving@canary:explain", json={"inputs": [digit]}, params=query, headers=headers
        )

    first = ask("respond-async")
    assert first.status_code == 202
    moved = service.http.put(alias, json={"version": 2}, headers={"If-Match": "*"})
    assert moved.status_code == 200
    again = ask("respond-async, wait=60")
    assert (again.status_code, again.json()["model_version"]) == (200, 1)
    assert again.json() == service.ended(first.json()["id"])["result"]
    refused = ask("respond-async", target="3")
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")


def test_a_picture_that_a_worker_explained(service: Stack, digit: list[list[int]]) -> None:
    answer = service.http.post(
        "/v1/models/digits:explain?method=integrated_gradients",
        json={"inputs": [digit]},
        headers={"Accept": "image/png", "Prefer": "wait=60"},
    )
    with Image.open(io.BytesIO(answer.content)) as drawn:
        assert drawn.size == (320, 320)


def test_gradients_of_a_text_find_the_word_that_decides(service: Stack) -> None:
    rows = io.StringIO()
    table = csv.writer(rows)
    table.writerow(["label", "text"])
    for number in range(60):
        table.writerow(["good", f"the film {number} was wonderful to see"])
        table.writerow(["bad", f"the film {number} was dreadful to see"])
    assert service.ended(put(service, "reviews", rows.getvalue().encode(), filename="r.csv")["id"])["status"]
    network = {"family": "rnn", "cell": "gru", "hidden": 8, "bidirectional": True}
    fast = {"epochs": 12, "optimizer": {"lr": 0.02}}
    spec = {"dataset": "reviews", "model": "reviews", "network": network, "hyperparameters": fast}
    ended = service.ended(service.submit({**spec, "data": {"tokens": "word"}}))
    assert ended["result"]["test"]["accuracy"] == 1.0
    answer = asked(service, "reviews", "the film was dreadful to see", method="integrated_gradients")
    found = answer.json()
    assert found["baseline"] == "unknown"
    assert abs(found["additivity_gap"]) < 1e-3
    assert max(found["players"], key=lambda one: one["value"])["text"] == "dreadful"
    refused = asked(service, "reviews", "dreadful", method="integrated_gradients", baseline="removed")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/query/baseline")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [({"method": "integrated_gradients", "target": "ten"}, "#/query/target"), ({"samples": 16}, "#/query/samples")],
)
def test_what_a_worker_could_not_do_is_refused_at_once(
    service: Stack, digit: list[list[int]], query: Any, pointer: str
) -> None:
    answer = asked(service, "digits", digit, "respond-async", **query)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
