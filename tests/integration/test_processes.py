"""Several API processes on one port: connections spread evenly, and no process or client notices the others."""

import asyncio
import contextlib
import math
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import loop
import psutil
import pytest
from player import Player
from stack import PATIENCE, free_port, gone, until

SOON = 1.0
"""Seconds after the answer to a move of an alias, from which on every process must answer with the new version."""


@dataclass
class Many:
    """A running ``python -m api`` with two processes."""

    url: str
    process: psutil.Process
    player: Player
    log: Path

    def asked(self) -> socket.socket:
        """A connection of its own on which ``GET /livez`` was sent."""
        client = socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2])), timeout=PATIENCE)
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        return client

    def connections(self) -> list[int]:
        """How many clients' connections each process holds."""
        port = int(self.url.rpartition(":")[2])
        return [
            sum(one.laddr.port == port and one.status == "ESTABLISHED" for one in child.net_connections("tcp"))
            for child in self.process.children()
        ]

    def at_rest(self) -> bool:
        """Whether nothing is under way in any process, so that what one tells another has been heard."""
        return all(map(_sleeps, [*self.process.children(), self.process]))


def _sleeps(process: psutil.Process) -> bool:
    """Whether no thread of a process has anything to do."""
    stats = [path.read_text() for path in Path(f"/proc/{process.pid}/task").glob("*/stat")]
    return all(stat.rpartition(") ")[2].startswith("S") for stat in stats)


