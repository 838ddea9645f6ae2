"""The API in a thread of the test, on each database in turn; no worker and no broker behind it."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from player import Player
from stack import PATIENCE, free_port, until

from api import connection
from api.__main__ import GRACE_SECONDS, Server
from api.app import create_app
from api.service import Service
from core.catalog import datasets
from core.db import Database
from core.settings import Settings
from epochd.cli import main
from migrations.upgrade import upgrade

# The API runs in a thread of the tests: its log goes to pytest, not into the output of the test that runs just then.
structlog.configure(processors=[structlog.stdlib.render_to_log_kwargs], logger_factory=structlog.stdlib.LoggerFactory())


@dataclass
class Api:
    """A running API and what the test may look at directly."""

    url: str
    http: httpx.Client
    service: Service
    database: Database
    player: Player

    def submit(self, **fields: Any) -> dict[str, Any]:
        """Post a small job; the answer's job."""
        body = {"dataset": "digits", "network": {"family": "rnn", "hidden": 8}, **fields}
        answer = self.http.post("/v1/jobs", json=body)
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        return job


def serve(settings: Settings) -> Iterator[tuple[str, Service]]:
    """A real server in a thread, until the generator is closed."""
    import uvicorn

    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
        http=connection.to(app.direct),
        access_log=False,
    )
    server = Server(config, app.service)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, "the API to start")
    yield f"http://127.0.0.1:{settings.port}", app.service
    server.should_exit = True
    thread.join(PATIENCE)
    assert not thread.is_alive(), "the API did not stop"


@pytest.fixture(scope="session")
def migrated() -> Callable[[str], Database]:
    """Brings a database to the newest schema, with the digits in it."""
    return migrate


def migrate(url: str) -> Database:
    """A database with the newest schema and the digits."""
    database = Database(url)
    upgrade(database)
    datasets.add_built_in(database)
    return database


class Starter:
    """Starts APIs in threads, with some settings other than the usual ones, and stops them."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._running: dict[str, Iterator[tuple[str, Service]]] = {}

    def __call__(self, database_url: str, **fields: Any) -> tuple[str, Service]:
        folder = self._folders.mktemp("api")
        given = {
            "data_dir": folder,
            "database_url": database_url,
            "broker_url": f"redis+socket://{folder}/none",
            "port": free_port(),
            "reconcile_seconds": 0.5,
            **fields,
        }
        one = serve(Settings(**given))
        url, service = next(one)
        self._running[url] = one
        return url, service

    def stop(self, url: str) -> None:
        """Stop one; it must be gone in seconds."""
        next(self._running.pop(url), None)


@pytest.fixture(scope="module")
def start_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Starts more APIs; they are stopped after the module's tests."""
    starter = Starter(tmp_path_factory)
    yield starter
    for url in list(starter._running):
        starter.stop(url)


@pytest.fixture(scope="module")
def api(engine: str, request: pytest.FixtureRequest, start_api: Starter, tmp_path_factory: Any) -> Iterator[Api]:
    """The API on a fresh database, where no key is needed."""
    folder: Path = tmp_path_factory.mktemp("database")
    new: Callable[[], str] = (
        request.getfixturevalue("new_postgres") if engine == "postgresql" else lambda: f"sqlite:///{folder}/epochd.db"
    )
    database = migrate(new())
    url, service = start_api(database.url.render_as_string(hide_password=False))
    with httpx.Client(base_url=url, timeout=PATIENCE) as http:
        yield Api(url, http, service, database, Player(database))
    database.close()


@pytest.fixture
def run(system: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run the command with --json; returns the exit status and the lines it printed, decoded."""
    monkeypatch.setenv("EPOCHD_URL", system.url)

    def command(*arguments: str) -> tuple[int, list[Any]]:
        capsys.readouterr()
        status = main([*arguments, "--json"])
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return command
