"""Uploads on both databases: from the first byte to the dataset, and to the network that is trained on it."""

import gzip
import io

import numpy as np
from PIL import Image
from safetensors.numpy import load
from stack import Stack
from uploaded import SIDE, folders, npz, pictures, put

from core import blobs
from core.db import Database


def test_a_file_becomes_a_dataset_that_can_be_looked_at_and_trained_on(service: Stack) -> None:
    stack = service
    job = put(stack, "lights", folders(), filename="lights.zip", source="made for this test")
    assert (job["kind"], job["network"], job["dataset"]) == ("ingest", None, None)
    assert job["ingest"]["dataset"] == "lights"
    ended = stack.ended(job["id"])
    assert ended["status"] == "succeeded", ended["error"]
    assert (ended["dataset"]["name"], ended["dataset"]["version"]) == ("lights", 1)
    assert [event["type"] for event in stack.events(job["id"], "queued", "claimed", "succeeded")] == [
        "queued", "claimed", "succeeded",
    ]  # fmt: skip
    dataset = stack.http.get("/v1/datasets/lights").json()
    assert dataset["classes"] == ["dark", "grey", "light"] and dataset["shape"] == [SIDE, SIDE, 1]
    assert dataset["splits"] == {"train": 48, "test": 12} and dataset["source"] == "made for this test"
    assert dataset["findings"]["samples"]["test"] == {"dark": 4, "grey": 4, "light": 4}

    samples = stack.http.get("/v1/datasets/lights/samples", params={"limit": 12}).json()["data"]
    for sample in samples:
        shown = stack.http.get(f"/v1/datasets/lights/samples/{sample['index']}/image")
        assert shown.headers["Content-Type"] == "image/png"
        pixels = np.asarray(Image.open(io.BytesIO(shown.content)))
        assert pixels.tolist() == sample["values"]
        assert ["dark", "grey", "light"][round((pixels.mean() - 20) / 60)] == sample["label"]
    assert stack.http.get("/v1/datasets/lights/samples/12/image").status_code == 404
    assert stack.http.get("/v1/datasets/lights/samples?split=validation").status_code == 404

    spec = {"dataset": "lights", "model": "lights", "network": {"family": "cnn"}, "hyperparameters": {"epochs": 20}}
    trained = stack.ended(stack.submit(spec))
    assert trained["result"]["test"]["accuracy"] == 1.0
    answer = stack.http.post(
        "/v1/models/lights:predict", content=shown.content, headers={"Content-Type": "image/png"}
    ).json()
    assert answer["predictions"][0]["class"] == samples[-1]["label"]

    listed = stack.http.get("/v1/jobs", params={"kind": "ingest"}).json()["data"]
    assert job["id"] in [one["id"] for one in listed] and {one["kind"] for one in listed} == {"ingest"}


def test_equal_files_are_one_version_and_others_the_next(service: Stack) -> None:
    stack = service
    made = pictures()
    first, second = npz(**made), npz(**{**made, "x": 255 - made["x"]})
    versions = []
    for data in (first, first, second, first):
        ended = stack.ended(put(stack, "versions", data, filename="a.npz")["id"])
        assert ended["status"] == "succeeded", ended["error"]
        versions.append(ended["dataset"]["version"])
    assert versions == [1, 1, 2, 1]


def test_a_form_of_several_files_and_its_repetition(service: Stack) -> None:
    """The four files of a set as MNIST has them; the Idempotency-Key makes one job of two requests."""
    stack, made = service, pictures(100)
    parts = {"train": slice(0, 80), "t10k": slice(80, 100)}
    files = []
    for name, part in parts.items():
        images = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (len(made["y"][part]), SIDE, SIDE))
        labels = bytes([0, 0, 8, 1]) + len(made["y"][part]).to_bytes(4, "big")
        files.append(("file", (f"{name}-images-idx3-ubyte.gz", gzip.compress(images + made["x"][part].tobytes()))))
        files.append(("file", (f"{name}-labels-idx1-ubyte", labels + made["y"][part].astype(np.uint8).tobytes())))
    fields, headers = {"name": "idx", "kind": "image"}, {"Idempotency-Key": "once"}
    answers = [stack.http.post("/v1/datasets", data=fields, files=files, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    other = stack.http.post("/v1/datasets", data={**fields, "seed": "1"}, files=files, headers=headers)
    assert other.status_code == 422 and other.json()["code"] == "idempotency_mismatch"
    ended = stack.ended(answers[0].json()["id"])
    assert ended["status"] == "succeeded", ended["error"]
    assert ended["result"]["splits"] == {"train": 80, "test": 20}


def test_only_what_nobody_uses_is_deleted(service: Stack) -> None:
    stack = service
    made, ingests = pictures(), []
    for number in range(2):
        data = npz(x=made["x"] ^ np.uint8(number), y=made["y"])
        ingests.append(stack.ended(put(stack, "used", data, filename="a.npz")["id"])["id"])
    job = stack.ended(stack.submit({"dataset": "used@1", "network": {"family": "rnn", "hidden": 4}}))
    refusals = {"used": 422, "used@1": 409, "digits@1": 409, "used@9": 404}
    assert {name: stack.http.delete(f"/v1/datasets/{name}").status_code for name in refusals} == refusals
    assert stack.http.delete("/v1/datasets/used@2").status_code == 204
    assert stack.http.get("/v1/datasets/used").json()["version"] == 1
    assert stack.http.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert stack.http.delete("/v1/datasets/used@1").status_code == 204
    assert stack.http.get("/v1/datasets/used").status_code == 404
    assert [stack.job(one)["dataset"] for one in ingests] == [None, None]


def test_the_file_of_a_dataset_is_plain_safetensors(service: Stack) -> None:
    stack, made = service, pictures()
    ended = stack.ended(put(stack, "plain", npz(**made), filename="a.npz")["id"])
    sha256 = stack.http.get(f"/v1/datasets/{ended['dataset']['id']}").json()["sha256"]
    database = Database(stack.database_url)
    try:
        tensors = load(b"".join(blobs.read(database, sha256)))
    finally:
        database.close()
    inputs = np.concatenate([tensors["train.inputs"], tensors["test.inputs"]])
    assert sorted(map(bytes, inputs)) == sorted(map(bytes, made["x"]))
