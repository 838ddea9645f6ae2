"""The service around its resources: health, metrics, pages, errors; how it starts, stops and outlives outages."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from stack import PATIENCE, Redis, Stack, free_port, until

from api.errors import STATUS
from api.routes import pages
from core import errors
from core.db import Database

JOB = {"dataset": "digits", "network": {"family": "rnn", "hidden": 8}}


def test_every_error_has_a_status_and_a_page(api: Any) -> None:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.EpochdError)]
    codes = {one.code for one in classes} - {errors.LeaseLost.code}
    assert codes <= set(STATUS) == set(pages.MEANING)
    for code in STATUS:
        page = api.http.get(f"/problems/{code}")
        assert page.status_code == 200 and code in page.text
    assert api.http.get("/problems/none").status_code == 404


def test_errors_of_the_framework_are_problems_too(api: Any) -> None:
    cases = [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/v1/jobs/%00", 404, "not_found"),
        ("PUT", "/v1/jobs", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/models/x:predict", 405, "method_not_allowed"),
    ]
    for method, path, status, code in cases:
        answer = api.http.request(method, path, headers={"X-Request-ID": "mine"})
        assert (answer.status_code, answer.json()["code"], answer.json()["request_id"]) == (status, code, "mine")
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert api.http.put("/v1/jobs").headers["Allow"] == "GET, POST"
    assert re.fullmatch(
        "[0-9a-f]{32}", api.http.get("/livez", headers={"X-Request-ID": "no\tgood"}).headers["X-Request-ID"]
    )


@pytest.mark.parametrize(
    ("method", "url", "name", "there_are"),
    [
        ("GET", "/v1/jobs?state=failed", "state", "status"),
        ("GET", "/v1/jobs?metadata[a]=1&limit[a]=1", "limit[a]", "metadata"),
        ("GET", "/v1/jobs/job_0?layers=false", "layers", "take it out"),
        ("POST", "/v1/jobs/job_0/cancel?now/then=1", "now~1then", "take it out"),
        ("DELETE", "/v1/datasets/digits@1?dry_run=true", "dry_run", "take it out"),
        ("POST", "/v1/models/m:predict?tpo=1", "tpo", "top"),
    ],
)
def test_a_parameter_that_is_misspelt_does_not_pass_unseen(
    api: Any, method: str, url: str, name: str, there_are: str
) -> None:
    headers = {"Content-Type": "application/json"} if method == "POST" else {}
    answer = api.http.request(method, url, headers=headers)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == f"#/query/{name}" and there_are in error["detail"]
    assert api.http.get("/livez?now=1").status_code == 200  # a probe may add what it likes


def test_a_broken_constraint_is_our_fault_and_no_conflict(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Here the database refuses what the service thinks is right; nobody else changed anything."""
    if api.database.is_sqlite:
        refuse = """CREATE TRIGGER refuse BEFORE INSERT ON jobs WHEN NEW.priority = 77
                    BEGIN SELECT RAISE(ABORT, 'refused'); END"""
        allow = "DROP TRIGGER refuse"
    else:
        refuse = "ALTER TABLE jobs ADD CONSTRAINT refuse CHECK (priority <> 77)"
        allow = "ALTER TABLE jobs DROP CONSTRAINT refuse"
    with api.database.transaction() as session:
        session.execute(text(refuse))
    answer = api.http.post("/v1/jobs", json={**JOB, "priority": 77})
    with api.database.transaction() as session:
        session.execute(text(allow))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "refuse" not in answer.text
    assert [record.exc_info is not None for record in caplog.records if record.msg == "constraint_violated"] == [True]
    assert api.http.post("/v1/jobs", json={**JOB, "priority": 77}).status_code == 202


