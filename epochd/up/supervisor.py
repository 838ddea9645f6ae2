"""Starts Redis, the schema, the API and a worker; keeps them running; stops them all."""

import errno
import importlib.util
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from epochd.errors import EpochdError
from epochd.transport import is_loopback
from epochd.up import redis
from epochd.up.firstkey import first_key
from epochd.up.folder import DataFolder
from epochd.up.part import Part

START_SECONDS = 300.0
"""For one part. A slow machine may take minutes to read torch the first time; a part that fails is known at once."""
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.1
WATCH_SECONDS = 0.5
"""Between looks at parts that run: each takes from a training beside it."""
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
"""A part that ran this long starts again at once when it dies; one that dies sooner waits longer each time."""


class StartFailed(EpochdError):
    """A part did not come up."""


def default_data_dir() -> Path:
    """``EPOCHD_DATA_DIR``, else ~/.local/share/epochd."""
    return Path(os.environ.get("EPOCHD_DATA_DIR") or "~/.local/share/epochd")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to start. Port 0 takes a free one."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8600
    slots: int = 1


class Up:
    """A context manager: inside it the service runs at ``url``.

    All parts are children of one thread that lives as long as the service does: Linux ends a child with the thread that
    started it, so nothing is left even if this whole process is killed.

    Raises (when entered):
        EpochdError: the folder is in use, the port is taken, a program is missing, or a part did not start.
    """

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._folder = DataFolder(options.data_dir)
        self.stopping = threading.Event()
        """Set as soon as somebody asked for the end."""
        self._settled = threading.Event()
        self._failure: BaseException | None = None
        self._keeper = threading.Thread(target=self._keep, name="keeper of the parts")
        self._parts: list[Part] = []
        self._redis: Part | None = None
        self._socket = Path()
        self.url = ""
        self.key = ""
        """The first administrator's key, where keys are required."""
        self.key_file: Path | None = None

    @property
    def data_dir(self) -> Path:
        """The data folder, absolute."""
        return self._folder.path

    def __enter__(self) -> Self:
        if importlib.util.find_spec("api") is None or importlib.util.find_spec("workers") is None:
            raise EpochdError("only the client is installed here; `epochd up` needs the whole epochd package")
        self._folder.__enter__()
        try:
            port = free_port(self._options.host, self._options.port)
            shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(self._options.host, self._options.host)
            self.url = f"http://{shown}:{port}"
            self._folder.announce(self.url)
            self._prepare(port)
            self._keeper.start()
            try:
                self._settled.wait()
            except BaseException:
                self._close()
                raise
            if self._failure is not None:
                self._close()
                raise self._failure
        except BaseException:
            self._folder.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._folder.__exit__(None, None, None)

    def stop(self) -> None:
        """Begin to stop, and return at once; leaving the context waits for the end. Fit for a signal handler."""
        self.stopping.set()

    def _close(self) -> None:
        self.stopping.set()
        self._keeper.join()

    def wait(self) -> None:
        """Wait until somebody calls :meth:`stop`; raise what ended the service, if something else did."""
        while self._keeper.is_alive() and not self.stopping.wait(0.5):
            pass
        if self._failure is not None:
            raise self._failure

    def _prepare(self, port: int) -> None:
        """Settings of the parts (environment) and the parts themselves."""
        env = dict(os.environ)
        root = str(Path(__file__).resolve().parents[2])
        env |= {
            "EPOCHD_DATA_DIR": str(self.data_dir),
            "EPOCHD_HOST": self._options.host,
            "EPOCHD_PORT": str(port),
            "EPOCHD_WORKER_SLOTS": str(self._options.slots),
            "EPOCHD_LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
            # Where this package was found, also for the processes that the parts start.
            "PYTHONPATH": os.pathsep.join(filter(None, [root, env.get("PYTHONPATH")])),
        }
        if env.get("EPOCHD_REQUIRE_KEYS") == "always" or not is_loopback(self._options.host):
            self.key_file = Path(env.get("EPOCHD_BOOTSTRAP_KEY_FILE") or self.data_dir / "admin.key")
            self.key = first_key(self.key_file)
            env["EPOCHD_BOOTSTRAP_KEY_FILE"] = str(self.key_file)
        if not env.get("EPOCHD_BROKER_URL"):
            path = self._folder.runtime() / "redis.sock"
            program = redis.executable()
            folder = redis.folder(program, self.data_dir)
            folder.mkdir(parents=True, exist_ok=True)
            env["EPOCHD_BROKER_URL"] = f"redis+socket://{path}"
            command = redis.command(program, path, folder)
            self._redis = Part("redis", command, env, self._folder.logs / "redis.log", self._say)
            self._socket = path
        log = self._folder.logs
        self._migrations = Part(
            "migrations", [sys.executable, "-m", "migrations"], env, log / "migrations.log", self._say
        )
        self._api = Part("api", [sys.executable, "-m", "api"], env, log / "api.log", self._say)
        self._worker = Part("worker", [sys.executable, "-m", "workers"], env, log / "worker.log", self._say)

    # -- the keeper's thread -------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        try:
            self._start()
            self._settled.set()
            self._watch()
        except BaseException as error:
            self._failure = error
        finally:
            self._stop_all()
            self._settled.set()

    def _start(self) -> None:
        if self._redis is not None:
            self._launch(self._redis)
        self._launch(self._migrations)
        self._until(lambda: self._migrations.poll() is not None, self._migrations, may_end=True)
        if self._migrations.poll() != 0 and not self.stopping.is_set():
            raise self._broken(self._migrations)
        if self._redis is not None:
            self._until(lambda: redis.answers(self._socket), self._redis)
        self._launch(self._api)
        self._launch(self._worker)
        with httpx.Client(base_url=self.url, timeout=2.0, trust_env=False, headers=self._headers()) as http:
            self._until(lambda: _ok(http, "/readyz"), self._api)
            self._until(lambda: self._registered(http), self._worker)

    def _launch(self, part: Part) -> None:
        if not self.stopping.is_set():
            part.start()
            if part is not self._migrations:
                self._parts.append(part)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def _registered(self, http: httpx.Client) -> bool:
        """Whether our worker (and not one of an earlier start) has said hello."""
        try:
            workers = http.get("/v1/workers", params={"limit": 100}).raise_for_status().json()["data"]
        except httpx.HTTPError:
            return False
        return any(worker["pid"] == self._worker.pid and worker["status"] == "online" for worker in workers)

    def _until(self, condition: Callable[[], bool], part: Part, *, may_end: bool = False) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.stopping.is_set() and not condition():
            if part.poll() is not None and not may_end:
                raise self._broken(part)
            if time.monotonic() > deadline:
                raise StartFailed(f"{part.name} was not ready after {START_SECONDS:g} seconds; see {part.log}")
            self.stopping.wait(LOOK_SECONDS)

    def _broken(self, part: Part) -> StartFailed:
        lines = "\n".join(f"  {line}" for line in part.last_lines()[-8:])
        return StartFailed(f"{part.name} {part.ending()}; its last lines (all in {part.log}):\n{lines}")

    def _watch(self) -> None:
        pauses: dict[str, float] = {}
        due: dict[str, float] = {}
        while not self.stopping.wait(WATCH_SECONDS):
            for part in self._parts:
                now = time.monotonic()
                if part.name in due:
                    if now >= due[part.name]:
                        del due[part.name]
                        part.start()
                elif part.poll() is not None:
                    steady = now - part.started_at > STEADY_SECONDS
                    pause = 0.5 if steady else min(LONGEST_PAUSE, pauses.get(part.name, 0.25) * 2)
                    pauses[part.name], due[part.name] = pause, now + pause
                    self._say(f"{part.name} {part.ending()}; starting it again in {pause:g} s (log: {part.log})")
                    part.finish(0.0)

    def _stop_all(self) -> None:
        """API and worker first, together: the worker hands its jobs back through the database. Redis last."""
        deadline = time.monotonic() + STOP_SECONDS
        serving = [part for part in (self._migrations, self._api, self._worker) if part.pid is not None]
        for part in serving:
            part.ask_to_stop()
        for part in serving:
            if not part.finish(deadline - time.monotonic()):
                self._say(f"{part.name} did not stop within {STOP_SECONDS:g} s and was ended by force")
        if self._redis is not None:
            self._redis.ask_to_stop()
            self._redis.finish(3.0)
            self._folder.remove_runtime()


def _ok(http: httpx.Client, path: str) -> bool:
    try:
        return http.get(path).is_success
    except httpx.HTTPError:
        return False


def free_port(host: str, port: int) -> int:
    """``port`` if it is free, or any free one for 0.

    Raises:
        EpochdError: it is taken, or there is no such address here.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            chosen: int = probe.getsockname()[1]
            return chosen
    except socket.gaierror as error:
        raise EpochdError(f"{host!r} is not an address of this machine") from error
    except PermissionError as error:
        raise EpochdError(f"port {port} needs more rights than you have; choose one above 1023") from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise EpochdError(f"cannot listen on {host}: {error.strerror}") from error
        raise EpochdError(
            f"port {port} on {host} is taken by another program; give another --port, or 0 for a free one"
        ) from error
