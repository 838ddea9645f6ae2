"""A child that gets no more memory: the job fails as ``out_of_memory``, with the numbers, and the worker goes on."""

from typing import Any

import psutil
from stack import Stack

MIB = 2**20
SMALL: dict[str, Any] = {"dataset": "digits", "network": {"family": "rnn"}, "hyperparameters": {"steps": 1}}
WIDE: dict[str, Any] = {
    "dataset": "digits",
    "network": {"family": "cnn", "stages": [{"channels": 64, "norm": "batch"}], "hidden": []},
    "data": {"resize": [64, 64]},
    "hyperparameters": {"epochs": 1, "batch_size": 512},  # looked at as a whole: an activation takes 512 MiB
    "max_attempts": 3,
}


def test_a_training_that_gets_no_more_memory_says_so_with_the_numbers(service: Stack) -> None:
    first = service.submit({**SMALL, "hyperparameters": {"epochs": 10_000}})
    forkserver = service.child(first).parent()
    assert forkserver is not None
    service.http.post(f"/v1/jobs/{first}/cancel").raise_for_status()
    service.ended(first)
    _, hard = forkserver.rlimit(psutil.RLIMIT_AS)
    forkserver.rlimit(psutil.RLIMIT_AS, (forkserver.memory_info().vms + 256 * MIB, hard))  # its children inherit it
    job = service.ended(service.submit(WIDE))
    forkserver.rlimit(psutil.RLIMIT_AS, (hard, hard))
    error = job["error"]
    assert (job["status"], error["code"], job["attempt"], error["retryable"]) == ("failed", "out_of_memory", 1, False)
    peak, limit = (error["detail"][name] for name in ("peak_memory_bytes", "memory_limit_bytes"))
    assert 0 < peak < limit
    assert "The training ran out of memory when it asked for " in error["message"]
    assert f"used up to {peak / MIB:,.0f} MiB of the machine's {limit / MIB:,.0f}" in error["message"]
    assert "allocate memory" in error["detail"]["reason"]
    after = service.ended(service.submit(SMALL))
    assert after["status"] == "succeeded", after["error"]
