"""The API with its database and Redis, and no worker: each a process of its own in a temporary folder."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from epochd.up import redis


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited a minute for {what}")
        time.sleep(0.05)


@contextmanager
def _process(command: list[str], log: Path, **options: object) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, **options)  # type: ignore[call-overload]
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def postgres_programs() -> Path | None:
    """The folder of the newest PostgreSQL's programs, if it is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).parent if on_path else None


@contextmanager
def _postgres(folder: Path, programs: Path) -> Iterator[str]:
    """A PostgreSQL with its default settings (it syncs every commit); yields the URL of an empty database."""
    home, port = folder / "postgres", _free_port()
    home.mkdir()
    user: dict[str, object] = {}
    if os.geteuid() == 0:  # it refuses to run as root
        user = {"user": "postgres", "cwd": "/"}
        folder.chmod(0o755)
        shutil.chown(home, "postgres")
    data = str(home / "data")
    make = [str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "postgres"]
    subprocess.run(make, check=True, capture_output=True, **user)  # type: ignore[call-overload]
    command = [str(programs / "postgres"), "-D", data, "-p", str(port), "-k", str(home), "-h", "127.0.0.1"]
    ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    with _process(command, folder / "postgres.log", **user):
        _until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL")
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


@contextmanager
def control_plane(engine: str, folder: Path) -> Iterator[int]:
    """The API on ``sqlite`` or ``postgresql``; yields its port on 127.0.0.1."""
    if engine == "postgresql":
        programs = postgres_programs()
        assert programs is not None, "the caller asks for installed engines only"
        with _postgres(folder, programs) as url, _api(folder, url) as port:
            yield port
    else:
        with _api(folder, f"sqlite:///{folder / 'epochd.db'}") as port:
            yield port


@contextmanager
def _api(folder: Path, database_url: str) -> Iterator[int]:
    port, path = _free_port(), folder / "redis.sock"
    env = {
        **os.environ,
        "EPOCHD_DATA_DIR": str(folder),
        "EPOCHD_DATABASE_URL": database_url,
        "EPOCHD_BROKER_URL": f"redis+socket://{path}",
        "EPOCHD_PORT": str(port),
        "EPOCHD_LOG_LEVEL": "warning",
    }
    with _process(redis.command(redis.executable(), path, folder), folder / "redis.log"):
        _until(lambda: redis.answers(path), "Redis")
        subprocess.run([sys.executable, "-m", "migrations"], env=env, check=True, capture_output=True)
        with _process([sys.executable, "-m", "api"], folder / "api.log", env=env):
            _until(lambda: _listens(port), "the API")
            yield port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
