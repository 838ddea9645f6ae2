"""Jobs over HTTP, on both databases: what is accepted, what is refused, and what may be asked of a job."""

import hashlib
import json
import threading
from base64 import b64decode
from typing import Any

import pytest
from safetensors.numpy import load
from sqlalchemy import func, select

from core import jobs
from core.tables import Job

CNN = {"dataset": "digits", "network": {"family": "cnn"}, "data": {"resize": [28, 28]}}


def queued(api: Any) -> int:
    with api.database.reading() as session:
        return int(session.scalar(select(func.count()).select_from(Job)))


def test_a_job_is_accepted_without_a_broker_and_says_what_it_is(api: Any) -> None:
    answer = api.http.post("/v1/jobs", json={**CNN, "metadata": {"run": "a"}, "model": "seed"})
    job = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/jobs/{job['id']}")
    assert (job["status"], job["parameters"], job["seed"], job["attempt"]) == ("queued", 225_034, 0, 0)
    assert sum(layer["parameters"] for layer in job["layers"]) == 225_034
    assert job["layers"][0]["input"] == [28, 28, 1] and job["layers"][-1]["output"] == [10]
    assert job["dataset"]["name"] == "digits" and job["queue"]["position"] >= 1
    assert job["hyperparameters"]["optimizer"]["name"] == "adam"
    assert api.http.get(answer.headers["Location"]).json()["id"] == job["id"]
    events = api.http.get(f"/v1/jobs/{job['id']}/events").json()["data"]
    assert [(event["seq"], event["type"]) for event in events] == [(1, "queued")]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"netwrok": {}}, "#/netwrok"),
    ({"dataset": "nothing"}, "#/dataset"),
    ({"dataset": "digits@9"}, "#/dataset"),
    ({"network": {"family": "transformer"}}, "#/network"),
    ({"network": {}}, "#/network"),
    ({"network": {"family": "cnn", "stages": [{"channels": 0}]}}, "#/network/stages/0/channels"),
    ({"hyperparameters": {"batch_size": "64"}}, "#/hyperparameters/batch_size"),
    ({"hyperparameters": {"epochs": 1, "steps": 1}}, "#/hyperparameters"),
    ({"hyperparameters": {"optimizer": {"name": "adam", "momentum": 0.9}}}, "#/hyperparameters/optimizer"),
    ({"seed": -1}, "#/seed"),
    ({"seed": 1.5}, "#/seed"),
    ({"priority": 101}, "#/priority"),
    ({"metadata": {"a": "\x00"}}, "#/metadata/a"),
    ({"metadata": {str(number): "" for number in range(17)}}, "#/metadata"),
    ({"model": "No Spaces"}, "#/model"),
    ({"data": {"resize": [0, 28]}}, "#/data/resize/0"),
    ({"data": {"resize": [4097, 28]}}, "#/data/resize/0"),
    ({"network": {"family": "rnn", "hidden": 16385}}, "#/network/hidden"),
    ({"hyperparameters": {"batch_size": 2**21}}, "#/hyperparameters/batch_size"),
    ({"timeout_seconds": 1e10}, "#/timeout_seconds"),
]
#: What only the plan or the dataset can tell, and what to do about it.
IMPOSSIBLE: list[tuple[dict[str, Any], str, str]] = [
    (
        {"network": {"family": "cnn", "stages": [{"channels": 4, "kernel": 9}]}},
        "#/network/stages/0/kernel",
        "use a smaller kernel or padding",
    ),
    (
        {"network": {"family": "cnn"}},  # two valid convolutions and pools do not fit into 8x8
        "#/network/stages/1/pool_size",
        'or larger images: "data": {"resize": [28, 28]}',
    ),
    (
        {"network": {"family": "rnn", "hidden": 16384, "layers": 16, "cell": "lstm"}, "data": {"resize": [4096, 4096]}},
        "#/network",
        "no other batch_size helps; use a smaller network",
    ),
    ({"hyperparameters": {"class_weights": [1.0, 2.0]}}, "#/hyperparameters/class_weights", "give one weight for each"),
    ({"dataset": "digits-rows", "network": {"family": "cnn"}}, "#/network/stages/1/pool_size", "the 1 step behind"),
    ({"dataset": "digits-rows", "data": {"resize": [9, 9]}}, "#/data/resize", "leave resize out"),
    ({"dataset": "digits-rows", "data": {"normalise": "unit"}}, "#/data/normalise", "leave normalise out"),
    ({"dataset": "nothing"}, "#/dataset", "GET /v1/datasets lists those there are"),
    ({"device": "cuda"}, "#/device", "it needs cuda"),
]


