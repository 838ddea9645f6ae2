"""kill -9 and TERM in the middle of an ingest, on both databases: it begins anew and ends well."""

import pytest
from halted import end_lease, inch
from stack import PATIENCE, Stack, gone, until
from uploaded import TINY, large, put


@pytest.mark.parametrize("part", ["child", "worker", "stopped"])
def test_an_ingest_that_is_killed_begins_anew(api_and_worker: Stack, part: str) -> None:
    stack = api_and_worker
    job = put(stack, f"killed-{part}", large(), **TINY)
    child = stack.child(job["id"])
    until(lambda: inch(child) or stack.job(job["id"])["progress"], "the ingest to be under way")
    assert stack.job(job["id"])["status"] == "running", "the set is too small to be caught in the middle"
    if part == "child":
        child.kill()
    else:
        stack.started[1].kill() if part == "worker" else stack.started[1].stop()
        until(lambda: gone(child), "the child to be gone")
        if part == "worker":
            end_lease(stack, job["id"])
        stack.start_worker()
    ended = stack.ended(job["id"], 3 * PATIENCE)  # ingests give way to whatever else the machine does
    assert ended["status"] == "succeeded", ended["error"]
    assert (ended["attempt"], ended["result"]["splits"]) == (2, {"train": 240, "test": 60})
