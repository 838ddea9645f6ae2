"""Predictions of whole data sets on both databases: submitted, answered by a worker, downloaded, deleted."""

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from stack import PATIENCE, Stack, until
from uploaded import npz, pictures, put

from core.db import Database
from core.predictions import AT_ONCE
from core.tables import Blob
from epochd import Client
from epochd.cli import main

CNN = {"family": "cnn", "stages": [{"channels": 8}], "hidden": [16]}
ASKED = {"kind": "predict", "model": "digits:1", "dataset": "digits"}  # another test makes a second version


@pytest.fixture(scope="module")
def digits(service: Stack) -> dict[str, Any]:
    """The job that trained version 1 of the model ``digits``."""
    spec = {"dataset": "digits", "model": "digits", "network": CNN, "hyperparameters": {"epochs": 4}}
    job = service.ended(service.submit(spec))
    assert job["status"] == "succeeded"
    return job


def answers(service: Stack, job_id: str) -> bytes:
    answer = service.http.get(f"/v1/jobs/{job_id}/predictions")
    assert answer.status_code == 200, answer.text
    return answer.content


def test_the_answers_are_those_of_predict(service: Stack, digits: dict[str, Any]) -> None:
    answer = service.http.post("/v1/jobs", json={**ASKED, "format": "jsonl", "metadata": {"why": "audit"}})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert job["predict"] == {"model": "digits:1", "split": "test", "format": "jsonl", "top": None}
    assert (job["kind"], job["dataset"]["name"], job["model"], job["layers"]) == ("predict", "digits", None, None)
    ended = service.ended(job["id"])
    assert ended["status"] == "succeeded", ended["error"]
    result = ended["result"]
    assert (result["model"], result["model_version"], result["rows"]) == ("digits", 1, 360)
    assert result["scores"]["accuracy"] == digits["result"]["test"]["accuracy"]
    assert result["confusion_matrix"] == digits["result"]["confusion_matrix"]

    content = answers(service, job["id"])
    assert (len(content), hashlib.sha256(content).hexdigest()) == (result["size_bytes"], result["sha256"])
    lines = [json.loads(line) for line in content.decode().splitlines()]
    samples: list[Any] = []
    after = ""
    while len(samples) < 360:
        page = service.http.get(f"/v1/datasets/digits/samples?split=test&limit=100{after}").json()
        samples += page["data"]
        after = f"&after={page['next_cursor']}"
    predictions: list[Any] = []
    for first in range(0, 360, AT_ONCE):
        body = {"inputs": [one["values"] for one in samples[first : first + AT_ONCE]]}
        predictions += service.http.post("/v1/models/digits:1:predict", json=body).json()["predictions"]
    for number, (line, sample, prediction) in enumerate(zip(lines, samples, predictions, strict=True)):
        assert line == {"split": "test", "row": number, "label": sample["label"], **prediction}

    types = [event["type"] for event in service.events(job["id"])]
    assert types == ["queued", "claimed", "stage", "succeeded"]
    listed = service.http.get("/v1/jobs", params={"kind": "predict", "metadata[why]": "audit"}).json()["data"]
    assert [one["id"] for one in listed] == [job["id"]]


def test_the_file_is_sent_whole_in_parts_and_not_twice(service: Stack, digits: dict[str, Any]) -> None:
    job = service.ended(service.submit({**ASKED, "top": 2}))
    path = f"/v1/jobs/{job['id']}/predictions"
    whole = service.http.get(path)
    assert whole.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert whole.headers["Content-Disposition"] == 'attachment; filename="digits-1-digits-1-test.csv"'
    assert len(list(csv.DictReader(io.StringIO(whole.text)))) == 360
    head = service.http.head(path)
    assert (head.headers["Content-Length"], head.content) == (str(len(whole.content)), b"")
    part = service.http.get(path, headers={"Range": "bytes=100-199", "If-Range": whole.headers["ETag"]})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    outside = service.http.get(path, headers={"Range": f"bytes={len(whole.content)}-"})
    assert (outside.status_code, outside.json()["code"]) == (416, "range_not_satisfiable")
    again = service.http.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert service.http.get(f"/v1/jobs/{digits['id']}/predictions").status_code == 404
    assert service.http.post(f"/v1/jobs/{job['id']}/replay").status_code == 409

    assert service.http.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert service.http.get(path).status_code == 404
    database = Database(service.database_url)
    with database.reading() as session:
        assert session.scalar(select(Blob).where(Blob.sha256 == job["result"]["sha256"])) is None
    database.close()