@pytest.mark.parametrize(("fields", "pointer", "advice"), IMPOSSIBLE, ids=[one[1] for one in IMPOSSIBLE])
def test_what_the_data_cannot_feed_is_refused_with_advice(
    api: Any, fields: dict[str, Any], pointer: str, advice: str
) -> None:
    before = queued(api)
    answer = api.http.post("/v1/jobs", json={"dataset": "digits", "network": {"family": "rnn"}, **fields})
    assert answer.status_code == 422, answer.text
    error, *others = answer.json()["errors"]
    assert error["pointer"] == pointer and advice in error["detail"]
    assert [one["pointer"] for one in others] == (["#/data/resize"] if "larger images" in error["detail"] else [])
    assert queued(api) == before


@pytest.mark.parametrize(("fields", "pointer"), BAD, ids=[pointer for _, pointer in BAD])
def test_what_cannot_be_is_refused_with_a_pointer_and_a_sentence(api: Any, fields: Any, pointer: str) -> None:
    before = queued(api)
    answer = api.http.post("/v1/jobs", json={"dataset": "digits", "network": {"family": "rnn"}, **fields})
    problem = answer.json()
    assert answer.status_code == 422, problem
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["code"] == "invalid_request" and problem["type"] == "/problems/invalid_request"
    assert any(error["pointer"].startswith(pointer) for error in problem["errors"]), problem["errors"]
    assert all(len(error["detail"].split()) >= 3 for error in problem["errors"])
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert queued(api) == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"a":' * 5000, b'{"seed": 1e999}', b"\xff"])
def test_bodies_that_are_no_request(api: Any, body: bytes) -> None:
    answer = api.http.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_body_without_its_content_type_is_told_what_is_missing(api: Any) -> None:
    for kind in ({}, {"Content-Type": "text/plain"}):
        (error,) = api.http.post("/v1/jobs", content=json.dumps(CNN), headers=kind).json()["errors"]
        assert (error["pointer"], error["detail"]) == ("#", "send a JSON object, with Content-Type: application/json")


