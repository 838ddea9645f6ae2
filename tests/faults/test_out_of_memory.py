"""A child that gets no more memory: the job fails as ``out_of_memory``, with the numbers, and the worker goes on."""

from typing import Any

import psutil
from stack import Stack
from uploaded import TINY, large, put

MIB = 2**20
WIDE: dict[str, Any] = {
    "dataset": "digits",
    "network": {"family": "cnn", "stages": [{"channels": 64}], "hidden": [512]},
    "data": {"resize": [64, 64]},
    "hyperparameters": {"epochs": 1000, "batch_size": 256},
}


def starve(child: psutil.Process, more: int) -> None:
    """Let a process have only so many bytes more of memory."""
    child.rlimit(psutil.RLIMIT_AS, (child.memory_info().vms + more,) * 2)


def test_a_training_that_gets_no_more_memory_says_so_with_the_numbers(service: Stack) -> None:
    job_id = service.submit({**WIDE, "max_attempts": 3})
    starve(service.child(job_id), 16 * MIB)
    job = service.ended(job_id)
    error = job["error"]
    assert (job["status"], error["code"], job["attempt"], error["retryable"]) == ("failed", "out_of_memory", 1, False)
    peak, limit = (error["detail"][name] for name in ("peak_memory_bytes", "memory_limit_bytes"))
    assert 0 < peak < limit
    assert "The training ran out of memory" in error["message"]
    assert f"used up to {peak / MIB:,.0f} MiB of the machine's {limit / MIB:,.0f}" in error["message"]
    after = service.ended(service.submit({**WIDE, "network": {"family": "rnn"}, "hyperparameters": {"steps": 1}}))
    assert after["status"] == "succeeded", after["error"]


def test_an_ingest_that_gets_no_more_memory_says_so_too(service: Stack) -> None:
    job = put(service, "starved", large(), **TINY)
    starve(service.child(job["id"]), MIB)
    ended = service.ended(job["id"])
    assert (ended["status"], ended["error"]["code"]) == ("failed", "out_of_memory"), ended["error"]
    assert "MiB of the machine's" in ended["error"]["message"]
    assert service.http.get("/v1/datasets/starved").status_code == 404
    assert [list(folder.glob("job_*")) for folder in service.scratch_folders()] == [[]]
