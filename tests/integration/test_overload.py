"""Predictions that take too long, or that nobody waits for any more: dropped, never a hang."""

import asyncio
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import loop
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from stack import PATIENCE, until

from api.serving import bodies
from api.serving import predict as serving
from api.serving.batching import Batcher


@dataclass
class Slow:
    """Stands in front of the model's graph, and counts what reaches it."""

    url: str
    body: dict[str, Any]
    computed: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def slow(api: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """A model whose every run of 64 samples lasts until the test lets it go on."""
    name = f"slow-{abs(hash(request.node.name)):x}"
    api.player.train(name)
    sample = api.http.get("/v1/datasets/digits/samples?limit=1").json()["data"][0]["values"]
    url = f"/v1/models/{name}:predict"
    api.http.post(url, json={"inputs": [sample]}).raise_for_status()
    loaded = loop.run(api.service.predict.versions.get("default", name))
    batcher: Batcher = loaded.batcher
    one, real = Slow(url, {"inputs": [sample]}), batcher._compute

    def compute(samples: NDArray[Any]) -> NDArray[np.float32]:
        one.computed += len(samples)
        assert one.go_on.wait(PATIENCE)
        return real(samples)

    monkeypatch.setattr(batcher, "_compute", compute)
    monkeypatch.setattr(batcher, "_seconds_a_unit", 1.0)  # not in the event loop
    monkeypatch.setattr(api.service.predict, "most_seconds", PATIENCE)  # only the test drops what waits
    yield one
    one.go_on.set()


@pytest.mark.parametrize("path", ["v1", "v2"])
def test_what_is_not_answered_in_time_is_dropped(api: Any, slow: Slow, path: str) -> None:
    url, body = slow.url, slow.body
    if path == "v2":
        url = f"/v2/models/{slow.url.split('/')[-1].removesuffix(':predict')}/infer"
        body = {"inputs": [{"name": "input", "shape": [1, 8, 8, 1], "datatype": "UINT8", "data": [0] * 64}]}
    answers: list[httpx.Response] = []
    first = threading.Thread(target=lambda: answers.append(api.http.post(slow.url, json=slow.body)))
    first.start()
    until(lambda: slow.computed == 1, "the first to be at work")
    began = time.monotonic()
    late = api.http.post(url, json=body, headers={"Prefer": "respond-async, wait=1"})
    assert time.monotonic() - began > 0.9
    assert (late.status_code, late.headers["Retry-After"]) == (503, "1")
    assert "not answered within 1 s" in late.text
    if path == "v1":
        assert (late.json()["code"], late.headers["Content-Type"]) == ("overloaded", "application/problem+json")
    slow.go_on.set()
    first.join()
    assert answers[0].status_code == 200
    assert api.http.post(slow.url, json=slow.body).status_code == 200
    assert slow.computed == 2  # the late one never was


def test_the_server_has_a_limit_of_its_own(api: Any, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.service.predict, "most_seconds", 0.2)
    for prefer in ({}, {"Prefer": "wait=3600"}, {"Prefer": "wait=-1"}, {"Prefer": "wait=soon"}):
        late = api.http.post(slow.url, json=slow.body, headers=prefer)
        assert late.status_code == 503 and "within 0.2 s" in late.json()["detail"]
    with socket.create_connection(("127.0.0.1", httpx.URL(api.url).port), timeout=PATIENCE) as stalled:
        stalled.sendall(head(slow.url, 1000) + b'{"inputs"')  # and the rest of the body never comes
        assert stalled.recv(65536).startswith(b"HTTP/1.1 503 ")


def test_work_for_who_has_gone_is_dropped(api: Any, slow: Slow) -> None:
    body = json.dumps({"inputs": slow.body["inputs"] * 640}).encode()
    with socket.create_connection(("127.0.0.1", httpx.URL(api.url).port)) as gone:
        gone.sendall(head(slow.url, len(body)) + body)
        until(lambda: slow.computed == 64, "the first of ten runs")
    until(lambda: in_flight(api) == 0, "the request to be over")
    slow.go_on.set()
    assert api.http.post(slow.url, json=slow.body).status_code == 200
    assert slow.computed == 65


def patiently(url: str, **sent: Any) -> int:
    """The status of an answer that may take long."""
    return httpx.post(url, timeout=PATIENCE, **sent).status_code


def head(url: str, length: int) -> bytes:
    lines = ("Host: 127.0.0.1", "Content-Type: application/json", f"Content-Length: {length}")
    return "\r\n".join((f"POST {url} HTTP/1.1", *lines, "", "")).encode()


def in_flight(api: Any) -> float:
    text = api.http.get("/metrics").text
    (line,) = (line for line in text.splitlines() if line.startswith("epochd_predictions_in_flight "))
    return float(line.split()[-1])


def test_an_explanation_for_who_has_gone_is_not_finished(api: Any, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    name = slow.url.split("/")[-1].removesuffix(":predict")
    loaded = loop.run(api.service.predict.versions.get("default", name))
    real, batches = loaded.compute, [0]

    def compute(samples: NDArray[Any]) -> NDArray[np.float32]:
        batches[0] += 1
        time.sleep(0.03)
        return real(samples)

    monkeypatch.setattr(loaded, "compute", compute)
    body = json.dumps(slow.body).encode()
    with socket.create_connection(("127.0.0.1", httpx.URL(api.url).port)) as gone:
        gone.sendall(head(f"/v1/models/{name}:explain?samples=16384", len(body)) + body)
        until(lambda: batches[0] > 2, "it to be under way")
    until(lambda: api.service.explain._under_way == 0, "it to be dropped")
    assert batches[0] < 200  # of more than 256


def test_an_explanation_that_cannot_begin_is_told_to_come_back(
    api: Any, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = slow.url.split("/")[-1].removesuffix(":predict")
    loaded = loop.run(api.service.predict.versions.get("default", name))
    real, at_work = loaded.compute, [0]

    def compute(samples: NDArray[Any]) -> NDArray[np.float32]:
        at_work[0] += 1
        assert slow.go_on.wait(PATIENCE)
        answer: NDArray[np.float32] = real(samples)
        return answer

    monkeypatch.setattr(loaded, "compute", compute)
    monkeypatch.setattr(api.service.explain, "_seconds", PATIENCE)
    answers: list[int] = []
    url = f"{api.url}/v1/models/{name}:explain"
    asking = [threading.Thread(target=lambda: answers.append(patiently(url, json=slow.body))) for _ in range(2)]
    for one in asking:
        one.start()
    until(lambda: at_work[0] == 2, "both threads to be taken")
    monkeypatch.setattr(api.service.explain, "_seconds", 0.2)
    refused = api.http.post(url, json=slow.body)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert "not begun within 0.2 s" in refused.json()["detail"]
    slow.go_on.set()
    for one in asking:
        one.join()
    assert answers == [200, 200]


def test_a_model_leaves_room_for_the_others(api: Any, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    api.player.train("beside")
    url = "/v1/models/beside:predict"
    assert api.http.post(url, json=slow.body).status_code == 200
    monkeypatch.setattr(api.service.predict, "_most", 8)
    monkeypatch.setattr(api.service.predict.shares, "most", 6)
    answers: list[int] = []
    asking = [
        threading.Thread(
            target=lambda: answers.append(httpx.post(api.url + slow.url, json=slow.body, timeout=PATIENCE).status_code)
        )
        for _ in range(6)
    ]
    for one in asking:
        one.start()
    until(lambda: in_flight(api) == 6, "the model to have its share")
    refused = api.http.post(slow.url, json=slow.body)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert "6 predictions of this model" in refused.json()["detail"]
    name = slow.url.split("/")[-1].removesuffix(":predict")
    tensor = {"name": "input", "shape": [1, 8, 8, 1], "datatype": "UINT8", "data": [0] * 64}
    other = api.http.post(f"/v2/models/{name}/infer", json={"inputs": [tensor]})
    assert other.status_code == 503 and "of this model" in other.json()["error"]
    assert api.http.post(url, json=slow.body).status_code == 200  # not held up
    slow.go_on.set()
    for one in asking:
        one.join()
    assert answers == [200] * 6
    assert api.http.post(slow.url, json=slow.body).status_code == 200


def test_large_pictures_of_one_model_hold_up_no_other(api: Any, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is read in threads at length for one model, its versions together, there are threads left for others."""
    for _ in range(3):
        api.player.train("pictured")
    at_work, go_on, lock = [0, 0], threading.Event(), threading.Lock()
    real = bodies.read

    def read(kind: str, data: bytes, preprocessing: Any) -> Any:
        if kind == "image/webp":
            with lock:
                at_work[0] += 1
                at_work[1] = max(at_work)
            assert go_on.wait(PATIENCE)
            with lock:
                at_work[0] -= 1
        return real(kind, data, preprocessing)

    monkeypatch.setattr(bodies, "read", read)
    files = {}
    for kind in ("webp", "png"):
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, kind)
        files[kind] = file.getvalue()
    webp: dict[str, Any] = {"content": files["webp"], "headers": {"Content-Type": "image/webp"}}
    urls = [f"{api.url}/v1/models/pictured:{version}:predict" for version in (1, 2, 3)]
    with ThreadPoolExecutor(24) as asking:
        asked = [asking.submit(httpx.post, url, timeout=PATIENCE, **webp) for url in urls * 8]
        until(lambda: in_flight(api) == 24 and at_work[0] == 2, "all to be at work")
        slow.go_on.set()
        png: dict[str, Any] = {"content": files["png"], "headers": {"Content-Type": "image/png"}}
        assert api.http.post(slow.url, **png).status_code == 200
        assert at_work == [2, 2]
        go_on.set()
    assert [one.result().status_code for one in asked] == [200] * 24


def test_bodies_fill_no_more_memory_than_there_is(api: Any, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    buffers = api.service.predict.buffers
    monkeypatch.setattr(buffers, "most", 3_000_000)
    port = httpx.URL(api.url).port
    held = []
    for _ in range(2):  # each says that it has more to come
        one = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        one.sendall(head(slow.url, 2_000_000) + b" " * 1_200_000)
        held.append(one)
    until(lambda: buffers.held > 2_300_000, "most of the bodies to be there")
    refused = api.http.post(slow.url, content=b" " * 900_000, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    slow.go_on.set()
    assert api.http.post(slow.url, json=slow.body).status_code == 200
    for one in held:
        one.close()
    until(lambda: buffers.held == 0, "the memory to be free")


def test_what_is_deleted_while_it_is_asked(api: Any, slow: Slow) -> None:
    """A request that was begun is answered; the next one is told that there is nothing of that name any more."""
    name = slow.url.split("/")[-1].removesuffix(":predict")
    alias = f"/v1/models/{name}/aliases/short-lived"
    tag = api.http.put(alias, json={"version": 1}).headers["ETag"]
    answers: list[int] = []
    url = f"{api.url}/v1/models/{name}@short-lived:predict"
    asking = threading.Thread(target=lambda: answers.append(patiently(url, json=slow.body)))
    asking.start()
    until(lambda: slow.computed == 1, "the request to be at work")
    assert api.http.delete(alias, headers={"If-Match": tag}).status_code == 204
    job = api.http.get(f"/v1/models/{name}/versions/1").json()["job"]
    assert api.http.delete(f"/v1/jobs/{job}").status_code == 204
    slow.go_on.set()
    asking.join()
    assert answers == [200]
    gone = api.http.post(url, json=slow.body)
    assert (gone.status_code, "no alias 'short-lived'" in gone.json()["detail"]) == (404, True)
    assert api.http.post(slow.url, json=slow.body).status_code == 200  # the version outlives its job


def test_a_large_answer_is_written_beside_the_event_loop(api: Any, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.go_on.set()
    samples = [one["values"] for one in api.http.get("/v1/datasets/digits/samples?limit=100").json()["data"]]
    inputs, loops, real = samples * 5, list[Any](), serving.express

    def express(*given: Any) -> Any:
        loops.append(asyncio._get_running_loop())
        return real(*given)

    small = api.http.post(slow.url, json={"inputs": samples}).json()["predictions"]
    monkeypatch.setattr(serving, "express", express)
    large = api.http.post(slow.url, json={"inputs": inputs}).json()
    assert (large["object"], large["model_version"], len(large["predictions"])) == ("prediction", 1, 500)
    for found, wanted in zip(large["predictions"], small * 5, strict=True):
        assert found["class"] == wanted["class"]
        assert found["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-6)
    assert set(loops) == {None} and len(loops) > 1  # in parts, and in a thread that has no loop
