"""``POST /v1/jobs/{id}/replay``: a training is done again from what is stored of it, and the weights are compared."""

from collections.abc import Callable, Iterator
from typing import Any

import more_digits
import pytest
from sqlalchemy import select
from stack import Stack

from core import jobs
from core.db import Database
from core.specs import IngestJob
from core.tables import Job

NETWORK: dict[str, Any] = {"family": "cnn", "stages": [{"channels": 4}], "hidden": [16], "dropout": 0.2}
SHORT: dict[str, Any] = {"dataset": "digits", "network": NETWORK, "hyperparameters": {"steps": 30}, "seed": 5}


def alter(database: Database, job_id: str, change: Callable[[Job], None]) -> None:
    """Change what is stored of a job."""
    with database.transaction() as session:
        change(session.scalars(select(Job).where(Job.id == job_id)).one())


def other_hash(job: Job) -> None:
    job.result = {**(job.result or {}), "weights_sha256": "0" * 64}


def on_a_gpu(job: Job) -> None:
    job.result = {**(job.result or {}), "environment": {"device": "cuda"}}


def two_threads(job: Job) -> None:
    job.threads = 2


def replay(stack: Any, job_id: str) -> dict[str, Any]:
    """Ask for a replay; the job once it has succeeded."""
    answer = stack.http.post(f"/v1/jobs/{job_id}/replay")
    assert answer.status_code == 202, answer.text
    job = stack.ended(answer.json()["id"])
    assert job["status"] == "succeeded", job["error"]
    return dict(job)


@pytest.fixture
def database(service: Stack) -> Iterator[Database]:
    """The service's own."""
    one = Database(service.database_url)
    yield one
    one.close()


def test_a_replay_makes_the_same_weights_and_no_model(service: Stack, database: Database) -> None:
    more_digits.add(database, "mine", 0)
    for seed in (1, 2):
        assert service.ended(service.submit({**SHORT, "model": "base", "seed": seed}))["status"] == "succeeded"
        spec = {**SHORT, "dataset": "mine", "model": "tuned", "fine_tune_from": "base", "priority": 3}
        if seed == 1:
            original = service.ended(service.submit({**spec, "hyperparameters": {"seconds": 0.3}}))
    assert original["status"] == "succeeded" and original["replay_of"] is None, original["error"]
    more_digits.add(database, "mine", 100)  # from now on the name means other samples, and base other weights

    headers = {"Idempotency-Key": "once"}
    answers = [service.http.post(f"/v1/jobs/{original['id']}/replay", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].headers["Location"] == answers[1].headers["Location"] == f"/v1/jobs/{answers[0].json()['id']}"
    job = service.ended(answers[0].json()["id"])
    assert job["status"] == "succeeded", job["error"]
    assert (job["replay_of"], job["model"], job["fine_tune_from"]) == (original["id"], None, "base:1")
    assert job["dataset"] == original["dataset"] and job["dataset"]["version"] == 1
    assert job["result"]["steps"] == original["result"]["steps"]
    sha256 = original["result"]["weights_sha256"]
    compared = {"of": original["id"], "match": True, "differences": []}
    assert job["result"]["replay"] == {**compared, "weights_sha256": sha256, "original_sha256": sha256}
    assert job["result"]["weights_sha256"] == sha256
    (event,) = service.events(job["id"], "replay")
    assert event["message"] == f"The weights are those of {original['id']}, bit for bit."
    assert (event["level"], event["data"]) == ("info", job["result"]["replay"])
    assert len(service.http.get("/v1/models/tuned/versions").json()["data"]) == 1
    other = service.http.post(f"/v1/jobs/{job['id']}/replay", headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_another_thread_count_is_named(service: Stack, database: Database) -> None:
    original = service.ended(service.submit(SHORT))
    alter(database, original["id"], two_threads)
    job = replay(service, original["id"])
    assert job["threads"] == 2
    found = job["result"]["replay"]
    assert (found["match"], found["differences"]) == (False, ["threads was 1 and is 2"])
    assert found["weights_sha256"] == job["result"]["weights_sha256"] != found["original_sha256"]
    (event,) = service.events(job["id"], "replay")
    assert event["message"] == f"The weights differ from those of {original['id']}: threads was 1 and is 2."
    assert event["level"] == "warning"


def test_a_replay_of_a_replay_is_one_of_the_original_also_when_that_is_gone(service: Stack, database: Database) -> None:
    original = service.ended(service.submit(SHORT))
    alter(database, original["id"], other_hash)
    first = replay(service, original["id"])
    assert first["result"]["weights_sha256"] == original["result"]["weights_sha256"]
    assert (first["result"]["replay"]["match"], first["result"]["replay"]["differences"]) == (False, [])
    assert "though all was the same" in service.events(first["id"], "replay")[0]["message"]
    assert service.http.delete(f"/v1/jobs/{original['id']}").status_code == 204
    second = replay(service, first["id"])
    assert second["replay_of"] == original["id"]
    assert second["result"]["replay"] == first["result"]["replay"]


def test_what_has_no_weights_to_compare_with_is_refused(api: Any) -> None:
    def refusal(job_id: str) -> str:
        answer = api.http.post(f"/v1/jobs/{job_id}/replay", headers={"Idempotency-Key": "refused"})
        assert answer.status_code == 409, answer.text
        return str(answer.json()["detail"])

    job = api.submit()["id"]
    assert refusal(job).startswith("the job is queued; only a training that succeeded")
    claim = api.player.claim()
    assert refusal(job).startswith("the job is running")
    with api.database.transaction() as session:
        jobs.fail(session, claim.lease, {"code": "diverged", "message": "It diverged.", "retryable": False})
        ingest = jobs.submit_ingest(session, "default", IngestJob(dataset="new"), []).id
    assert refusal(job).startswith("the job is failed")
    assert refusal(ingest) == "only trainings can be replayed, and this job is of the kind ingest"
    done, elsewhere = (api.player.train().job_id for _ in range(2))
    alter(api.database, elsewhere, on_a_gpu)
    assert refusal(elsewhere) == "no worker can run this job again: it needs cuda and worker player has cpu"
    assert api.http.post("/v1/jobs/job_1/replay").status_code == 404

    # nothing was made of what was refused, and its key is free
    again = api.http.post(f"/v1/jobs/{done}/replay", headers={"Idempotency-Key": "refused"})
    assert (again.status_code, again.json()["replay_of"]) == (202, done), again.text
    claim = api.player.claim()
    assert claim.lease.job_id == again.json()["id"]
    api.player.finish(claim)
    found = api.http.get(f"/v1/jobs/{claim.lease.job_id}").json()["result"]["replay"]
    assert (found["match"], found["differences"]) == (True, ["the original's libraries and hardware were not noted"])
    events = api.http.get(f"/v1/jobs/{claim.lease.job_id}/events", params={"order": "desc"}).json()["data"]
    assert "bit for bit, though the original's libraries" in next(
        one["message"] for one in events if one["type"] == "replay"
    )


def test_the_command_says_whether_the_weights_match(
    run: Callable[..., Any], system: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    from epochd.cli import main

    job_id = system.ended(system.submit(SHORT))["id"]
    status, lines = run("replay", job_id)
    assert status == 0 and lines[-1]["result"]["replay"]["match"] is True
    assert [line["type"] for line in lines[:-1] if line["object"] == "event"][-2:] == ["replay", "succeeded"]
    database = Database(system.database_url)
    alter(database, job_id, two_threads)
    database.close()
    assert main(["replay", job_id]) == 6
    shown = capsys.readouterr().err
    assert f"Different weights than {job_id}" in shown and "threads was 1 and is 2" in shown