@pytest.fixture
def many(database_url: str, migrated: Any, tmp_path: Path) -> Iterator[Many]:
    database, port = migrated(database_url), free_port()
    env = {
        **os.environ,
        "EPOCHD_DATA_DIR": str(tmp_path),
        "EPOCHD_DATABASE_URL": database_url,
        "EPOCHD_BROKER_URL": f"redis+socket://{tmp_path}/none",
        "EPOCHD_PORT": str(port),
        "EPOCHD_API_PROCESSES": "2",
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        popen = subprocess.Popen([sys.executable, "-m", "api"], env=env, stdout=output, stderr=output)
    one = Many(f"http://127.0.0.1:{port}", psutil.Process(popen.pid), Player(database), log)
    try:
        until(lambda: log.read_text().count("startup complete") == 2 and one.at_rest(), "both processes to serve")
        yield one
    finally:
        children = one.process.children()
        popen.terminate()
        status = popen.wait(PATIENCE)
        database.close()
    assert status == 0 and all(map(gone, children)), log.read_text()
    assert "Traceback" not in log.read_text()


def even(connections: list[int]) -> bool:
    """Whether two processes have as many as can be; the client may open fewer than it sends requests."""
    return len(connections) == 2 and sum(connections) > 4 and abs(connections[0] - connections[1]) <= 1


def test_processes_share_connections_counts_and_an_early_end(many: Many) -> None:
    async def sixteen() -> list[int]:
        async with httpx.AsyncClient(base_url=many.url, timeout=PATIENCE) as http:
            for _ in range(3):
                answers = await asyncio.gather(*(http.get("/livez") for _ in range(16)))
                assert {one.status_code for one in answers} == {200}
            return many.connections()

    for _ in range(3):
        assert even(loop.run(sixteen()))
        until(lambda: many.connections() == [0, 0] and many.at_rest(), "the connections to be closed")
    for _ in range(8):
        with many.asked() as client:
            head, _, body = client.recv(65536).partition(b"\r\n\r\n")  # both in the first packet
            assert len(body) == int(head.partition(b"content-length: ")[2].split()[0]), (head, body)

    def told() -> str:
        return httpx.get(f"{many.url}/metrics", timeout=PATIENCE).text

    all_counted = 'epochd_http_requests_total{method="GET",route="/livez",status="200"} 152.0'
    until(lambda: all_counted in told(), "each process to have counted its answers")
    assert "epochd_predictions_in_flight 0.0" in told()

    first, _ = many.process.children()
    first.suspend()
    with contextlib.ExitStack() as stack:
        asked = [stack.enter_context(many.asked()) for _ in range(8)]
        until(lambda: len(select.select(asked, [], [], 0)[0]) >= 4, "the other one to answer")
        assert len(select.select(asked, [], [], 0.2)[0]) == 4  # four were handed to the one that stands still
        first.send_signal(signal.SIGKILL)
        assert {one.recv(65536)[:12] for one in asked} == {b"HTTP/1.1 200"}
    until(lambda: gone(first), "it to be dead")
    until(lambda: all_counted.replace("152", "160") in told(), "what the dead one counted to be there still")
    until(lambda: many.log.read_text().count("startup complete") == 3 and many.at_rest(), "another in its place")
    assert even(loop.run(sixteen()))


def test_requests_wait_while_no_process_serves(many: Many) -> None:
    dead = many.process.children()
    for one in dead:
        one.send_signal(signal.SIGKILL)
    until(lambda: all(map(gone, dead)), "both to be dead")
    with contextlib.ExitStack() as stack:
        asked = [stack.enter_context(many.asked()) for _ in range(4)]
        assert {one.recv(65536)[:12] for one in asked} == {b"HTTP/1.1 200"}


def test_an_alias_moves_in_all_processes_without_a_dropped_request(many: Many) -> None:
    for _ in range(2):
        many.player.train("digits")
    alias = {"url": "/v1/models/digits/aliases/production"}
    with httpx.Client(base_url=many.url, timeout=PATIENCE) as http:
        http.put(json={"version": 1}, **alias).raise_for_status()
        sample = http.get("/v1/datasets/digits/samples?limit=1").json()["data"][0]["values"]

    async def load() -> tuple[list[int], list[int], list[int]]:
        """The versions that answered before the alias was moved, then what was asked soon after that, and later."""
        before, found, late = list[int](), list[int](), list[int]()
        moved = math.inf

        async def ask(http: httpx.AsyncClient) -> None:
            asked_late = 0
            while asked_late < 20:  # by all at once, so that each process is asked
                is_late = time.monotonic() > moved + SOON
                answer = await http.post("/v1/models/digits:predict", json={"inputs": [sample]})
                assert answer.status_code == 200, answer.text
                (late if is_late else found).append(answer.json()["model_version"])
                asked_late += is_late

        async with httpx.AsyncClient(base_url=many.url, timeout=PATIENCE) as http, asyncio.timeout(PATIENCE):
            asking = [asyncio.create_task(ask(http)) for _ in range(8)]
            while len(found) < 200 or not even(many.connections()):
                await asyncio.sleep(0.05)
            etag = (await http.get(**alias)).headers["ETag"]
            before, found = found, []
            (await http.put(json={"version": 2}, headers={"If-Match": etag}, **alias)).raise_for_status()
            moved = time.monotonic()
            await asyncio.gather(*asking)
            assert all(many.connections())  # and so both were asked
        return before, found, late

    before, meanwhile, late = loop.run(load())
    assert (set(before), set(late)) == ({1}, {2})
    served = Counter(before + meanwhile + late)
    with httpx.Client(base_url=many.url, timeout=PATIENCE) as http:
        counted = {one["version"]: one for one in http.get("/v1/models/digits").json()["served"]}
    assert {version: one["requests"] for version, one in counted.items()} == served
    assert not any(one["errors"] for one in counted.values())


def test_an_address_that_is_taken_is_a_sentence(many: Many, tmp_path: Path) -> None:
    port = many.url.rpartition(":")[2]
    env = {**os.environ, "EPOCHD_DATA_DIR": str(tmp_path), "EPOCHD_PORT": port, "EPOCHD_API_PROCESSES": "2"}
    ran = subprocess.run(
        [sys.executable, "-m", "api"], env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ran.returncode == 1 and f"cannot listen on 127.0.0.1:{port}: Address already in use" in ran.stderr
