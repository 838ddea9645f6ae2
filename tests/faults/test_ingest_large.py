"""A dataset larger than the memory that a worker has for a job: it is read piece by piece, from disk to disk."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import Redis, Stack
from uploaded import large, put

SLOTS = 256


@pytest.fixture(scope="module")
def narrow(short_folder: Path) -> Iterator[Stack]:
    """A worker of so many slots that each has little memory."""
    folder = Path(tempfile.mkdtemp(dir=short_folder))
    redis = Redis(folder / "r", tcp=False)
    one = Stack(folder, f"sqlite:///{folder / 'epochd.db'}", redis)
    one.start_api()
    one.start_worker(EPOCHD_WORKER_SLOTS=str(SLOTS))
    yield one
    one.close()
    redis.stop()


def test_a_dataset_may_be_larger_than_a_slots_memory(narrow: Stack) -> None:
    (worker,) = narrow.http.get("/v1/workers").json()["data"]
    slot = worker["memory_bytes"] // SLOTS
    count = slot // 1_000_000 + 1
    ended = narrow.ended(put(narrow, "wide", large(count), filename="large.tar")["id"])
    assert ended["status"] == "succeeded", ended["error"]
    dataset = narrow.http.get("/v1/datasets/wide").json()
    assert sum(dataset["splits"].values()) == count and dataset["size_bytes"] > slot
