"""``epochd up`` as a user runs it: a process of its own, with everything real."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from stack import PATIENCE, gone, redis_server, until

from epochd import Client, Update
from epochd.up.redis import packed

Start = Callable[..., tuple[subprocess.Popen[str], dict[str, Any]]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `epochd up` on a folder below tmp_path; it is killed at the end whatever happens."""
    started: list[subprocess.Popen[str]] = []

    def up(*options: str, **variables: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("EPOCHD_")}
        # Two threads of one training that wait for each other crawl on a machine that is busy with other tests.
        env |= {"EPOCHD_WORKER_THREADS": "1", **variables}
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "epochd",
                "up",
                "--json",
                "--port",
                "0",
                "--data-dir",
                str(tmp_path / "data"),
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        started.append(process)
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        return process, json.loads(line)

    yield up
    for process in started:
        process.kill()
        process.communicate()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Everything below `epochd up`."""
    return psutil.Process(process.pid).children(recursive=True)


def test_up_serves_and_stops_cleanly(start: Start, tmp_path: Path) -> None:
    process, ready = start()
    parts = family(process)
    assert len(parts) >= 3
    assert httpx.get(f"{ready['url']}/readyz", timeout=PATIENCE).is_success
    second = subprocess.run(
        [sys.executable, "-m", "epochd", "up", "--data-dir", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert second.returncode == 1
    assert f"(process {process.pid}, {ready['url']})" in " ".join(second.stderr.split())
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert all(map(gone, parts))
    assert {path.name for path in (tmp_path / "data" / "logs").iterdir()} >= {"api.log", "worker.log", "redis.log"}


def test_up_leaves_nothing_behind_when_it_is_killed(start: Start) -> None:
    process, _ = start()
    parts = family(process)
    process.kill()
    process.wait()
    until(lambda: all(map(gone, parts)), "all parts to be gone")
    _, again = start()  # the folder is free, and its Redis starts on what is left
    assert httpx.get(f"{again['url']}/readyz", timeout=PATIENCE).is_success


def test_up_has_a_redis_where_none_is_installed_and_takes_one_that_is_later(start: Start, tmp_path: Path) -> None:
    """Neither can read the other's files."""
    for path, program in ((str(tmp_path), str(packed())), (os.environ["PATH"], redis_server())):
        process, ready = start(PATH=path)
        assert os.path.realpath(program) in {part.exe() for part in family(process)}
        with Client(ready["url"]) as client:
            body = {"dataset": "digits", "network": {"family": "rnn"}, "hyperparameters": {"steps": 2}}
            assert client.wait(client.submit(body)["id"], timeout=PATIENCE)["status"] == "succeeded"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_a_client_follows_a_job_over_a_restart_of_the_api(start: Start) -> None:
    process, ready = start()
    [api] = [part for part in family(process) if part.cmdline()[-2:] == ["-m", "api"]]
    updates: list[Update] = []
    with Client(ready["url"]) as client:
        job = client.submit(
            {
                "dataset": "digits",
                "network": {"family": "rnn", "hidden": 16},
                "hyperparameters": {"steps": 1500, "batch_size": 32},
            }
        )
        for update in client.follow(job["id"]):
            updates.append(update)
            if update.points and api.is_running():
                api.kill()
                psutil.wait_procs([api], timeout=PATIENCE)
        assert client.wait(job["id"], timeout=PATIENCE)["status"] == "succeeded"
        stored = {series["name"]: series["points"] for series in client.metrics(job["id"], max_points=5000)["data"]}
        events = [event["seq"] for event in client.events(job["id"])]
    assert [update.seq for update in updates if update.event] == events
    points = [point for update in updates for point in update.points]
    for name in stored:
        assert [[point["step"], point["value"]] for point in points if point["name"] == name] == stored[name]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "api was killed by SIGKILL; starting it again" in " ".join(errors.split())
