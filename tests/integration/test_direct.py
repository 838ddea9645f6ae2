"""Small predictions are answered without the application, and nobody can tell: the same answers, order and limits."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import pytest
from player import Player
from stack import until

from api import connection
from api.serving import batching
from api.serving.served import Served
from core.catalog import keys

JSON, RAW, TEXT = "application/json", "application/octet-stream", "text/plain"
HEADER = "Inference-Header-Content-Length"
Headers = dict[str, str]


class Line:
    """A connection of a client that says what goes into each packet."""

    def __init__(self, made: socket.socket) -> None:
        self.socket, self._read = made, made.makefile("rb")

    def ask(self, *packets: bytes, pause: float = 0.0) -> tuple[int, Headers, bytes]:
        """Send, and hear one answer."""
        for packet in packets:
            self.socket.sendall(packet)
            time.sleep(pause)
        return self.hear()

    def close(self) -> None:
        self._read.close()

    def hear(self) -> tuple[int, Headers, bytes]:
        status = int(self._read.readline().split()[1])
        lines = iter(self._read.readline, b"\r\n")
        headers = dict(line.decode().rstrip("\r\n").split(": ", 1) for line in lines)
        return status, headers, self._read.read(int(headers["content-length"]))


@contextmanager
def line(api: Any) -> Iterator[Line]:
    with socket.create_connection(("127.0.0.1", httpx.URL(api.url).port), timeout=20) as made:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one = Line(made)
        try:
            yield one
        finally:
            one.close()


def head(path: str, length: int | None, kind: str = JSON, **headers: str) -> bytes:
    given = {
        "Host": "127.0.0.1",
        "Content-Type": kind,
        **{name.replace("_", "-"): one for name, one in headers.items()},
    }
    given |= {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
    return "\r\n".join((f"POST {path} HTTP/1.1", *map(": ".join, given.items()), "", "")).encode()


def whole(path: str, body: bytes, kind: str = JSON, **headers: str) -> bytes:
    """A request in one packet."""
    return head(path, len(body), kind, **headers) + body


def in_chunks(path: str, body: bytes, kind: str = JSON, **headers: str) -> bytes:
    """The same in a form that only the application reads."""
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return head(path, None, kind, **headers) + chunk + b"0\r\n\r\n"


@pytest.fixture
def by_application(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the application answered, on a machine that is never slow; direct answers are counted without it."""
    monkeypatch.setattr(batching, "INLINE_SECONDS", 60.0)
    monkeypatch.setattr(connection, "HOLD_SECONDS", 60.0)
    found: list[str] = []
    real = Served.counting

    def counting(self: Served, version: Any, began: float) -> Any:
        found.append(version.model)
        return real(self, version, began)

    monkeypatch.setattr(Served, "counting", counting)
    return found


@pytest.fixture(scope="module")
def sample(api: Any) -> Any:
    """A real digit, 8x8, and the model ``digits`` that knows it."""
    api.player.train("digits")
    sample = api.http.get("/v1/datasets/digits/samples?limit=1").json()["data"][0]["values"]
    api.service.watch.look()  # a new revision of the catalog would send the next request to the application
    api.http.post("/v1/models/digits:predict", json={"inputs": [sample]}).raise_for_status()  # it is loaded
    return sample


def forms(sample: Any) -> Iterator[tuple[str, bytes, str, Headers]]:
    """Path, body, kind and headers of requests: right ones, and all that can be wrong with a body."""
    path, v2, flat = "/v1/models/digits:predict", "/v2/models/digits/infer", np.array(sample, np.uint8).ravel()
    for one in ([sample], [sample] * 3, [], [sample, [[1]]], [[[256] * 8] * 8], [[["a"] * 8] * 8], "x", [sample[:3]]):
        yield path, json.dumps({"inputs": one}).encode(), JSON, {}
    yield path, json.dumps({"inputs": [sample], "more": 1}).encode(), JSON, {}
    yield path, b'{"inputs": [', JSON, {}
    yield path, b"", JSON, {}
    for query in ("?top=3", "?top=0", "?top=x", "?bottom=1", "?top=1&top=2"):
        yield path + query, json.dumps({"inputs": [sample]}).encode(), JSON, {}
    for data in (flat.tobytes(), flat.tobytes() * 2, flat.tobytes()[:7]):
        yield path, data, RAW, {}
    yield path, b"a text", TEXT, {}
    yield path, b"a text", "text/unknown", {}
    yield "/v1/models/digits%3A1:predict", json.dumps({"inputs": [sample]}).encode(), JSON, {}
    yield "/v1/models/nobody:predict", json.dumps({"inputs": [sample]}).encode(), JSON, {}
    yield path, json.dumps({"inputs": [sample]}).encode(), JSON, {"Origin": "http://elsewhere"}
    given = {"name": "input", "shape": [1, 8, 8, 1], "datatype": "UINT8"}
    for tensor in (given | {"data": flat.tolist()}, given | {"data": [1]}, given | {"shape": [1, 4], "data": [1] * 4}):
        yield v2, json.dumps({"id": "a", "inputs": [tensor]}).encode(), JSON, {}
    front = json.dumps(
        {
            "inputs": [given | {"parameters": {"binary_data_size": 64}}],
            "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}],
        }
    ).encode()
    yield v2, front + flat.tobytes(), RAW, {HEADER: str(len(front))}
    yield v2, front + flat.tobytes(), RAW, {HEADER: "99999"}
    yield v2, front, RAW, {}


