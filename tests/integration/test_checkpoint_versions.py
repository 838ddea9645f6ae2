"""Model versions of checkpoints, on both databases: also of a training that nobody let come to its end."""

from typing import Any

import numpy as np
import pytest
from stack import Stack, until

NETWORK = {"family": "rnn", "cell": "gru", "hidden": 16}


@pytest.fixture(scope="module")
def cancelled(service: Stack) -> str:
    """A training that was cancelled after a while; its id."""
    endless = {"steps": 100_000_000, "batch_size": 32}
    spec = {"dataset": "digits", "network": NETWORK, "hyperparameters": endless, "checkpoint_seconds": 0.3}
    job_id = service.submit(spec)
    until(lambda: len(service.checkpoints(job_id)) > 0, "a checkpoint")
    service.http.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()
    assert service.ended(job_id)["status"] == "cancelled"
    return job_id


def make(service: Stack, name: str, checkpoint: str, **headers: str) -> Any:
    return service.http.post(f"/v1/models/{name}/versions", json={"checkpoint": checkpoint}, headers=headers)


def measured(service: Stack, reference: str) -> float:
    """The accuracy on all samples of the test split, asked over HTTP."""
    right, total, after = 0, 0, ""
    while True:
        query = {"split": "test", "limit": 100, **({"after": after} if after else {})}
        page = service.http.get("/v1/datasets/digits/samples", params=query).json()
        body = {"inputs": [one["values"] for one in page["data"]]}
        said = service.http.post(f"/v1/models/{reference}:predict", json=body).json()["predictions"]
        right += sum(one["class"] == sample["label"] for one, sample in zip(said, page["data"], strict=True))
        total += len(said)
        if not page["has_more"]:
            return right / total
        after = page["next_cursor"]


def test_every_checkpoint_becomes_a_version(service: Stack, cancelled: str) -> None:
    kept = service.checkpoints(cancelled)
    for number, checkpoint in enumerate(kept, 1):
        accepted = make(service, "rescued", checkpoint["id"])
        assert accepted.status_code == 202, accepted.text
        job = accepted.json()
        assert accepted.headers["Location"] == f"/v1/jobs/{job['id']}"
        origin = {"job": cancelled, "checkpoint": checkpoint["id"], "step": checkpoint["step"]}
        assert (job["kind"], job["model"], job["evaluate"], job["network"]) == ("evaluate", "rescued", origin, None)
        ended = service.ended(job["id"])
        assert ended["status"] == "succeeded", ended["error"]
        assert (ended["model_version"], ended["result"]["stopped"]) == (number, "checkpoint")
        version = service.http.get(f"/v1/models/rescued/versions/{number}").json()
        assert version["ready"], version["reason"]
        assert (version["job"], version["checkpoint_step"]) == (cancelled, checkpoint["step"])
        assert version["weights_sha256"] == checkpoint["weights_sha256"]
        assert version["metrics"]["test"]["accuracy"] == pytest.approx(measured(service, f"rescued:{number}"))
        assert version["spec"]["network"]["hidden"] == 16
        assert service.events(job["id"], "version")[0]["data"]["version"] == number
        assert service.checkpoints(job["id"]) == []  # they stay where they are


def test_a_key_makes_one_version(service: Stack, cancelled: str) -> None:
    checkpoint = service.checkpoints(cancelled)[0]["id"]
    first, again = (make(service, "once", checkpoint, **{"Idempotency-Key": "one"}) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()["id"]) == (202, 202, first.json()["id"])
    assert make(service, "twice", checkpoint, **{"Idempotency-Key": "one"}).json()["code"] == "idempotency_mismatch"
    service.ended(first.json()["id"])
    assert service.http.get("/v1/models/once").json()["versions"] == 1
    assert service.http.post(f"/v1/jobs/{first.json()['id']}/pause").status_code == 409
    assert service.http.post(f"/v1/jobs/{first.json()['id']}/replay").status_code == 409


def test_the_best_checkpoint_gives_the_version_that_the_training_made(service: Stack) -> None:
    spec = {"dataset": "digits", "model": "same", "network": NETWORK, "hyperparameters": {"epochs": 3}}
    trained = service.ended(service.submit(spec))
    (best,) = (one for one in service.checkpoints(trained["id"]) if one["best"])
    ended = service.ended(make(service, "same", best["id"]).json()["id"])
    assert ended["status"] == "succeeded", ended["error"]
    one, two = (service.http.get(f"/v1/models/same/versions/{number}").json() for number in (1, 2))
    for field in ("weights_sha256", "onnx_sha256", "preprocessing", "parameters", "spec", "dataset", "job", "classes"):
        assert one[field] == two[field], field
    for split in ("validation", "test"):
        for name, value in one["metrics"][split].items():
            assert np.isclose(value, two["metrics"][split][name], rtol=1e-5), name
    service.http.delete(f"/v1/jobs/{trained['id']}").raise_for_status()
    assert make(service, "same", best["id"]).json()["errors"][0]["pointer"] == "#/checkpoint"
    assert service.http.get("/v1/models/same/versions/2").json()["job"] is None


@pytest.mark.parametrize(
    ("name", "checkpoint", "pointer"),
    [("rescued", "ckpt_0", "#/checkpoint"), ("rescued", "best", "#/checkpoint"), ("No", "ckpt_0", "#/path/name")],
)
def test_what_cannot_become_one(service: Stack, name: str, checkpoint: str, pointer: str) -> None:
    answer = make(service, name, checkpoint)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