def test_bodies_over_the_limit(start_api: Any, migrated: Any, database_url: str) -> None:
    migrated(database_url).close()
    url, _ = start_api(database_url, max_body_bytes=2048)

    def chunks() -> Any:
        for _ in range(4):
            yield b" " * 1024

    headers = {"Content-Type": "application/json"}
    for path in ("/v1/jobs", "/v1/models/x:predict"):
        for content in (b" " * 4096, chunks()):
            answer = httpx.post(f"{url}{path}", content=content, headers=headers, timeout=PATIENCE)
            expected = (
                (413, 404) if path.endswith("predict") else (413,)
            )  # the model is looked for before a body is read
            assert answer.status_code in expected
            assert answer.headers["Content-Type"] == "application/problem+json"
    assert httpx.post(f"{url}/v1/jobs", json=JOB, timeout=PATIENCE).status_code == 202


def test_pages_work_offline_under_a_strict_policy(api: Any, tmp_path: Path) -> None:
    docs = api.http.get("/docs")
    for path in api.http.get("/openapi.json").json()["paths"]:
        assert path in docs.text
    for page in (docs, api.http.get("/"), api.http.get("/problems/conflict")):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page.text) == []
        assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert [route.path for route in pages.routes(tmp_path)] == ["/docs", "/problems/{code}", "/"]
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "assets" / "app-1.js").write_text("1")
    assert [route.path for route in pages.routes(tmp_path)][2:] == ["/assets/app-1.js", "/"]


def test_nothing_changes_a_version_of_a_model(api: Any) -> None:
    """What was served can be named later: the document offers no way, and there is none beside it."""
    paths = api.http.get("/openapi.json").json()["paths"]
    versions = {path: item for path, item in paths.items() if re.match(r"/v1/models/\{[^/]*/versions/\{", path)}
    assert "get" in versions["/v1/models/{name}/versions/{version}"]
    assert [(path, way) for path, item in versions.items() for way in item if way in ("put", "patch", "delete")] == []
    for method in ("PUT", "PATCH", "DELETE"):
        assert api.http.request(method, "/v1/models/m/versions/1", json={}).status_code == 405


def test_prometheus_reads_the_state_of_the_system(api: Any) -> None:
    api.player.beat()
    before = sample(api, 'epochd_jobs{state="queued"}')
    api.submit()
    assert sample(api, 'epochd_jobs{state="queued"}') == before + 1 == sample(api, "epochd_queue_length")
    assert sample(api, 'epochd_workers{status="online"}') == 1
    assert sample(api, 'epochd_http_requests_total{method="POST",route="/v1/jobs",status="202"}') >= 1
    assert re.search("job_[0-9a-f]{6}", api.http.get("/metrics").text) is None


def sample(api: Any, name: str) -> float:
    lines = [line for line in api.http.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(lines[0].split()[-1])


def test_ready_means_database_schema_and_broker(stack: Stack, api: Any) -> None:
    process = stack.start_api()
    until(lambda: stack.http.get("/readyz").is_success, "the API to be ready")
    ready = stack.http.get("/readyz", params={"verbose": ""})
    assert ready.status_code == 200
    assert ready.json()["checks"] == {"process": "ok", "database": "ok", "schema": "ok", "broker": "ok"}
    process.stop()
    unready = api.http.get("/readyz?verbose=true")  # its broker is not there
    assert (unready.status_code, unready.json()["code"]) == (503, "unavailable")
    assert unready.json()["checks"]["database"] == "ok" and unready.json()["checks"]["broker"] != "ok"
    assert api.http.get("/livez").status_code == 200


def test_an_empty_database_is_not_ready(start_api: Any, database_url: str) -> None:
    url, _ = start_api(database_url)
    assert "run python -m migrations" in httpx.get(f"{url}/readyz", timeout=PATIENCE).json()["detail"]


def test_workers_are_listed_with_their_jobs(api: Any) -> None:
    api.player.beat()
    api.submit(priority=100)
    claim = api.player.claim()
    (worker,) = [one for one in api.http.get("/v1/workers").json()["data"] if one["id"] == api.player.worker.id]
    assert (worker["status"], worker["busy"], worker["jobs"]) == ("online", 1, [claim.lease.job_id])
    api.player.finish(claim)


def test_sigterm_ends_it_at_once_with_streams_open(database_url: str, migrated: Any, tmp_path: Path) -> None:
    migrated(database_url).close()
    port = free_port()
    env = {
        **os.environ,
        "EPOCHD_DATA_DIR": str(tmp_path),
        "EPOCHD_DATABASE_URL": database_url,
        "EPOCHD_PORT": str(port),
    }
    env["EPOCHD_BROKER_URL"] = f"redis+socket://{tmp_path}/none"
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "api"], env=env, stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
            until(lambda: answers(http), "the API to answer")
            job_id = http.post("/v1/jobs", json=JOB).json()["id"]
            with http.stream("GET", f"/v1/jobs/{job_id}/stream") as open_stream:
                lines = open_stream.iter_lines()
                assert next(lines) == "retry: 2000"
                process.send_signal(signal.SIGTERM)
                assert "event: end" not in list(lines)
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM)
        assert "Traceback" not in log.read_text()
        assert "graceful shutdown exceeded" not in log.read_text()  # the stream was not waited for
    finally:
        process.kill()
        process.wait()