def test_both_ways_give_the_same(api: Any, sample: Any, by_application: list[str]) -> None:
    for path, body, kind, headers in forms(sample):
        answers = []
        for make in (whole, whole, in_chunks):  # what is understood, what is remembered of it, and the application
            by_application.clear()
            with line(api) as one:
                status, given, answer = one.ask(make(path, body, kind, X_Request_ID="mine", **headers))
            assert given.pop("date")
            answers.append((status, given, answer))
            assert make is in_chunks or not by_application or "%3A1" in path  # which nobody had asked for before
        assert answers[0] == answers[1] == answers[2], (path, body[:80])
    assert by_application == ["digits"]


def test_answers_keep_the_order_of_requests(api: Any, sample: Any) -> None:
    body = json.dumps({"inputs": [sample]}).encode()
    ask, live = whole("/v1/models/digits:predict", body), b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with line(api) as one:
        one.socket.sendall(ask + live + ask + live + ask)
        answers = [one.hear() for _ in range(5)]
        assert ["predictions" in json.loads(answer[2]) for answer in answers] == [True, False, True, False, True]
        assert {answer[0] for answer in answers} == {200}
        last = one.ask(whole("/v1/models/digits:predict", body, Connection="close"))
        assert (last[0], last[1]["connection"], last[2]) == (200, "close", answers[0][2])
        assert one.socket.recv(1) == b""


def test_a_body_may_come_in_parts(
    api: Any, sample: Any, by_application: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"inputs": [sample]}).encode()
    first, second = head("/v1/models/digits:predict", len(body)), (body[:50], body[50:])
    with line(api) as one:
        at_once = one.ask(first, *second)
        assert not by_application
        monkeypatch.setattr(connection, "HOLD_SECONDS", 0.02)
        slowly = one.ask(first, *second, pause=0.1)  # the application waits for who is slow
        assert by_application == ["digits"] and at_once[2] == slowly[2]
        expecting = head("/v1/models/digits:predict", len(body), Expect="100-continue")
        one.socket.sendall(expecting)
        assert one.socket.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_what_is_asked_together_is_computed_together(api: Any, sample: Any) -> None:
    def computed() -> tuple[float, float]:
        lines = dict(one.rsplit(" ", 1) for one in api.http.get("/metrics").text.splitlines() if one[0] != "#")
        name = "epochd_prediction_batch_samples"
        return float(lines[f"{name}_sum"]), float(lines[f"{name}_count"])

    body, before = whole("/v1/models/digits:predict", json.dumps({"inputs": [sample]}).encode()), computed()
    lines = [socket.create_connection(("127.0.0.1", httpx.URL(api.url).port), timeout=20) for _ in range(40)]
    for _ in range(5):
        for one in lines:
            one.sendall(body)
        answers = {one.recv(65536).partition(b"\r\n\r\n")[2] for one in lines}
        assert len(answers) <= 2  # in company the last bit may differ
    for one in lines:
        one.close()
    after = computed()
    assert after[0] - before[0] == 200 and after[1] - before[1] <= 200


def test_places_are_limited(api: Any, sample: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"inputs": [sample]}).encode()
    monkeypatch.setattr(api.service.predict.shares, "most", 0)
    with line(api) as one:
        status, headers, answer = one.ask(whole("/v1/models/digits:predict", body))
    assert (status, headers["retry-after"], json.loads(answer)["code"]) == (503, "1", "overloaded")
    monkeypatch.undo()
    monkeypatch.setattr(api.service.predict, "_most", 0)
    with line(api) as one:
        assert one.ask(whole("/v1/models/digits:predict", body))[0] == 503


def test_who_leaves_leaves_nothing_behind(api: Any, sample: Any) -> None:
    body = json.dumps({"inputs": [sample]}).encode()
    for packet in (whole("/v1/models/digits:predict", body), head("/v1/models/digits:predict", len(body)) + body[:9]):
        for _ in range(20):
            with line(api) as one:
                one.socket.sendall(packet)
    until(lambda: "epochd_predictions_in_flight 0.0" in api.http.get("/metrics").text, "all to be over")
    assert api.http.post("/v1/models/digits:predict", json={"inputs": [sample]}).status_code == 200


def test_a_key_that_is_revoked_opens_nothing(database_url: str, migrated: Any, start_api: Any) -> None:
    database = migrated(database_url)
    with database.transaction() as session:
        row, secret = keys.create(session, "default", "a caller", admin=False)
        key_id = row.id
    Player(database).train("digits")
    url, _ = start_api(database_url, require_keys="always")
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=url, timeout=20) as http:

        def ask(**given: str) -> int:
            answer = http.post("/v1/models/digits:predict", json={"inputs": [[[0] * 8] * 8]}, headers=given)
            return answer.status_code

        assert [ask(**headers) for _ in range(5)] == [200] * 5
        assert ask(Authorization=f"Bearer {secret[:-1]}-") == ask() == 401
        with database.transaction() as session:
            keys.revoke(session, key_id)
        until(lambda: ask(**headers) == 401, "the key to be of no use", 2)
        assert [ask(**headers) for _ in range(5)] == [401] * 5
    database.close()
