"""Predictions that take too long, or that nobody waits for any more: dropped, never a hang."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import loop
import numpy as np
import pytest
from numpy.typing import NDArray
from stack import until

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
        assert one.go_on.wait(20)
        return real(samples)

    monkeypatch.setattr(batcher, "_compute", compute)
    monkeypatch.setattr(batcher, "_seconds_a_unit", 1.0)  # not in the event loop
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
    assert 0.9 < time.monotonic() - began < 10
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
    with socket.create_connection(("127.0.0.1", httpx.URL(api.url).port), timeout=10) as stalled:
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


def head(url: str, length: int) -> bytes:
    lines = ("Host: 127.0.0.1", "Content-Type: application/json", f"Content-Length: {length}")
    return "\r\n".join((f"POST {url} HTTP/1.1", *lines, "", "")).encode()


def in_flight(api: Any) -> float:
    text = api.http.get("/metrics").text
    (line,) = (line for line in text.splitlines() if line.startswith("epochd_predictions_in_flight "))
    return float(line.split()[-1])
