"""Live streams, on both databases: nothing missing, nothing twice, an end, and no harm to anybody else."""

import asyncio
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from stack import PATIENCE, until

from api import stream
from core import jobs

STREAMS = 200


@dataclass
class Heard:
    """One message of a stream."""

    id: str
    event: str
    data: Any


def listen(api: Any, job_id: str, *, after: int | None = None, most: int = 10**6) -> list[Heard]:
    """What a stream says until it ends, or ``most`` messages."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    heard: list[Heard] = []
    with httpx.stream("GET", f"{api.url}/v1/jobs/{job_id}/stream", headers=headers, timeout=PATIENCE) as answer:
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
            elif "data" in fields:
                heard.append(Heard(fields.get("id", ""), fields["event"], json.loads(fields["data"])))
                fields = {}
                if len(heard) == most:
                    break
    return heard


def test_a_stream_tells_everything_in_order_and_ends(api: Any) -> None:
    job_id = api.submit(priority=100)["id"]
    with ThreadPoolExecutor() as threads:
        listening = threads.submit(listen, api, job_id)
        claim = api.player.claim()
        api.player.measure(claim, range(1, 400))  # more than one batch
        api.player.finish(claim)
        heard = listening.result(PATIENCE)
    numbers = [int(one.id) for one in heard[:-1]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [one.data["type"] for one in heard if one.event == "event"][:2] == ["queued", "claimed"]
    points = [
        (one.data["seq"], point["step"]) for one in heard if one.event == "metrics" for point in one.data["points"]
    ]
    assert len(points) == 3 * 399 and [step for _, step in points[::3]] == list(range(1, 400))
    assert (heard[-1].event, heard[-1].data) == ("end", {"status": "succeeded"})
    assert heard[-2].data["type"] == "succeeded"

    for after in (0, 7, numbers[-2]):
        again = listen(api, job_id, after=after)
        assert [int(one.id) for one in again[:-1]] == numbers[after:] and again[-1].event == "end"
    url = f"/v1/jobs/{job_id}/stream"
    assert api.http.get(url, headers={"Last-Event-ID": str(numbers[-1])}).status_code == 204
    assert api.http.get(url, params={"after": numbers[-1]}).status_code == 204
    assert api.http.get("/v1/jobs/job_0/stream").status_code == 404


def test_a_client_that_comes_back_misses_nothing_and_hears_of_the_rewind(api: Any) -> None:
    job_id = api.submit(priority=100)["id"]
    claim = api.player.claim()
    api.player.measure(claim, range(1, 6))
    first = listen(api, job_id, most=5)
    with api.database.transaction() as session:
        jobs.hand_back(session, claim.lease, "the worker stops")
    again = api.player.claim()
    assert again.lease.job_id == job_id
    api.player.measure(again, range(1, 3))
    with api.database.transaction() as session:
        jobs.cancel(session, "default", job_id)
        jobs.cancelled(session, again.lease)
    rest = listen(api, job_id, after=int(first[-1].id))
    rewound = next(index for index, one in enumerate(rest) if one.event == "event" and one.data["type"] == "rewound")
    assert rest[rewound].data["data"] == {"step": 0}
    steps = [one.data["points"][0]["step"] for one in rest[rewound:] if one.event == "metrics"]
    assert steps == [1, 2]
    ids = [int(one.id) for one in first + rest[:-1]]
    assert ids == sorted(set(ids))


def test_with_200_open_streams_the_api_answers_and_stops_at_once(
    start_api: Any, migrated: Any, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = migrated(database_url)
    url, service = start_api(database_url)
    body = {"dataset": "digits", "network": {"family": "rnn", "hidden": 8}}
    with httpx.Client(base_url=url, timeout=PATIENCE) as http:
        job_ids = [http.post("/v1/jobs", json=body).json()["id"] for _ in range(4)]
        opened, ended = threading.Semaphore(0), []

        async def one(client: httpx.AsyncClient, job_id: str) -> None:
            async with client.stream("GET", f"/v1/jobs/{job_id}/stream") as answer:
                opened.release()
                ended.append([line async for line in answer.aiter_lines()])

        async def everybody() -> None:
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, limits=limits) as client:
                await asyncio.gather(*(one(client, job_ids[number % 4]) for number in range(STREAMS)))

        listeners = threading.Thread(target=asyncio.run, args=(everybody(),))
        listeners.start()
        for _ in range(STREAMS):
            assert opened.acquire(timeout=PATIENCE)
        assert http.post("/v1/jobs", json=body).status_code == 202
        assert len(http.get("/v1/jobs").json()["data"]) == 5
        until(lambda: service.database.engine.pool.checkedout() <= 2, "no stream to hold a session")
        for job_id in job_ids[:2]:
            http.post(f"/v1/jobs/{job_id}/cancel")
        until(lambda: len(ended) == STREAMS // 2, "the streams of the cancelled jobs to end")
        assert all("event: end" in lines for lines in ended)

    caplog.clear()
    start_api.stop(url)
    listeners.join(PATIENCE)
    assert not listeners.is_alive() and len(ended) == STREAMS
    assert "graceful shutdown exceeded" not in caplog.text  # none was waited for
    database.close()


def test_a_client_that_does_not_read_is_cut_and_others_are_not(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PATIENCE_SECONDS", 0.5)
    job_id = api.submit(priority=100)["id"]
    claim = api.player.claim()
    host, _, port = api.url.removeprefix("http://").partition(":")
    with socket.socket() as slow, ThreadPoolExecutor() as threads:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((host, int(port)))
        slow.sendall(f"GET /v1/jobs/{job_id}/stream HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        listening = threads.submit(listen, api, job_id)
        until(lambda: len(api.service.tailer.listeners(job_id)) == 2, "both streams to be open")
        lines = [jobs.Event("log", "x" * 4000) for _ in range(100)]

        def fill() -> bool:
            both = api.service.tailer.listeners(job_id)
            if any(one.queue.empty() for one in both):  # or who reads, but slowly, would be cut as well
                with api.database.transaction() as session:
                    jobs.record(session, claim.lease, lines)
            return len(both) == 1

        until(fill, "the slow client to be cut")
        api.player.finish(claim)
        heard = listening.result(PATIENCE)
    numbers = [int(one.id) for one in heard[:-1]]
    assert numbers == list(range(1, len(numbers) + 1)) and heard[-1].event == "end"
