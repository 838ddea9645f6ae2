"""A job on two devices is one job: whatever is done to it or to a part of it, it is all there or all gone."""

import re
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import long_job
import psutil
import pytest
from halted import end_lease
from stack import Redis, Stack, gone, until

TWO: dict[str, Any] = {"devices": 2, "device": "cpu"}


@pytest.fixture(scope="module")
def pair(short_folder: Path) -> Iterator[Stack]:
    """An API and a worker whose one slot has two threads, on SQLite: what is tested here is above the database."""
    folder = Path(tempfile.mkdtemp(dir=short_folder))
    redis = Redis(folder / "r", tcp=False)
    one = Stack(folder, f"sqlite:///{folder / 'epochd.db'}", redis)
    one.env["EPOCHD_WORKER_THREADS"] = "2"
    one.start_api()
    one.start_worker()
    yield one
    one.close()
    redis.stop()


def processes(stack: Stack, job_id: str) -> list[psutil.Process]:
    """Rank 0, which is the job's child, and the other ranks."""
    child = stack.child(job_id)
    until(lambda: len(child.children()) == 1, "the other rank to start")
    return [child, *child.children()]


def ask(stack: Stack, job_id: str, what: str) -> None:
    assert stack.http.post(f"/v1/jobs/{job_id}/{what}").status_code == 202


def test_handed_back_broken_paused_and_resumed_it_has_the_undisturbed_weights(pair: Stack, tmp_path: Path) -> None:
    undisturbed = long_job.undisturbed(tmp_path, long_job.SPEC | TWO)
    job_id, child = long_job.start(pair, **TWO)
    (started,) = pair.events(job_id, "started")
    assert (started["data"]["devices"], started["data"]["threads"]) == (2, 2)
    assert started["message"] == "Training on 2 x cpu with 2 threads from step 0."

    before = processes(pair, job_id)
    child.resume()
    pair.started[-1].stop()
    assert all(map(gone, before))
    pair.start_worker()
    until(lambda: len(pair.events(job_id, "first_step")) == 2, "the job to go on")

    _, other = processes(pair, job_id)
    other.send_signal(signal.SIGKILL)
    until(lambda: len(pair.events(job_id, "first_step")) == 3, "the job to be tried again")
    (retry,) = pair.events(job_id, "retry")
    assert retry["data"]["error"]["code"] == "crashed"
    assert retry["data"]["error"]["message"] == "Rank 1 of 2 failed: it was ended by SIGKILL."

    ask(pair, job_id, "pause")
    until(lambda: pair.job(job_id)["status"] == "paused", "the pause")
    ask(pair, job_id, "resume")
    long_job.assert_as_undisturbed(pair, job_id, undisturbed)


def test_cancel_ends_every_rank_within_a_second(pair: Stack) -> None:
    """In one of three rounds, as tests/faults/test_stop.py has it."""
    took: list[float] = []
    while not took or (took[-1] >= 1.0 and len(took) < 3):
        took.append(_seconds_to_cancel(pair))
    assert took[-1] < 1.0, took


def _seconds_to_cancel(pair: Stack) -> float:
    job_id = pair.submit({**long_job.SPEC, **TWO, "hyperparameters": {"steps": 1_000_000}})
    until(lambda: pair.events(job_id, "first_step"), "the first step")
    ranks = processes(pair, job_id)
    ranks[1].suspend()
    ask(pair, job_id, "cancel")
    asked = time.monotonic()
    until(lambda: all(map(gone, ranks)), "all ranks to be gone")
    took = time.monotonic() - asked
    assert pair.ended(job_id)["status"] == "cancelled"
    return took


@pytest.mark.parametrize("victim", ["worker", "child"])
def test_no_rank_outlives_what_it_belongs_to(pair: Stack, victim: str) -> None:
    job_id = pair.submit({**long_job.SPEC, **TWO, "hyperparameters": {"steps": 1_000_000}, "max_attempts": 1})
    until(lambda: pair.events(job_id, "first_step"), "the first step")
    ranks = processes(pair, job_id)
    ranks[1].suspend()
    if victim == "worker":
        pair.started[-1].kill()
    else:
        ranks[0].kill()
    until(lambda: all(map(gone, ranks)), "all ranks to be gone")
    if victim == "worker":
        end_lease(pair, job_id)
        pair.start_worker()
    job = pair.ended(job_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "worker_lost" if victim == "worker" else "crashed")


@pytest.mark.parametrize(
    ("fields", "pointer", "says"),
    [
        ({"devices": 0}, "#/devices", "greater than or equal to 1"),
        ({"devices": 65}, "#/devices", "less than or equal to 64"),
        ({"devices": 3}, "#/devices", "it needs 3 devices and a slot of worker .* offers at most 2"),
        ({"devices": 2, "device": "cuda"}, "#/device", "it needs cuda and worker"),
        ({"network": {"family": "cnn", "stages": [{"channels": 4, "norm": "batch"}]}}, "#/devices", 'norm "group"'),
    ],
)
def test_what_no_slot_can_do_is_refused(pair: Stack, fields: dict[str, Any], pointer: str, says: str) -> None:
    for route in ("jobs", "estimates"):
        if route == "estimates" and "it needs" in says:
            continue  # they are answered, with a verdict
        answer = pair.http.post(f"/v1/{route}", json={**long_job.SPEC, **TWO, **fields})
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["pointer"] == pointer
        assert re.search(says, error["detail"])


def test_the_estimate_counts_every_rank(pair: Stack) -> None:
    one, two = (pair.http.post("/v1/estimates", json={**long_job.SPEC, "devices": count}).json() for count in (1, 2))
    assert one["verdict"]["fits"] is two["verdict"]["fits"] is True
    assert one["memory"]["parts"]["ranks"] == 0 < two["memory"]["parts"]["ranks"]
    assert two["memory"]["parts"]["activations"] < one["memory"]["parts"]["activations"]
    assert two["memory"]["total_bytes"] > one["memory"]["total_bytes"]