def test_an_idempotency_key_makes_one_job(api: Any) -> None:
    headers = {"Idempotency-Key": "once"}
    answers: list[Any] = []

    def post() -> None:
        answers.append(api.http.post("/v1/jobs", json=CNN, headers=headers))

    before = queued(api)
    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert queued(api) == before + 1

    same = {**dict(reversed(CNN.items())), "seed": 0}  # another order, a default written out
    assert api.http.post("/v1/jobs", json=same, headers=headers).json()["id"] == answers[0].json()["id"]
    other = api.http.post("/v1/jobs", json={**CNN, "seed": 1}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")

    # a refused request leaves its key free
    headers = {"Idempotency-Key": "refused-first"}
    assert api.http.post("/v1/jobs", json={**CNN, "dataset": "nothing"}, headers=headers).status_code == 422
    assert api.http.post("/v1/jobs", json=CNN, headers=headers).status_code == 202


def test_lists_are_pages_that_inserts_do_not_shift(api: Any) -> None:
    made = [api.submit(metadata={"list": "yes", "n": str(number)}, model=f"m{number % 2}")["id"] for number in range(5)]
    first = api.http.get("/v1/jobs", params={"limit": 2, "metadata[list]": "yes"})
    assert [job["id"] for job in first.json()["data"]] == [made[4], made[3]]
    assert first.json()["data"][0]["layers"] is None
    api.submit(metadata={"list": "yes"})
    seen = []
    url = first.headers["Link"].partition("<")[2].partition(">")[0]
    while url:
        page = api.http.get(url)
        seen += [job["id"] for job in page.json()["data"]]
        url = page.headers["Link"].partition("<")[2].partition(">")[0] if page.json()["has_more"] else ""
    assert seen == [made[2], made[1], made[0]]

    def found(**params: Any) -> list[str]:
        data = api.http.get("/v1/jobs", params={"limit": 100, "metadata[list]": "yes", **params}).json()["data"]
        return [job["id"] for job in data if job["id"] in made]

    assert found(**{"metadata[n]": "3"}) == [made[3]]
    assert found(model="m1") == [made[3], made[1]]
    assert found(status=["failed", "queued"], dataset="digits", kind="train") == made[::-1]
    assert found(dataset="digits@2") == [] == found(status="running")
    bad = api.http.get("/v1/jobs", params={"limit": 101})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "#/query/limit")