def answers(http: httpx.Client) -> bool:
    try:
        return http.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def test_while_the_database_is_away_it_says_so_and_goes_on_afterwards(
    new_postgres: Any, migrated: Any, start_api: Any
) -> None:
    """PostgreSQL refuses connections to the database for a while; keys and loaded models go on from memory."""
    database_url = new_postgres()
    database: Database = migrated(database_url)
    from player import Player

    Player(database).train("kept")
    url, _ = start_api(database_url)
    rows = {"inputs": [[[0] * 8] * 8]}
    with httpx.Client(base_url=url, timeout=PATIENCE) as http:
        assert http.post("/v1/models/kept:predict", json=rows).status_code == 200
        server, _, name = database_url.rpartition("/")
        database.close()
        admin = Database(f"{server}/postgres")

        def allow(yes: bool) -> None:
            with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {str(yes).lower()}")
                end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                connection.exec_driver_sql(end)

        allow(False)
        for method, path in (("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/readyz")):
            answer = http.request(method, path, json=JOB if method == "POST" else None)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
            assert answer.headers["Retry-After"]
        assert http.post("/v1/models/kept:predict", json=rows).status_code == 200
        assert http.get("/livez").status_code == 200
        allow(True)
        until(lambda: http.get("/v1/jobs").status_code == 200, "the API to find the database again")
        assert http.post("/v1/jobs", json=JOB).status_code == 202
        admin.close()


@pytest.mark.parametrize("module", ["api", "workers", "migrations"])
@pytest.mark.parametrize("fields", [{"EPOCHD_PORT": "70000"}, {"EPOCHD_LOG_LEVEL": "loud"}])
def test_settings_that_cannot_be_are_a_sentence(module: str, fields: dict[str, str]) -> None:
    command = [sys.executable, "-m", module]
    env = {**os.environ, **fields}
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert ran.returncode == 1 and "settings cannot be used" in ran.stderr and "Traceback" not in ran.stderr


def test_a_broker_that_comes_back_gets_the_tickets(
    start_api: Any, migrated: Any, database_url: str, short_folder: Path, engine: str
) -> None:
    """A job accepted while Redis was away has its ticket sent once Redis is there."""
    import redis

    migrated(database_url).close()
    late = Redis(short_folder / f"late-{engine}", tcp=False)
    late.stop()
    url, _ = start_api(database_url, broker_url=late.url)
    assert httpx.post(f"{url}/v1/jobs", json=JOB, timeout=PATIENCE).status_code == 202
    late.start()
    with redis.Redis.from_url(late.url.replace("redis+socket://", "unix://")) as client:
        until(lambda: client.llen("epochd.cpu"), "the ticket to be sent again")
    late.stop()
