"""A child that gets no more memory: the job fails as ``out_of_memory``, with the numbers, and the worker goes on."""

from typing import Any

import psutil
from stack import Stack, until

MIB = 2**20
WIDE: dict[str, Any] = {
    "dataset": "digits",
    "network": {"family": "cnn", "stages": [{"channels": 64}], "hidden": []},
    "data": {"resize": [64, 64], "validation": 0.5},  # so that the look at it takes far more than a step
    "hyperparameters": {"epochs": 100, "batch_size": 1},
    "max_attempts": 3,
}


def test_a_training_that_gets_no_more_memory_says_so_with_the_numbers(service: Stack) -> None:
    job_id = service.submit(WIDE)
    child = service.child(job_id)
    until(lambda: service.events(job_id, "first_step"), "the first step")
    child.rlimit(psutil.RLIMIT_AS, (child.memory_info().vms + 16 * MIB,) * 2)
    job = service.ended(job_id)
    error = job["error"]
    assert (job["status"], error["code"], job["attempt"], error["retryable"]) == ("failed", "out_of_memory", 1, False)
    peak, limit = (error["detail"][name] for name in ("peak_memory_bytes", "memory_limit_bytes"))
    assert 0 < peak < limit
    assert "The training ran out of memory when it asked for " in error["message"]
    assert f"used up to {peak / MIB:,.0f} MiB of the machine's {limit / MIB:,.0f}" in error["message"]
    assert "allocate memory" in error["detail"]["reason"]
    after = service.ended(service.submit({**WIDE, "network": {"family": "rnn"}, "hyperparameters": {"steps": 1}}))
    assert after["status"] == "succeeded", after["error"]
