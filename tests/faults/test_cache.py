"""The workers' cache of datasets: real jobs keep its limit and lack nothing, whoever shares the folder."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import more_digits
import pytest
from stack import Redis, Stack, until

from core import blobs
from core.db import Database
from workers.cache import PART_SECONDS, Cache

LIMIT = 325_000
"""Two and a half times the digits; less than their rows in 32 bits."""


@pytest.fixture(scope="module")
def limited(short_folder: Path) -> Iterator[Stack]:
    """A worker of two slots that keeps few datasets."""
    folder = Path(tempfile.mkdtemp(dir=short_folder))
    redis = Redis(folder / "r", tcp=False)
    one = Stack(folder, f"sqlite:///{folder / 'epochd.db'}", redis)
    one.start_api()
    one.start_worker(EPOCHD_DATASET_CACHE_BYTES=str(LIMIT), EPOCHD_WORKER_SLOTS="2")
    yield one
    one.close()
    redis.stop()


def spec(dataset: str, **rules: Any) -> dict[str, Any]:
    return {"dataset": dataset, "network": {"family": "rnn", "hidden": 4}, "hyperparameters": {"steps": 2, **rules}}


def test_those_unused_for_longest_go_first_and_those_in_use_stay(limited: Stack) -> None:
    database = Database(limited.database_url)
    names = {more_digits.add(database, name, first): name for first, name in enumerate(("b", "c"), 1)}
    database.close()
    for name in ("digits", "digits-rows"):
        names[limited.http.get(f"/v1/datasets/{name}").json()["sha256"]] = name
    cache = limited.folder / "cache" / "datasets"

    def kept() -> list[str]:
        return sorted(names[path.stem] for path in cache.iterdir())

    def train(dataset: str, *wanted: str) -> None:
        job = limited.ended(limited.submit(spec(dataset)))
        assert job["status"] == "succeeded", job["error"]
        until(lambda: kept() == sorted(wanted), f"{wanted} to be kept after {dataset}")

    long = limited.submit(spec("digits", steps=100_000_000))
    until(lambda: limited.metrics(long), "the long training to go on")
    train("b", "digits", "b")
    train("c", "digits", "c")  # b goes: digits was used before it, and still is
    train("digits-rows", "digits")  # larger than the limit: trains, and is not kept
    train("b", "digits", "b")
    before = limited.job(long)["progress"]["step"]
    until(lambda: limited.job(long)["progress"]["step"] > before, "the long training to go on")
    limited.http.post(f"/v1/jobs/{long}/cancel")
    assert limited.ended(long)["status"] == "cancelled"
    train("c", "b", "c")
    train("b", "b", "c")
    train("digits", "b", "digits")  # b was fetched before c, but used after it


def test_a_set_that_another_worker_deletes_stays_whole_for_who_uses_it(migrated: Database, tmp_path: Path) -> None:
    sha256 = more_digits.add(migrated, "whole", 3)
    content = b"".join(blobs.read(migrated, sha256))
    cache, other = (Cache(tmp_path / "cache", limit) for limit in (2 * len(content), 0))
    cached, first, second = tmp_path / "cache" / f"{sha256}.safetensors", tmp_path / "first", tmp_path / "second"
    cache.give(migrated, sha256, first)
    other.trim()
    assert cached.exists()
    cached.unlink()  # as one does that looked a moment before
    cache.give(migrated, sha256, second)
    assert first.read_bytes() == second.read_bytes() == content
    for path in (first, second):
        path.unlink()
    other.trim()
    assert not cached.exists()


def test_what_a_killed_worker_left_half_fetched_goes_in_the_end(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 0)
    fresh, old = (tmp_path / f"{name}.safetensors.part_{name}" for name in ("fresh", "old"))
    for part in (fresh, old):
        part.write_bytes(b"half")
    past = time.time() - PART_SECONDS - 1
    os.utime(old, (past, past))
    cache.trim()
    assert (fresh.exists(), old.exists()) == (True, False)
