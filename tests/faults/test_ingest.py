"""Ingests beside trainings, crowded, refused, cancelled, on both databases: nothing half made stays."""

import threading
from typing import Any

import numpy as np
from sqlalchemy import func, select
from stack import Stack, gone, until
from uploaded import TINY, folders, large, npz, pictures, put

from core.db import Database
from core.tables import JobInput

LONG: dict[str, Any] = {
    "dataset": "digits",
    "network": {"family": "cnn"},
    "data": {"resize": [28, 28]},
    "hyperparameters": {"epochs": 10_000},
}


def test_a_training_does_not_hold_up_an_upload(service: Stack) -> None:
    """The worker has one slot, and it is taken."""
    stack = service
    long = [stack.submit(LONG) for _ in range(2)]
    until(lambda: stack.job(long[0])["status"] == "running", "the training to start")
    ended = stack.ended(put(stack, "aside", npz(**pictures()), filename="a.npz")["id"])
    assert ended["status"] == "succeeded", ended["error"]
    (worker, *_) = (one for one in stack.http.get("/v1/workers").json()["data"] if one["status"] == "online")
    assert (worker["slots"], worker["busy"]) == (1, 1)
    assert [stack.job(one)["status"] for one in long] == ["running", "queued"]
    assert stack.job(long[1])["queue"]["position"] == 1
    for one in long:
        stack.http.post(f"/v1/jobs/{one}/cancel")
        stack.ended(one)


def test_uploads_of_one_name_at_once_get_numbers_of_their_own(service: Stack) -> None:
    stack = service
    second = stack.start_worker()
    made, found = pictures(), list[int]()

    def upload(number: int) -> None:
        data = npz(x=made["x"] ^ np.uint8(number), y=made["y"])
        ended = stack.ended(put(stack, "crowd", data, filename="a.npz")["id"])
        found.append(ended["dataset"]["version"])

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [1, 2, 3, 4, 5, 6]
    second.stop()


def test_a_refusal_says_what_is_wrong_and_leaves_nothing(service: Stack) -> None:
    stack = service
    data = folders()
    job = stack.ended(put(stack, "cut", data[: len(data) // 2], filename="cut.zip")["id"])
    assert (job["status"], job["error"]["code"]) == ("failed", "invalid_data")
    assert "cut.zip" in job["error"]["message"] and not job["error"]["retryable"]
    assert stack.http.get("/v1/datasets/cut").status_code == 404
    database = Database(stack.database_url)
    try:
        with database.reading() as session:
            assert session.scalar(select(func.count()).select_from(JobInput)) == 0
    finally:
        database.close()
    until(lambda: not any(list(folder.glob("job_*")) for folder in stack.scratch_folders()), "its files to be removed")
    paused = stack.http.post(f"/v1/jobs/{job['id']}/pause")
    assert paused.status_code == 409


def test_an_ingest_is_cancelled(service: Stack) -> None:
    stack = service
    job = put(stack, "unwanted", large(), **TINY)
    child = stack.child(job["id"])
    child.suspend()  # it does not end before it is told to
    assert stack.http.post(f"/v1/jobs/{job['id']}/pause").status_code == 409
    assert stack.http.post(f"/v1/jobs/{job['id']}/cancel").status_code == 202
    assert stack.ended(job["id"])["status"] == "cancelled"
    assert gone(child)
    assert stack.http.get("/v1/datasets/unwanted").status_code == 404
