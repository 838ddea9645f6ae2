"""Real services for tests: Redis, PostgreSQL, and Epochd's own processes, each in a temporary folder on a free port."""

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from epochd.up.redis import packed

PATIENCE = 120.0
"""Seconds that a busy machine is given; when things go right none is waited out."""
_PORTS = iter(random.SystemRandom().sample(range(20_000, 32_000), 12_000))


def free_port() -> int:
    """A TCP port that nobody has now, given once; below those that the kernel lends to whatever connects meanwhile."""
    for port in _PORTS:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no TCP port is free")


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """The condition's first true value; an error that says what was waited for when it stays false."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise TimeoutError(f"waited {seconds:g} s for {what}")


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended; nobody may have reaped it yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Process:
    """One of our processes; its output goes to a file that a failing test shows."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str], **options: Any) -> None:
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(command, env=env, stdout=output, stderr=output, **options)

    @property
    def pid(self) -> int:
        return self.popen.pid

    def kill(self) -> None:
        """kill -9, as a crash would."""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait(PATIENCE)

    def stop(self, seconds: float = PATIENCE) -> None:
        """TERM, and wait; one that does not leave is killed and the test fails."""
        if self.popen.poll() is not None:
            return
        self.popen.terminate()
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"process {self.popen.args} did not stop:\n{self.log.read_text()[-4000:]}") from None

    def descendants(self) -> list[psutil.Process]:
        """The processes that it started, and theirs."""
        return psutil.Process(self.pid).children(recursive=True)


class Redis:
    """A Redis with persistence, on a unix socket (the embedded binary if there is one) or on TCP."""

    def __init__(self, folder: Path, tcp: bool) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = ["--dir", str(folder), "--appendonly", "yes", "--save", ""]
        if tcp:
            port = free_port()
            self.url = f"redis://127.0.0.1:{port}/0"
            self.command = [redis_server(), *command, "--bind", "127.0.0.1", "--port", str(port)]
        else:
            path = folder / "s"
            self.url = f"redis+socket://{path}"
            self.command = [embedded_redis(), *command, "--port", "0", "--unixsocket", str(path)]
        self.start()

    def start(self) -> None:
        self.process = Process(self.command, self.folder / "log", dict(os.environ))
        until(self.answers, "Redis to answer")

    def answers(self) -> bool:
        import redis

        try:
            with redis.Redis.from_url(self.url.replace("redis+socket://", "unix://")) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def wipe(self) -> None:
        """Lose everything, as a Redis without persistence does."""
        import redis

        with redis.Redis.from_url(self.url.replace("redis+socket://", "unix://")) as client:
            client.flushall()

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        self.process.stop()


def redis_server() -> str:
    """The one from PATH; where there is none, the test is skipped."""
    found = shutil.which("redis-server")
    if found is None:
        import pytest

        pytest.skip("redis-server is not installed")
    return found


def embedded_redis() -> str:
    """The server that pip brought, else the one from PATH."""
    return str(packed() or redis_server())


class Stack:
    """One Epochd on a database and a Redis: its API and its workers, started and stopped by the test."""

    def __init__(self, folder: Path, database_url: str, redis: Redis) -> None:
        self.folder, self.redis, self.database_url = folder, redis, database_url
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.started: list[Process] = []
        self._logs = itertools.count()
        self.env = {
            **os.environ,
            "EPOCHD_DATA_DIR": str(folder),
            "EPOCHD_DATABASE_URL": database_url,
            "EPOCHD_BROKER_URL": redis.url,
            "EPOCHD_PORT": str(self.port),
            "EPOCHD_LEASE_SECONDS": "60",  # a machine that stalls ends no attempt; see halted.py
            "EPOCHD_RECONCILE_SECONDS": "0.5",
            "EPOCHD_WORKER_THREADS": "1",
        }
        subprocess.run([sys.executable, "-m", "migrations"], env=self.env, check=True, timeout=PATIENCE)
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE)

    def _run(self, module: str, **env: str) -> Process:
        name = f"{module}-{next(self._logs)}.log"  # never one of before, whose lines would tell of another process
        process = Process([sys.executable, "-m", module], self.folder / name, {**self.env, **env})
        self.started.append(process)
        return process

    def start_api(self) -> Process:
        """The API, ready."""
        process = self._run("api")
        until(self._live, f"the API to answer; see {process.log}")
        return process

    def _live(self) -> bool:
        try:
            return self.http.get("/livez").status_code == 200
        except httpx.TransportError:
            return False

    def start_worker(self, wait: bool = True, **env: str) -> Process:
        """A worker; waits until it is ready to take jobs."""
        process = self._run("workers", **env)
        if wait:
            until(lambda: "worker_ready" in process.log.read_text(), f"the worker to be ready; see {process.log}")
        return process

    def scratch_folders(self) -> list[Path]:
        """The folders in which workers keep the files of attempts; each worker has one."""
        return [path for path in (self.folder / "scratch").iterdir() if path.is_dir()]

    def submit(self, spec: dict[str, Any]) -> str:
        """Post a job; its id."""
        answer = self.http.post("/v1/jobs", json=spec)
        assert answer.status_code == 202, f"{answer.text}\n{self.started[0].log.read_text()[-4000:]}"
        job_id: str = answer.json()["id"]
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def ended(self, job_id: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The job once it has ended."""

        def look() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in ("succeeded", "failed", "cancelled") else None

        job: dict[str, Any] = until(look, f"job {job_id} to end", seconds)
        return job

    def events(self, job_id: str, *types: str) -> list[dict[str, Any]]:
        """The job's events in order, of these types if any are given."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            query = {"limit": "100", "order": "asc", **({"after": after} if after else {})}
            page = self.http.get(f"/v1/jobs/{job_id}/events", params=query).json()
            found += [event for event in page["data"] if not types or event["type"] in types]
            if not page["has_more"]:
                return found
            after = page["next_cursor"]

    def metrics(self, job_id: str) -> dict[str, list[list[float]]]:
        """Every point of every metric, by name."""
        answer = self.http.get(f"/v1/jobs/{job_id}/metrics", params={"max_points": 5000}).json()
        return {series["name"]: series["points"] for series in answer["data"]}

    def checkpoints(self, job_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get(f"/v1/jobs/{job_id}/checkpoints").json()["data"]
        return found

    def child(self, job_id: str) -> psutil.Process:
        """The process that trains the job; it carries the end of the job's id as its name."""
        name = job_id[-12:]

        def look() -> psutil.Process | None:
            running = [process for process in self.started if process.popen.poll() is None]
            for one in [child for process in running for child in process.descendants()]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    if one.name() == name:
                        return one
            return None

        found: psutil.Process = until(look, f"the child of job {job_id} to start")
        return found

    def stop_all(self) -> None:
        """Stop what still runs, last started first."""
        for process in reversed(self.started):
            process.stop()
        self.started.clear()

    def close(self) -> None:
        self.stop_all()
        self.http.close()


def used(folder: Path) -> Iterator[Stack]:
    """A running Epochd on SQLite for tests that only use it: one API, one worker, the built-in sets."""
    redis = Redis(folder / "r", tcp=False)
    one = Stack(folder, f"sqlite:///{folder / 'epochd.db'}", redis)
    one.start_api()
    one.start_worker()
    yield one
    one.close()
    redis.stop()