def test_a_data_set_lasts_as_long_as_its_answers(service: Stack, digits: dict[str, Any]) -> None:
    made = pictures(90, classes=3)
    small = {"x": made["x"][:, 2:10, 2:10] // 16, "y": made["y"]}
    assert service.ended(put(service, "lights", npz(**small), filename="lights.npz")["id"])["status"] == "succeeded"
    job = service.ended(service.submit({**ASKED, "dataset": "lights", "split": "all", "format": "npz"}))
    assert job["status"] == "succeeded", job["error"]
    arrays = np.load(io.BytesIO(answers(service, job["id"])), allow_pickle=False)
    assert (len(arrays["row"]), set(arrays["split"].tolist())) == (90, {"train", "test"})
    assert set(arrays["label"].tolist()) == {0, 1, 2}  # digits of these names are known to the model
    refused = service.http.delete("/v1/datasets/lights@1")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert service.http.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert service.http.delete("/v1/datasets/lights@1").status_code == 204


@pytest.mark.parametrize(
    ("change", "pointer", "sentence"),
    [
        ({"model": "nobody"}, "#/model", "there is no model 'nobody'"),
        ({"model": "digits:7"}, "#/model", "has no version 7"),
        ({"model": "digits@staging"}, "#/model", "has no alias 'staging'"),
        ({"dataset": "nothing"}, "#/dataset", "there is no dataset 'nothing'"),
        ({"dataset": "languages"}, "#/dataset", "reads image data for classification, and languages@1 is text"),
        ({"dataset": "digits-rows"}, "#/dataset", "digits-rows@1 is series"),
        ({"split": "validation"}, "#/split", "has no validation split of its own; it has train, test"),
        ({"split": "most"}, "#/split", "input should be"),
        ({"format": "xlsx"}, "#/format", "input should be"),
        ({"top": 0}, "#/top", "greater than or equal to 1"),
        ({"network": CNN}, "#/network", "there is no field 'network' here"),
        ({"kind": "dream"}, "#", "kind must be 'train' or 'predict'"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_is_refused(
    service: Stack, digits: dict[str, Any], change: dict[str, Any], pointer: str, sentence: str
) -> None:
    answer = service.http.post("/v1/jobs", json={**ASKED, **change})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert sentence in answer.json()["errors"][0]["detail"]


def test_the_version_is_the_one_that_the_alias_meant(service: Stack) -> None:
    spec = {"dataset": "digits", "model": "moving", "network": CNN}
    for number, length in enumerate(({"epochs": 4}, {"steps": 1}), 1):
        assert service.ended(service.submit({**spec, "hyperparameters": length}))["model_version"] == number
    assert service.http.put("/v1/models/moving/aliases/production", json={"version": 1}).status_code == 201
    asked = {**ASKED, "model": "moving@production", "checkpoint_seconds": 0}
    first = service.http.post("/v1/jobs", json=asked, headers={"Idempotency-Key": "one"})
    etag = service.http.get("/v1/models/moving/aliases/production").headers["ETag"]
    moved = service.http.put("/v1/models/moving/aliases/production", json={"version": 2}, headers={"If-Match": etag})
    assert moved.status_code == 200
    again = service.http.post("/v1/jobs", json=asked, headers={"Idempotency-Key": "one"})
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert service.ended(first.json()["id"])["result"]["model_version"] == 1
    later = service.ended(service.submit(asked))["result"]
    assert later["model_version"] == 2 and later["scores"]["accuracy"] < 0.5


def test_a_job_that_waits_is_paused_resumed_and_cancelled(service: Stack, digits: dict[str, Any]) -> None:
    endless = {"dataset": "digits", "network": CNN, "hyperparameters": {"steps": 10_000_000}}
    blocker = service.submit(endless)  # the one training slot is the one for predictions too
    until(lambda: service.job(blocker)["status"] == "running", "the blocker to run")
    waiting = service.submit(ASKED)
    assert service.http.get(f"/v1/jobs/{waiting}/predictions").status_code == 409
    assert service.job(waiting)["queue"]["position"] == 1
    assert service.http.post(f"/v1/jobs/{waiting}/pause").json()["status"] == "paused"
    assert service.http.post(f"/v1/jobs/{waiting}/resume").json()["status"] == "queued"
    assert service.http.post(f"/v1/jobs/{waiting}/cancel").json()["status"] == "cancelled"
    assert service.http.get(f"/v1/jobs/{waiting}/predictions").status_code == 409
    assert service.http.post(f"/v1/jobs/{blocker}/cancel").status_code == 202
    assert service.ended(blocker)["status"] == "cancelled"


def test_client_and_command(
    service: Stack, digits: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    with Client(service.url) as client:
        job = client.wait(client.predict_dataset("digits:1", "digits", format="npz", top=3)["id"], timeout=PATIENCE)
        result = client.download_predictions(job["id"], tmp_path / "it.npz")
    assert hashlib.sha256((tmp_path / "it.npz").read_bytes()).hexdigest() == result["sha256"]
    monkeypatch.setenv("EPOCHD_URL", service.url)
    target = tmp_path / "it.jsonl"
    assert main(["predict", "digits:1", "--dataset", "digits", "--to", str(target), "--top", "1"]) == 0
    assert "360 rows of test, accuracy" in capsys.readouterr().err
    assert len(target.read_text().splitlines()) == 360
    assert main(["predict", "digits:1", "--dataset", "digits", "--json"]) == 0
    queued = json.loads(capsys.readouterr().out)
    assert queued["predict"]["format"] == "csv"
    assert main(["watch", queued["id"]]) == 0
    assert main(["predictions", queued["id"], str(tmp_path / "late.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 360
    assert main(["jobs"]) == 0 and main(["jobs", queued["id"]]) == 0
    assert "predict" in capsys.readouterr().out
    for wrong in (["--to", "it.xlsx"], ["digit.png"]):
        assert main(["predict", "digits:1", "--dataset", "digits", *wrong]) == 2
    assert main(["predict", "digits:1"]) == 2
    assert main(["predictions", digits["id"], str(tmp_path / "none.csv")]) == 1
