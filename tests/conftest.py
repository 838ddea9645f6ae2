"""What every test shares: the services, and honest skips (CI turns them into failures)."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))  # for stack.py; the tests are no package

from stack import PATIENCE, Redis, Stack, free_port, until, used

REQUIRE_SERVICES = bool(os.environ.get("EPOCHD_REQUIRE_SERVICES"))

# A busy machine makes no example wrong. CI tries the same ones each time, so that a red run can be repeated.
settings.register_profile(
    "ours", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=REQUIRE_SERVICES
)
settings.load_profile("ours")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Turn a skip into a failure in CI, except where a GPU or a public data set is what is missing."""
    report = yield
    may_skip = hasattr(report, "wasxfail") or any(map(item.get_closest_marker, ("gpu", "sets")))
    if REQUIRE_SERVICES and report.skipped and not may_skip:
        report.outcome = "failed"
        report.longrepr = f"skipped, but EPOCHD_REQUIRE_SERVICES is set: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder with a short path, since a unix socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ep") as folder:
        os.chmod(folder, 0o755)  # PostgreSQL runs as another user when the tests run as root
        yield Path(folder)


@pytest.fixture(scope="session")
def new_postgres(short_folder: Path) -> Iterator[Callable[[], str]]:
    """Makes a fresh database on a PostgreSQL server of our own; gives its URL."""
    bins = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    initdb = str(bins[-1] / "initdb") if bins else shutil.which("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL is not installed")
    folder, port = short_folder / "postgres", free_port()
    folder.mkdir()
    user: dict[str, Any] = {"user": "postgres", "cwd": "/"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    subprocess.run([initdb, "-D", data, "-A", "trust", "-U", "postgres"], check=True, stdout=subprocess.DEVNULL, **user)
    server = [str(Path(initdb).with_name("postgres")), "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(server, stdout=log, stderr=log, **user)
    ready = [str(Path(initdb).with_name("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(port)]
    until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL to answer")
    made = 0

    def new() -> str:
        nonlocal made
        made += 1
        create = [str(Path(initdb).with_name("createdb")), "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
        subprocess.run([*create, f"test{made}"], check=True)
        return f"postgresql://postgres@127.0.0.1:{port}/test{made}"

    yield new
    process.send_signal(signal.SIGINT)  # TERM would wait for clients that a failed test left
    process.wait(PATIENCE)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Which database; the tests that use it run on both."""
    return str(request.param)


@pytest.fixture
def database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty database."""
    if engine == "postgresql":
        return str(request.getfixturevalue("new_postgres")())
    return f"sqlite:///{tmp_path / 'epochd.db'}"


@pytest.fixture(scope="module")
def stack(engine: str, request: pytest.FixtureRequest, short_folder: Path) -> Iterator[Stack]:
    """Epochd without a process yet: SQLite with the embedded Redis, or PostgreSQL with redis-server over TCP."""
    folder = Path(tempfile.mkdtemp(dir=short_folder))
    if engine == "postgresql":
        database_url = request.getfixturevalue("new_postgres")()
    else:
        database_url = f"sqlite:///{folder / 'epochd.db'}"
    redis = Redis(folder / "r", tcp=engine == "postgresql")
    one = Stack(folder, database_url, redis)
    yield one
    one.close()
    redis.stop()


@pytest.fixture(scope="module")
def service(stack: Stack) -> Iterator[Stack]:
    """The stack with one API and one worker for all tests of a module."""
    stack.start_api()
    stack.start_worker()
    yield stack
    stack.stop_all()


@pytest.fixture
def api_and_worker(stack: Stack) -> Iterator[Stack]:
    """The stack with one API and one worker for one test; both are stopped after it."""
    stack.start_api()
    stack.start_worker()
    yield stack
    stack.stop_all()


@pytest.fixture(scope="module")
def system(short_folder: Path) -> Iterator[Stack]:
    """A running Epochd for a module, so that the names that others take are not its business."""
    yield from used(Path(tempfile.mkdtemp(dir=short_folder)))