def test_polling_costs_nothing_while_nothing_changes(api: Any) -> None:
    job = api.submit(metadata={"etag": "1"})
    for url in (f"/v1/jobs/{job['id']}", "/v1/jobs?metadata[etag]=1"):
        tag = api.http.get(url).headers["ETag"]
        assert tag.startswith('"')
        again = api.http.get(url, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    api.http.post(f"/v1/jobs/{job['id']}/cancel")
    assert api.http.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": tag}).status_code == 200


def test_what_may_be_asked_of_a_waiting_job(api: Any) -> None:
    url = f"/v1/jobs/{api.submit()['id']}"

    def ask(what: str) -> tuple[int, str]:
        answer = api.http.post(f"{url}/{what}")
        return answer.status_code, answer.json().get("code") or answer.json()["status"]

    assert ask("resume") == (200, "queued")
    assert ask("pause") == (202, "paused")
    assert ask("pause") == (200, "paused")
    assert api.http.get(url).json()["queue"] is None
    assert ask("resume") == (202, "queued")
    assert api.http.delete(url).status_code == 409
    assert ask("cancel") == (202, "cancelled")
    assert ask("cancel") == (200, "cancelled")
    assert ask("resume") == (409, "conflict") == ask("pause")
    newest = api.http.get(f"{url}/events", params={"order": "desc", "limit": 1}).json()
    assert newest["data"][0]["type"] == "cancelled" and newest["has_more"]
    older = api.http.get(f"{url}/events", params={"order": "desc", "after": newest["next_cursor"]}).json()
    assert [event["type"] for event in older["data"]] == ["resumed", "paused", "queued"]
    assert (api.http.delete(url).status_code, api.http.get(url).status_code) == (204, 404)


def test_metrics_are_thinned_without_losing_a_peak(api: Any) -> None:
    api.submit(priority=100)
    claim = api.player.claim()
    api.player.measure(claim, range(1, 301))
    url = f"/v1/jobs/{claim.lease.job_id}"
    running = api.http.get(url).json()
    assert running["status"] == "running" and running["worker"] == api.player.worker.id
    assert running["progress"]["ratio"] == pytest.approx(0.3) and running["estimated_finish"] is not None
    full = api.http.get(f"{url}/metrics").json()
    assert {series["name"]: series["total"] for series in full["data"]}["train_loss"] == 300
    (thin,) = api.http.get(f"{url}/metrics", params={"name": "train_loss", "max_points": 20}).json()["data"]
    assert thin["total"] == 300 and 4 <= len(thin["points"]) <= 20
    assert thin["points"][0] == [1, 1.0] and thin["points"][-1] == [300, pytest.approx(1 / 300)]
    peaks = {77: 9.0, 211: -9.0}
    flat = [jobs.Points([("validation_loss", step, peaks.get(step, 1.0))]) for step in range(1, 301)]
    with api.database.transaction() as session:
        jobs.record(session, claim.lease, flat)
    (thin,) = api.http.get(f"{url}/metrics", params={"name": "validation_loss", "max_points": 20}).json()["data"]
    assert len(thin["points"]) <= 20
    assert [point for point in thin["points"] if point[1] != 1.0] == [[77, 9.0], [211, -9.0]]
    assert api.http.post(f"{url}/cancel").json()["requested"] == "cancel"
    api.player.finish(claim)


def test_weights_are_downloaded_whole_or_in_parts(api: Any) -> None:
    played = api.player.train("weights")
    url = f"/v1/jobs/{played.job_id}/checkpoints"
    (checkpoint,) = api.http.get(url).json()["data"]
    assert checkpoint["best"] and checkpoint["last"] and checkpoint["step"] == 10
    url = f"{url}/{checkpoint['id']}/weights"
    whole = api.http.get(url)
    digest = hashlib.sha256(whole.content)
    assert digest.hexdigest() == checkpoint["weights_sha256"] == whole.headers["ETag"].strip('"')
    assert b64decode(whole.headers["Content-Digest"].removeprefix("sha-256=:").removesuffix(":")) == digest.digest()
    assert set(load(whole.content)) == set(played.network.state_dict())
    size = checkpoint["size_bytes"]
    head = api.http.head(url)
    assert (head.content, int(head.headers["Content-Length"])) == (b"", size == len(whole.content) and size)

    def part(value: str, **headers: str) -> Any:
        return api.http.get(url, headers={"Range": value, **headers})

    first, last = part("bytes=0-9"), part("bytes=-7")
    assert (first.status_code, first.content) == (206, whole.content[:10])
    assert first.headers["Content-Range"] == f"bytes 0-9/{size}"
    assert last.content == whole.content[-7:]
    assert part("bytes=10-").content == whole.content[10:]
    assert part("bytes=10-", **{"If-Range": '"another"'}).status_code == 200
    outside = part(f"bytes={size}-")
    assert (outside.status_code, outside.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert outside.json()["code"] == "range_not_satisfiable"
    assert api.http.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304

    job = api.http.get(f"/v1/jobs/{played.job_id}").json()
    assert (job["status"], job["model_version"], job["result"]["weights_sha256"]) == (
        "succeeded",
        1,
        digest.hexdigest(),
    )
    assert api.http.delete(f"/v1/jobs/{played.job_id}").status_code == 204
    assert api.http.get(url).status_code == 404
    version = api.http.get("/v1/models/weights/versions/1").json()
    assert version["job"] is None and version["weights_sha256"] == digest.hexdigest()


def test_datasets_and_their_samples(api: Any) -> None:
    (digits,) = api.http.get("/v1/datasets", params={"name": "digits"}).json()["data"]
    assert digits["splits"] == {"train": 1437, "test": 360} and digits["shape"] == [8, 8, 1]
    for reference in ("digits", "digits@1", digits["id"]):
        assert api.http.get(f"/v1/datasets/{reference}").json() == digits
    for reference in ("digits@2", "nothing", "digits@x", "%00"):
        assert api.http.get(f"/v1/datasets/{reference}").status_code == 404
    page = api.http.get("/v1/datasets/digits/samples", params={"limit": 2, "after": "357"}).json()
    assert [sample["index"] for sample in page["data"]] == [358, 359] and not page["has_more"]
    sample = page["data"][0]
    assert len(sample["values"]) == len(sample["values"][0]) == 8 and sample["label"] in digits["classes"]
    bare = api.http.get("/v1/datasets/digits/samples", params={"limit": 2, "after": "357", "values": False}).json()
    assert bare == {**page, "data": [{**one, "values": None} for one in page["data"]]}
