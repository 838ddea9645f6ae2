"""The client against a small real HTTP server that misbehaves on demand."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from epochd import ApiError, Client, ConnectionFailed, DownloadCorrupt, JobNotFinished
from epochd.models import image_type

Handler = BaseHTTPRequestHandler
WEIGHTS = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


class Service:
    """A server whose answers are a list of functions, one for each request in turn; the last goes on answering."""

    def __init__(self, *answers: Callable[[Handler], None], port: int = 0) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        service = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.requests.append((self.command, self.path, headers, body))
                service.answers[min(len(service.requests), len(service.answers)) - 1](self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Requests)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def answer(status: int, body: Any = None, **headers: str) -> Callable[[Handler], None]:
    content = b"" if body is None else json.dumps(body).encode()
    kind = "application/problem+json" if status >= 400 else "application/json"

    def send(request: Handler) -> None:
        request.send_response(status)
        fields = {"Content-Type": kind, "Content-Length": str(len(content))}
        for name, value in {**fields, **{name.replace("_", "-"): value for name, value in headers.items()}}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    return send


def hang_up(request: Handler) -> None:
    request.close_connection = True


def sse(*messages: tuple[int, str, Any], cut: bool = False, hold: float = 0.0) -> Callable[[Handler], None]:
    def send(request: Handler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(b"retry: 2000\n: hello\n\n")
        for seq, event, data in messages:
            text = json.dumps({"seq": seq, **data}, ensure_ascii=False)
            request.wfile.write(f"id: {seq}\nevent: {event}\ndata: {text}\n\n".encode())
        if cut:
            request.wfile.write(b"id: 99\nevent: event\nda")
        request.wfile.flush()
        time.sleep(hold)
        request.close_connection = True

    return send


def event(seq: int, kind: str, message: str = "") -> tuple[int, str, Any]:
    return seq, "event", {"type": kind, "message": message, "data": {}}


def metrics(seq: int, step: int) -> tuple[int, str, Any]:
    return seq, "metrics", {"points": [{"name": "train_loss", "step": step, "value": 0.5}]}


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Service, Client]]]:
    made: list[tuple[Service, Client]] = []

    def start(*answers: Callable[[Handler], None]) -> tuple[Service, Client]:
        service = Service(*answers)
        made.append((service, Client(f"http://127.0.0.1:{service.port}", key="ep_1_secret")))
        return made[-1]

    yield start
    for service, client in made:
        client.close()
        service.close()


Serve = Callable[..., tuple[Service, Client]]


def test_a_submit_whose_answer_is_lost_is_repeated_under_the_same_key(serve: Serve) -> None:
    away = answer(503, {"code": "unavailable", "title": "t", "detail": "d"})
    service, client = serve(hang_up, away, answer(202, {"id": "job_1"}))
    assert client.submit({"dataset": "digits"})["id"] == "job_1"
    keys = [headers["idempotency-key"] for _, _, headers, _ in service.requests]
    assert len(keys) == 3 and len(set(keys)) == 1
    assert client.submit({"dataset": "digits"})["id"] == "job_1"
    assert service.requests[-1][2]["idempotency-key"] != keys[0]


def test_a_write_that_may_have_arrived_is_not_repeated(serve: Serve) -> None:
    service, client = serve(hang_up)
    with pytest.raises(ConnectionFailed):
        client.create_key("laptop")
    assert len(service.requests) == 1


def test_errors_carry_what_the_service_said(serve: Serve) -> None:
    problem = {
        "title": "Invalid request",
        "detail": "One field is wrong.",
        "code": "invalid_request",
        "errors": [{"pointer": "#/seed", "detail": "must be at least 0"}],
        "request_id": "req_1",
    }
    service, client = serve(answer(422, problem), answer(502, None, X_Request_ID="proxy_1"))
    with pytest.raises(ApiError, match=r"One field is wrong\.") as refused:
        client.submit({})
    error = refused.value
    assert (error.status, error.code, error.request_id) == (422, "invalid_request", "req_1")
    assert error.errors == [{"pointer": "#/seed", "detail": "must be at least 0"}]
    with pytest.raises(ApiError) as bad_gateway:
        client.job("job_1")
    assert (bad_gateway.value.code, bad_gateway.value.request_id) == ("http_502", "proxy_1")
    assert service.requests[0][2]["authorization"] == "Bearer ep_1_secret"
    assert "secret" not in repr(client)


def test_reads_wait_out_an_overload(serve: Serve) -> None:
    service, client = serve(answer(503, {"code": "overloaded"}, Retry_After="0"), answer(200, {"id": "job_1"}))
    assert client.job("job_1")["id"] == "job_1"
    assert len(service.requests) == 2


def test_lists_are_read_page_by_page(serve: Serve) -> None:
    first = {"data": [{"id": "job_2"}], "has_more": True, "next_cursor": "c/1"}
    service, client = serve(answer(200, first), answer(200, {"data": [], "has_more": False, "next_cursor": None}))
    assert [job["id"] for job in client.jobs(status="failed", metadata={"team": "a"})] == ["job_2"]
    assert "after=c%2F1" in service.requests[1][1] and "status=failed" in service.requests[1][1]
    assert "metadata%5Bteam%5D=a" in service.requests[0][1]


def test_a_stream_goes_on_over_cuts_without_gap_or_double(serve: Serve) -> None:
    service, client = serve(
        sse(event(1, "queued"), metrics(2, 10), cut=True),
        answer(503, {"code": "unavailable"}),
        sse(metrics(2, 10), event(3, "log", "a\u2028b"), event(4, "succeeded"), (4, "end", {"status": "succeeded"})),
    )
    updates = list(client.follow("job_1"))
    assert [update.seq for update in updates] == [1, 2, 3, 4]
    assert updates[1].points == [{"name": "train_loss", "step": 10, "value": 0.5}]
    assert updates[2].event is not None and updates[2].event["message"] == "a\u2028b"
    assert [headers.get("last-event-id") for _, _, headers, _ in service.requests] == [None, "2", "2"]


def test_a_stream_survives_a_restart_of_the_service() -> None:
    first = Service(sse(event(1, "queued")))
    told: list[ConnectionFailed] = []
    with Client(f"http://127.0.0.1:{first.port}") as client:
        updates = client.follow("job_1", on_lost=told.append)
        assert next(updates).seq == 1
        first.close()
        later: list[Service] = []
        again = threading.Timer(
            0.5, lambda: later.append(Service(sse(event(2, "ended"), (2, "end", {})), port=first.port))
        )
        again.start()
        assert [update.seq for update in updates] == [2]
        again.join()
    later[0].close()
    assert told and later[0].requests[0][2]["last-event-id"] == "1"


def test_a_stream_of_a_job_that_has_ended_ends(serve: Serve) -> None:
    _, client = serve(answer(204))
    assert list(client.follow("job_1", after=7)) == []


def test_a_stream_gives_up_when_nobody_answers() -> None:
    service = Service(sse(event(1, "queued")))
    with Client(f"http://127.0.0.1:{service.port}") as client:
        updates = client.follow("job_1", patience=0.2)
        next(updates)
        service.close()
        with pytest.raises(ConnectionFailed, match=f"cannot reach Epochd at http://127.0.0.1:{service.port}"):
            next(updates)


def test_a_stream_of_an_unknown_job_is_refused(serve: Serve) -> None:
    _, client = serve(answer(404, {"code": "not_found", "detail": "there is no job job_1"}))
    with pytest.raises(ApiError, match="there is no job"):
        next(client.follow("job_1"))


def test_wait_ends_in_time_while_the_stream_is_silent(serve: Serve) -> None:
    running = answer(200, {"id": "job_1", "status": "running", "last_seq": 1})
    _, client = serve(running, sse(event(2, "started"), hold=60.0), running)
    began = time.monotonic()
    with pytest.raises(JobNotFinished):
        client.wait("job_1", timeout=0.4)
    assert time.monotonic() - began < 30


def checkpoints(*, sha256: str = SHA256) -> Callable[[Handler], None]:
    kept = [{"id": "ckpt_1", "best": True, "last": True, "weights_sha256": sha256, "step": 3}]
    return answer(200, {"data": kept, "has_more": False, "next_cursor": None})


def half(request: Handler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(WEIGHTS)))
    request.end_headers()
    request.wfile.write(WEIGHTS[: len(WEIGHTS) // 2])
    request.close_connection = True


def rest(request: Handler) -> None:
    begin = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert request.headers["If-Range"] == f'"{SHA256}"'
    request.send_response(206)
    request.send_header("Content-Range", f"bytes {begin}-{len(WEIGHTS) - 1}/{len(WEIGHTS)}")
    request.send_header("Content-Length", str(len(WEIGHTS) - begin))
    request.end_headers()
    request.wfile.write(WEIGHTS[begin:])


def test_a_download_goes_on_where_it_broke_off(serve: Serve, tmp_path: Path) -> None:
    service, client = serve(checkpoints(), half, rest)
    target = tmp_path / "weights.safetensors"
    assert client.download_weights("job_1", target)["step"] == 3
    assert target.read_bytes() == WEIGHTS
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
    assert len(service.requests) == 3


def test_a_download_of_other_bytes_is_thrown_away(serve: Serve, tmp_path: Path) -> None:
    _, client = serve(checkpoints(sha256="0" * 64), answer(200, "something else"))
    with pytest.raises(DownloadCorrupt):
        client.download_weights("job_1", tmp_path / "weights.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_promote_moves_only_what_it_has_seen(serve: Serve) -> None:
    service, client = serve(answer(200, {"version": 1}, ETag='"5"'), answer(200, {"version": 2}))
    assert client.promote("digits", 2, reason="better")["version"] == 2
    method, path, headers, body = service.requests[1]
    assert (method, path, headers["if-match"]) == ("PUT", "/v1/models/digits/aliases/production", '"5"')
    assert json.loads(body) == {"version": 2, "reason": "better"}


def test_texts_are_sent_as_they_are_and_one_string_is_no_list(serve: Serve) -> None:
    service, client = serve(answer(200, {"predictions": []}))
    client.predict("reviews", ["a good film", "née"])
    assert json.loads(service.requests[0][3]) == {"inputs": ["a good film", "née"]}
    with pytest.raises(ValueError, match="into a list"):
        client.predict("reviews", "a good film")


def test_an_image_is_sent_as_what_it_is(serve: Serve) -> None:
    service, client = serve(answer(200, {"predictions": []}))
    client.predict("digits:3", image=b"\x89PNG\r\n\x1a\n...", top=2)
    _, path, headers, _ = service.requests[0]
    assert (path, headers["content-type"]) == ("/v1/models/digits:3:predict?top=2", "image/png")
    with pytest.raises(ValueError, match="PNG, JPEG, BMP or WebP"):
        image_type(b"GIF89a")
