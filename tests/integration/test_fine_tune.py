"""``fine_tune_from``: over HTTP, from the submission to the version that it makes."""

import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from core import blobs
from core.catalog import datasets
from core.catalog.datasets import NewDataset
from core.db import Database
from core.encode import digits as builder

NETWORK: dict[str, Any] = {"family": "cnn", "stages": [{"channels": 8}], "hidden": [32]}
TRAINING: dict[str, Any] = {"dataset": "digits", "network": NETWORK, "hyperparameters": {"epochs": 2}, "seed": 1}


def add_parity(database: Database, name: str = "parity") -> None:
    """The digits' images with two classes."""
    tensors = load(builder.build())
    for split in ("train", "test"):
        tensors[f"{split}.targets"] = tensors[f"{split}.targets"] % 2
    manifest: dict[str, Any] = {**builder.MANIFESTS["digits"], "classes": ["even", "odd"], "source": "test"}
    sha256, size = blobs.write(database, [save(tensors, metadata={"manifest": json.dumps(manifest)})])
    splits = {split: len(tensors[f"{split}.targets"]) for split in ("train", "test")}
    with database.transaction() as session:
        datasets.add(session, None, NewDataset(name=name, splits=splits, size=size, sha256=sha256, **manifest))


def weights(system: Any, job: dict[str, Any]) -> dict[str, Any]:
    """A job's best weights."""
    (best,) = [one for one in system.checkpoints(job["id"]) if one["best"]]
    return load(system.http.get(f"/v1/jobs/{job['id']}/checkpoints/{best['id']}/weights").content)


def first_validation(system: Any, job: dict[str, Any]) -> float:
    return float(system.metrics(job["id"])["validation_accuracy"][0][1])


@pytest.fixture(scope="module")
def base(system: Any) -> dict[str, Any]:
    """A job that made version 1 of the model ``base``."""
    job = system.ended(system.submit({**TRAINING, "model": "base", "hyperparameters": {"epochs": 8}}))
    assert job["status"] == "succeeded", job["error"]
    assert job["fine_tune_from"] is None
    return dict(job)


def test_the_same_classes_start_where_the_version_ended(system: Any, base: dict[str, Any]) -> None:
    scratch = system.ended(system.submit(TRAINING))
    tuned = system.ended(system.submit({**TRAINING, "fine_tune_from": "base", "model": "tuned"}))
    assert tuned["status"] == "succeeded", tuned["error"]
    assert tuned["fine_tune_from"] == "base:1"
    assert first_validation(system, tuned) > first_validation(system, scratch) + 0.02
    version = system.http.get("/v1/models/tuned/versions/1").json()
    assert (version["fine_tune_from"], version["ready"]) == ("base:1", True)
    assert system.http.get("/v1/models/base/versions/1").json()["fine_tune_from"] is None


def test_other_classes_get_a_head_of_their_own(system: Any, base: dict[str, Any]) -> None:
    database = Database(system.database_url)
    add_parity(database)
    database.close()
    still = {"steps": 1, "optimizer": {"name": "sgd", "lr": 1e-9}}  # so that what it started from can be seen
    spec = {**TRAINING, "dataset": "parity", "hyperparameters": still, "fine_tune_from": "base:1", "model": "parity"}
    tuned = system.ended(system.submit(spec))
    assert tuned["status"] == "succeeded", tuned["error"]
    assert tuned["layers"][-1]["output"] == [2] and tuned["result"]["classes"] == ["even", "odd"]
    before, after = weights(system, base), weights(system, tuned)
    head = tuned["layers"][-1]["name"]
    assert before.keys() == after.keys() and after[f"{head}.weight"].shape == (2, 32)
    for name in after:
        if not name.startswith(f"{head}."):
            assert np.abs(after[name] - before[name]).max() < 1e-6, name
    sample = system.http.get("/v1/datasets/parity/samples").json()["data"][0]
    answer = system.http.post("/v1/models/parity:predict", json={"inputs": [sample["values"]]}).json()
    assert answer["predictions"][0]["class"] in ("even", "odd")


def test_an_alias_is_pinned_when_the_job_is_accepted(api: Any) -> None:
    api.player.train("pinned")
    api.player.train("pinned")
    alias = "/v1/models/pinned/aliases/best"
    moved = api.http.put(alias, json={"version": 1})
    job = api.submit(fine_tune_from="pinned@best")
    assert job["fine_tune_from"] == "pinned:1"
    assert api.http.put(alias, json={"version": 2}, headers={"If-Match": moved.headers["ETag"]}).status_code == 200
    assert api.http.get(f"/v1/jobs/{job['id']}").json()["fine_tune_from"] == "pinned:1"
    claim = api.player.claim()
    assert claim.start is not None and claim.start.keep_head
    versions = {number: api.http.get(f"/v1/models/pinned/versions/{number}").json() for number in (1, 2)}
    assert claim.start.weights_sha256 == versions[1]["weights_sha256"]
    newest = api.submit(fine_tune_from="pinned")
    assert newest["fine_tune_from"] == "pinned:2"
    api.player.claim()


def test_other_names_for_as_many_classes_are_other_classes(api: Any) -> None:
    add_parity(api.database, "parity-one")
    api.player.train("told", dataset="parity-one")
    add_twins = NewDataset(
        name="twins",
        kind="image",
        shape=[8, 8, 1],
        dtype="uint8",
        classes=["no", "yes"],
        splits={"train": 1437, "test": 360},
        source="test",
        size=1,
        sha256=blobs.write(api.database, [b"never read"])[0],
    )
    with api.database.transaction() as session:
        datasets.add(session, None, add_twins)
    api.submit(dataset="twins", fine_tune_from="told")
    claim = api.player.claim()
    assert claim.start is not None and not claim.start.keep_head


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"fine_tune_from": "nobody"}, "#/fine_tune_from", "there is no model 'nobody'"),
        ({"fine_tune_from": "start:9"}, "#/fine_tune_from", "no version 9"),
        ({"fine_tune_from": "start@none"}, "#/fine_tune_from", "no alias 'none'"),
        ({"fine_tune_from": "Start!"}, "#/fine_tune_from", "match"),
        ({"fine_tune_from": 1}, "#/fine_tune_from", "string"),
        ({"network": {"family": "cnn", "stages": [{"channels": 4}]}}, "#/network/family", "start:1 is a rnn"),
        ({"network": {"family": "rnn", "hidden": 9}}, "#/network", "hidden 9"),
        ({"network": {"family": "rnn", "hidden": 8, "cell": "gru"}}, "#/network", "gru"),
        ({"network": {"family": "rnn", "hidden": 8, "layers": 2}}, "#/network", "layers 2"),
        ({"dataset": "digits-rows"}, "#/dataset", "8x8 numbers and those of start:1 are 8x8x1"),
        ({"data": {"resize": [8, 12]}}, "#/network", "rows 1 to 12 and is rows 1 to 8"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_a_start_is_refused(api: Any, fields: dict[str, Any], pointer: str, words: str) -> None:
    if api.http.get("/v1/models/start").status_code == 404:
        api.player.train("start")
    body = {"dataset": "digits", "network": {"family": "rnn", "hidden": 8}, "fine_tune_from": "start", **fields}
    answer = api.http.post("/v1/jobs", json=body)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert words in error["detail"], error["detail"]
