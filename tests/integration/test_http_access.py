"""Who may ask: keys, the cookie, tenants, and what a service without keys refuses."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from stack import PATIENCE, until

from core.catalog import keys
from core.db import Database

JOB = {"dataset": "digits", "network": {"family": "rnn", "hidden": 8}}


@dataclass
class Keyed:
    """An API that requires keys, and two of them."""

    url: str
    admin: dict[str, str]
    guest: dict[str, str]
    http: httpx.Client


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def keyed(database_url: str, migrated: Any, start_api: Any) -> Iterator[Keyed]:
    database: Database = migrated(database_url)
    with database.transaction() as session:
        _, admin = keys.create(session, "default", "the admin", admin=True)
        _, guest = keys.create(session, "guests", "a guest", admin=False)
    database.close()
    url, _ = start_api(database_url, require_keys="always")
    with httpx.Client(base_url=url, timeout=PATIENCE) as http:
        yield Keyed(url, bearer(admin), bearer(guest), http)


def test_keys_open_a_tenant_and_end_at_once(keyed: Keyed) -> None:
    http = keyed.http
    for headers in ({}, bearer("nonsense"), bearer(f"ep_{'0' * 32}_{'x' * 43}"), {"Authorization": "Basic eDp5"}):
        answer = http.get("/v1/jobs", headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert http.post("/v1/models/x:predict", headers=headers, json={"inputs": [[[0]]]}).status_code == 401
    assert http.get("/livez").status_code == http.get("/docs").status_code == http.get("/").status_code == 200
    assert http.get("/metrics", headers=keyed.guest).status_code == 403
    assert http.get("/v1/keys", headers=keyed.guest).status_code == 403

    job = http.post("/v1/jobs", json=JOB, headers=keyed.admin).json()
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("DELETE", ""), ("GET", "/stream")):
        assert http.request(method, f"/v1/jobs/{job['id']}{path}", headers=keyed.guest).status_code == 404
    assert http.get("/v1/jobs", headers=keyed.guest).json()["data"] == []
    assert http.get("/v1/datasets/digits", headers=keyed.guest).status_code == 200  # built in

    made = http.post("/v1/keys", json={"name": "for a test", "tenant": "guests"}, headers=keyed.admin).json()
    new = bearer(made["secret"])
    assert http.get("/v1/session", headers=new).json() == {
        "object": "session",
        "tenant": "guests",
        "admin": False,
        "keys_required": True,
    }
    listed = http.get("/v1/keys", headers=keyed.admin).json()["data"]
    assert made["id"] in {key["id"] for key in listed} and all("secret" not in key for key in listed)
    assert http.delete(f"/v1/keys/{made['id']}", headers=keyed.admin).status_code == 204
    assert http.get("/v1/session", headers=new).status_code == 401
    own = next(key["id"] for key in listed if key["name"] == "the admin")
    assert http.delete(f"/v1/keys/{own}", headers=keyed.admin).status_code == 409


def test_an_idempotency_key_makes_one_api_key_whose_secret_is_shown_once(keyed: Keyed) -> None:
    asked, once = {"name": "twice", "tenant": "guests"}, {**keyed.admin, "Idempotency-Key": "a-key"}
    first, again = (keyed.http.post("/v1/keys", json=asked, headers=once) for _ in range(2))
    assert (first.status_code, first.headers["Location"]) == (again.status_code, again.headers["Location"])
    assert again.json() == {**first.json(), "secret": None}
    assert keyed.http.get("/v1/session", headers=bearer(first.json()["secret"])).json()["tenant"] == "guests"
    other = keyed.http.post("/v1/keys", json={**asked, "admin": True}, headers=once)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    listed = keyed.http.get("/v1/keys", headers=keyed.admin).json()["data"]
    assert [one["name"] for one in listed].count("twice") == 1
    assert keyed.http.delete(first.headers["Location"], headers=keyed.admin).status_code == 204
    assert keyed.http.post("/v1/keys", json=asked, headers=once).json()["revoked_at"] is not None


def test_a_key_made_by_another_process_is_known_soon(keyed: Keyed, database_url: str) -> None:
    database = Database(database_url)
    with database.transaction() as session:
        row, secret = keys.create(session, "default", "late", admin=False)
    until(lambda: keyed.http.get("/v1/session", headers=bearer(secret)).status_code == 200, "the key to be known")
    with database.transaction() as session:
        keys.revoke(session, row.id)
    until(lambda: keyed.http.get("/v1/session", headers=bearer(secret)).status_code == 401, "the key to end")
    database.close()


def test_the_dashboards_session_is_a_cookie_that_other_sites_cannot_use(keyed: Keyed) -> None:
    key = keyed.admin["Authorization"].removeprefix("Bearer ")
    assert keyed.http.post("/v1/session", json={"key": "ep_no"}).status_code == 401
    answer = keyed.http.post("/v1/session", json={"key": key})
    cookie = answer.headers["Set-Cookie"]
    assert answer.status_code == 204 and "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert keyed.http.get("/v1/session").json()["admin"] is True  # by the cookie
    own = {"Origin": keyed.url}
    assert keyed.http.post("/v1/jobs", json=JOB, headers=own).status_code == 202
    evil = {"Origin": "http://evil.example"}
    assert keyed.http.post("/v1/jobs", json=JOB, headers=evil).status_code == 403
    assert keyed.http.delete("/v1/session").status_code == 204
    assert keyed.http.get("/v1/session").status_code == 401


def test_without_keys_only_this_machines_own_pages_are_answered(api: Any) -> None:
    host = api.url.removeprefix("http://")
    port = host.partition(":")[2]

    def status(**headers: str) -> int:
        return int(api.http.get("/v1/jobs", headers=headers).status_code)

    assert status(Host=host, Origin=api.url) == status(Host=f"localhost:{port}") == status(Host="[::1]") == 200
    assert status(Host="evil.example") == status(Host=f"127.0.0.1.evil.example:{port}") == status(Host="") == 403
    for origin in ("http://evil.example", "null", "http://localhost:1", "http://127.0.0.1"):
        assert status(Host=host, Origin=origin) == 403
    assert api.http.get("/v1/session").json()["keys_required"] is False
    assert status(Authorization=f"Bearer ep_{'0' * 32}_{'x' * 43}") == 401  # a key that is sent must be right
    assert status(Cookie="epochd_session=of-another-service") == 200


def test_it_does_not_start_where_keys_are_required_and_there_are_none(database_url: str, migrated: Any) -> None:
    migrated(database_url).close()
    env = {**os.environ, "EPOCHD_DATABASE_URL": database_url, "EPOCHD_HOST": "0.0.0.0", "EPOCHD_PORT": "0"}
    command = [sys.executable, "-m", "api"]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert ran.returncode == 1 and "API keys are required" in ran.stderr and "Traceback" not in ran.stderr


def test_a_bootstrap_key_file_makes_the_first_admin(tmp_path: Path, database_url: str, start_api: Any) -> None:
    secret = f"ep_{'a' * 32}_{'b' * 64}"
    (tmp_path / "key").write_text(f"{secret}\n")
    env = {**os.environ, "EPOCHD_DATABASE_URL": database_url, "EPOCHD_BOOTSTRAP_KEY_FILE": str(tmp_path / "key")}
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "migrations"], env=env, check=True, timeout=PATIENCE)
    url, _ = start_api(database_url, require_keys="always")
    assert httpx.get(f"{url}/v1/session", headers=bearer(secret), timeout=PATIENCE).json()["admin"] is True
