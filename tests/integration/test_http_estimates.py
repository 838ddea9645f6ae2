"""Estimates over HTTP, on both databases: what is said of a job before it is queued, and that it is true of the job."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from core.db import now
from core.jobs import Event, record
from core.tables import Dataset, Job, JobEvent, Worker

CNN: dict[str, Any] = {"dataset": "digits", "network": {"family": "cnn"}, "data": {"resize": [28, 28]}}
STAGE = {"channels": 64, "padding": "same", "pool": "none", "norm": "batch"}  # by which a batch is not shared out
LARGE = {"family": "cnn", "stages": [STAGE] * 4, "hidden": []}


def estimate(api: Any, body: dict[str, Any]) -> dict[str, Any]:
    answer = api.http.post("/v1/estimates", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def jobs_of(api: Any) -> int:
    with api.database.reading() as session:
        return int(session.scalar(select(func.count()).select_from(Job)))


def test_the_seed_network_is_known_before_it_is_queued(api: Any) -> None:
    before = jobs_of(api)
    found = estimate(api, {**CNN, "model": "seed", "priority": 7, "metadata": {"run": "a"}})
    assert found["object"] == "estimate" and found["dataset"]["name"] == "digits"
    assert found["parameters"] == 225_034 == sum(layer["parameters"] for layer in found["layers"])
    # 1,437 samples, of which a tenth is held out
    assert (found["samples_per_epoch"], found["steps_per_epoch"], found["total_steps"]) == (1293, 21, 210)
    assert found["training_flops"] == 3 * found["flops_per_sample"] * 1293 * 10
    memory = found["memory"]
    assert sum(memory["parts"].values()) == memory["training_bytes"]
    assert memory["training_bytes"] + memory["dataset_bytes"] == memory["total_bytes"]
    assert memory["parts"]["weights"] == 4 * 225_034 and memory["parts"]["gradients"] % (4 * 225_034) == 0
    assert memory["parts"]["optimizer"] == 2 * 4 * 225_034
    assert memory["parts"]["ranks"] == 0
    assert jobs_of(api) == before
    job = api.http.post("/v1/jobs", json=CNN).json()
    same = ("parameters", "layers", "flops_per_sample", "dataset")
    assert {name: job[name] for name in same} == {name: found[name] for name in same}
    assert job["memory_bytes"] == memory["total_bytes"]


@pytest.mark.parametrize(
    ("rules", "steps_per_epoch", "total_steps", "samples"),
    [
        ({"epochs": 3, "batch_size": 100}, 13, 39, 3 * 1293),
        ({"steps": 14, "batch_size": 100}, 13, 14, 1293 + 100),
        ({"steps": 5, "batch_size": 100, "accumulate": 4}, 4, 5, 1293 + 400),
        ({"epochs": 2, "optimizer": {"name": "gd"}}, 1, 2, 2 * 1293),
        ({"seconds": 9.5}, 21, None, None),
    ],
)
def test_the_length_of_a_run(api: Any, rules: Any, steps_per_epoch: int, total_steps: Any, samples: Any) -> None:
    found = estimate(api, {**CNN, "hyperparameters": rules})
    assert (found["steps_per_epoch"], found["total_steps"]) == (steps_per_epoch, total_steps)
    assert found["training_flops"] == (samples and 3 * found["flops_per_sample"] * samples)
    if samples is None:
        assert found["seconds_total"] == 9.5


@pytest.mark.parametrize(
    "fields",
    [
        {"netwrok": {}},
        {"dataset": "nothing"},
        {"network": {"family": "cnn"}, "data": {}},
        {"hyperparameters": {"batch_size": "64"}},
        {"seed": -1},
    ],
)
def test_what_can_never_train_is_refused_as_a_job_is(api: Any, fields: dict[str, Any]) -> None:
    refused, job = (api.http.post(url, json={**CNN, **fields}) for url in ("/v1/estimates", "/v1/jobs"))
    assert refused.status_code == job.status_code == 422
    own = ("instance", "request_id")
    assert {k: v for k, v in refused.json().items() if k not in own} == {
        k: v for k, v in job.json().items() if k not in own
    }


def test_the_largest_batch_is_accepted_and_the_next_is_refused(api: Any) -> None:
    with api.database.transaction() as session:
        session.execute(update(Worker).values(memory_bytes=4 * 600 * 2**20))  # four slots
    body = {**CNN, "network": LARGE, "hyperparameters": {"batch_size": 1024}}
    verdict = estimate(api, body)["verdict"]
    largest = verdict["largest_batch_size"]
    assert verdict["fits"] is False and 1 < largest < 1024
    assert f"use a batch_size of at most {largest}" in verdict["reason"]
    (worker,) = verdict["workers"]
    assert worker["slot_bytes"] == 600 * 2**20 and not worker["fits"] and "it needs about" in worker["reason"]

    refused = api.http.post("/v1/jobs", json=body)
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["pointer"]) == (422, "#/hyperparameters/batch_size")
    assert error["detail"] == verdict["reason"]
    for batch_size, status in ((largest, 202), (largest + 1, 422)):
        answer = api.http.post("/v1/jobs", json={**body, "hyperparameters": {"batch_size": batch_size}})
        assert answer.status_code == status, answer.text
    fitting = estimate(api, {**body, "hyperparameters": {"batch_size": largest}})["verdict"]
    assert fitting["fits"] is True and fitting["reason"] is None and fitting["workers"][0]["fits"]

    wide = {**CNN, "network": {"family": "rnn", "hidden": 8192}}
    verdict = estimate(api, wide)["verdict"]
    assert (verdict["fits"], verdict["largest_batch_size"]) == (False, None)
    assert "no other batch_size helps" in verdict["reason"]
    elsewhere = estimate(api, {**CNN, "device": "cuda"})["verdict"]
    assert (elsewhere["fits"], elsewhere["largest_batch_size"]) == (False, None)
    assert "it needs cuda" in elsewhere["reason"]

    with api.database.transaction() as session:
        session.execute(update(Worker).values(memory_bytes=2**35, seen_at=now(session) - timedelta(days=2)))
    alone = estimate(api, body)["verdict"]
    assert alone["fits"] is None and alone["workers"] == [] and "no worker was seen" in alone["reason"]
    with api.database.transaction() as session:
        session.execute(update(Worker).values(seen_at=now(session)))


def test_a_data_set_larger_than_any_memory_is_read_from_disk(api: Any) -> None:
    plenty = estimate(api, CNN)["memory"]
    assert plenty["least_bytes"] == plenty["total_bytes"], "a small data set takes less in memory than from disk"
    with api.database.transaction() as session:
        size = session.scalar(select(Dataset.size).where(Dataset.name == "digits"))
        session.execute(update(Dataset).where(Dataset.name == "digits").values(size=2**36))
    try:
        found, job = estimate(api, CNN), api.submit(**CNN, priority=100)
        claim = api.player.claim()
    finally:
        with api.database.transaction() as session:
            session.execute(update(Dataset).where(Dataset.name == "digits").values(size=size))
    memory = found["memory"]
    assert memory["least_bytes"] < 2**30 < 2**36 < memory["total_bytes"]
    assert found["verdict"]["fits"] is not False
    assert job["memory_bytes"] == memory["least_bytes"]
    assert (claim.lease.job_id, claim.in_memory_bytes) == (job["id"], memory["total_bytes"])


def play(api: Any, seconds_per_step: float, steps: int = 30, **fields: Any) -> str:
    """A job that took so long a step by the records, and succeeded."""
    job = api.submit(priority=100, **fields)
    claim = api.player.claim()
    data = {"step": 0, "steps_per_epoch": 21, "total_steps": steps, "threads": 1, "device": "cpu"}
    progress = {"step": steps, "total_steps": steps, "epoch": 1, "epochs": 1}
    with api.database.transaction() as session:
        record(session, claim.lease, [Event("started", "It trains.", data)], progress=progress)
    with api.database.transaction() as session:
        started = select(JobEvent.created_at).where(JobEvent.job_id == job["id"], JobEvent.type == "started")
        later = session.scalars(started).one() + timedelta(seconds=seconds_per_step * steps)
        session.execute(update(Job).where(Job.id == job["id"]).values(progress_at=later))
    api.player.finish(claim)
    return str(job["id"])


def test_times_come_from_the_jobs_before(api: Any) -> None:
    rnn = {"dataset": "digits", "network": {"family": "rnn", "hidden": 32}}
    unknown = estimate(api, {"dataset": "digits", "network": {"family": "rnn", "hidden": 32, "cell": "lstm"}})
    assert unknown["seconds_per_epoch"] is None and unknown["seconds_total"] is None and unknown["basis"] is None
    assert "no rnn network has trained here on cpu" in unknown["reason"]

    short = play(api, 5.0, steps=5, **rnn)  # seconds, and few steps: too little to judge by
    first = play(api, 0.1, **rnn)
    found = estimate(api, rnn)
    assert found["basis"] == {"match": "spec", "job": first} and short != first and found["reason"] is None
    # an epoch of 21 steps, ten of them in all
    assert found["seconds_per_epoch"] == pytest.approx(2.1)
    assert found["seconds_total"] == pytest.approx(10 * found["seconds_per_epoch"])

    other = estimate(api, {**rnn, "network": {"family": "rnn", "hidden": 64}})
    assert other["basis"] == {"match": "family", "job": first}
    ratio = other["flops_per_sample"] / found["flops_per_sample"]
    assert other["seconds_per_epoch"] == pytest.approx(found["seconds_per_epoch"] * ratio)

    large = play(api, 0.4, network={"family": "rnn", "hidden": 64}, hyperparameters={"batch_size": 32})
    batch = estimate(api, {**rnn, "network": {"family": "rnn", "hidden": 64}})
    assert batch["basis"] == {"match": "network", "job": large}
    assert estimate(api, {**rnn, "device": "cuda"})["seconds_per_epoch"] is None
