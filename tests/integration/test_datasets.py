"""Uploads on both databases: from the first byte to the dataset, and whatever may go wrong on the way."""

import gzip
import io
import socket
import tarfile
import threading
import zipfile
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load
from sqlalchemy import func, select
from stack import Stack, until

from core import blobs
from core.db import Database
from core.tables import Blob, BlobChunk, JobInput

SIDE = 12
LONG: dict[str, Any] = {
    "dataset": "digits",
    "network": {"family": "cnn"},
    "data": {"resize": [28, 28]},
    "hyperparameters": {"epochs": 10_000},
}


def pictures(count: int = 120, classes: int = 3) -> dict[str, NDArray[Any]]:
    """Pictures whose class is how bright they are."""
    random = np.random.default_rng(7)
    labels = np.arange(count) % classes
    noise = random.integers(0, 40, (count, SIDE, SIDE, 1))
    return {"x": (noise + 60 * labels[:, None, None, None]).astype(np.uint8), "y": labels.astype(np.int64)}


def npz(**arrays: NDArray[Any]) -> bytes:
    data = io.BytesIO()
    np.savez(data, **arrays)
    return data.getvalue()


def png(pixels: NDArray[Any]) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(data, "PNG")
    return data.getvalue()


def folders(count: int = 60) -> bytes:
    """A zip with a folder of pictures for each class."""
    made, data = pictures(count), io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for number, (pixels, label) in enumerate(zip(made["x"], made["y"], strict=True)):
            archive.writestr(f"set/{['dark', 'grey', 'light'][label]}/{number}.png", png(pixels))
    return data.getvalue()


def put(stack: Stack, name: str, data: bytes, **query: Any) -> dict[str, Any]:
    answer = stack.http.put(f"/v1/datasets/{name}", content=data, params=query)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    return job


def test_a_file_becomes_a_dataset_that_can_be_looked_at_and_trained_on(api_and_worker: Stack) -> None:
    stack = api_and_worker
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


def test_equal_files_are_one_version_and_others_the_next(api_and_worker: Stack) -> None:
    stack = api_and_worker
    made = pictures()
    first, second = npz(**made), npz(**{**made, "x": 255 - made["x"]})
    versions = []
    for data in (first, first, second, first):
        ended = stack.ended(put(stack, "versions", data, filename="a.npz")["id"])
        assert ended["status"] == "succeeded", ended["error"]
        versions.append(ended["dataset"]["version"])
    assert versions == [1, 1, 2, 1]


def test_a_form_of_several_files_and_its_repetition(api_and_worker: Stack) -> None:
    """The four files of a set as MNIST has them; the Idempotency-Key makes one job of two requests."""
    stack, made = api_and_worker, pictures(100)
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


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"kind": "dream"}, "#/query/kind"),
        ({"test": "0.9"}, "#/query/test"),
        ({"height": "28"}, "#/query"),
        ({"pattern": "{name}_x"}, "#/query"),
        ({"colour": "red"}, "#/query/colour"),
        ({"channels": "2"}, "#/query/channels"),
        ({"filename": "a\0b"}, "#/query/filename"),
    ],
)
def test_a_wrong_option_is_refused_by_name(api: Any, query: dict[str, str], pointer: str) -> None:
    answer = api.http.put("/v1/datasets/refused", content=b"x", params=query)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_what_is_no_upload_is_refused(api: Any) -> None:
    assert api.http.put("/v1/datasets/No%20Name", content=b"x").json()["errors"][0]["pointer"] == "#/path/dataset"
    assert api.http.put("/v1/datasets/empty", content=b"").status_code == 422
    assert api.http.post("/v1/datasets", json={"name": "a"}).status_code == 415
    assert api.http.post("/v1/datasets", data={"name": "a"}, files={"other": b""}).status_code == 202
    no_file = api.http.post("/v1/datasets", files={"name": (None, "a")})
    assert no_file.json()["errors"] == [
        {"pointer": "#/file", "detail": "there is no file in the form; send them as parts named file"}
    ]
    broken = {"Content-Type": "multipart/form-data; boundary=b"}
    for body in (b"nonsense", b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'):
        answer = api.http.post("/v1/datasets", content=body, headers=broken)
        assert answer.status_code == 422 and "form" in answer.json()["detail"], answer.text
    wrong = api.http.post("/v1/datasets", data={"name": "a", "test": "lots"}, files={"file": b"x"})
    assert wrong.json()["errors"][0]["pointer"] == "#/test"


def test_an_upload_that_is_too_large_is_refused_wherever_that_shows(
    start_api: Any, database_url: str, migrated: Any
) -> None:
    database = migrated(database_url)
    url, _ = start_api(database_url, max_upload_bytes=3 * 2**20)
    import httpx

    try:
        with httpx.Client(base_url=url) as http:
            for content in (bytes(4 * 2**20), iter([bytes(2**20)] * 4)):  # told beforehand, and found out on the way
                answer = http.put("/v1/datasets/large", content=content)
                assert answer.status_code == 413 and answer.json()["code"] == "payload_too_large"
            assert http.put("/v1/datasets/large", content=bytes(3 * 2**20)).status_code == 202
        assert unpublished(database) == 0
    finally:
        start_api.stop(url)
        database.close()


def unpublished(database: Database) -> int:
    """Chunks of blobs that nobody can read yet."""
    with database.reading() as session:
        mine = select(func.count()).select_from(BlobChunk).join(Blob, Blob.id == BlobChunk.blob_id)
        return int(session.scalar(mine.where(Blob.sha256.is_(None))) or 0)


def test_an_upload_that_breaks_off_leaves_nothing(api: Any) -> None:
    """The client dies after 3 of 4 MiB, by both ways of sending."""
    boundary = "Content-Type: multipart/form-data; boundary=b\r\n"
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    host = api.url.removeprefix("http://")
    for line, more, begin in (("PUT /v1/datasets/broken", "", b""), ("POST /v1/datasets", boundary, form)):
        with socket.create_connection(host.split(":")) as connection:
            head = f"{line} HTTP/1.1\r\nHost: {host}\r\n{more}Content-Length: {4 * 2**20}\r\n\r\n"
            connection.sendall(head.encode() + begin + bytes(3 * 2**20))
            until(lambda: unpublished(api.database) > 0, "the first MiB to be stored")
        until(lambda: unpublished(api.database) == 0, "the rest of the upload to be deleted")
    assert api.http.get("/v1/datasets", params={"name": "broken"}).json()["data"] == []


def test_a_training_does_not_hold_up_an_upload(api_and_worker: Stack) -> None:
    """The worker has one slot, and it is taken."""
    stack = api_and_worker
    long = [stack.submit(LONG) for _ in range(2)]
    until(lambda: stack.job(long[0])["status"] == "running", "the training to start")
    ended = stack.ended(put(stack, "aside", npz(**pictures()), filename="a.npz")["id"], 20)
    assert ended["status"] == "succeeded", ended["error"]
    (worker,) = (one for one in stack.http.get("/v1/workers").json()["data"] if one["status"] == "online")
    assert (worker["slots"], worker["busy"]) == (1, 1)
    assert [stack.job(one)["status"] for one in long] == ["running", "queued"]
    assert stack.job(long[1])["queue"]["position"] == 1
    for one in long:
        stack.http.post(f"/v1/jobs/{one}/cancel")
        stack.ended(one)


def test_uploads_of_one_name_at_once_get_numbers_of_their_own(api_and_worker: Stack) -> None:
    stack = api_and_worker
    stack.start_worker()
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


def test_a_refusal_says_what_is_wrong_and_leaves_nothing(api_and_worker: Stack) -> None:
    stack = api_and_worker
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
    assert [list(folder.glob("job_*")) for folder in stack.scratch_folders()] == [[]]
    paused = stack.http.post(f"/v1/jobs/{job['id']}/pause")
    assert paused.status_code == 409


def large() -> bytes:
    """A tar of pictures so large that reading them takes a while."""
    encoded = [png(np.full((1000, 1000, 1), shade, np.uint8)) for shade in range(30)]
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for number in range(300):
            info = tarfile.TarInfo(f"{number % 3}/{number}.png")
            info.size = len(encoded[number % 30])
            archive.addfile(info, io.BytesIO(encoded[number % 30]))
    return data.getvalue()


TINY = {"filename": "large.tar", "height": 8, "width": 8}


@pytest.mark.parametrize("part", ["child", "worker", "stopped"])
def test_an_ingest_that_is_killed_begins_anew(api_and_worker: Stack, part: str) -> None:
    stack = api_and_worker
    job = put(stack, f"killed-{part}", large(), **TINY)
    child = stack.child(job["id"])
    until(lambda: stack.job(job["id"])["progress"], "the ingest to be under way")
    assert stack.job(job["id"])["status"] == "running", "the set is too small to be caught in the middle"
    if part == "child":
        child.kill()
    else:
        stack.started[1].kill() if part == "worker" else stack.started[1].stop()
        until(lambda: not child.is_running(), "the child to be gone")
        stack.start_worker()
    ended = stack.ended(job["id"])
    assert ended["status"] == "succeeded", ended["error"]
    assert (ended["attempt"], ended["result"]["splits"]) == (2, {"train": 240, "test": 60})


def test_an_ingest_is_cancelled(api_and_worker: Stack) -> None:
    stack = api_and_worker
    job = put(stack, "unwanted", large(), **TINY)
    child = stack.child(job["id"])
    assert stack.http.post(f"/v1/jobs/{job['id']}/pause").status_code == 409
    assert stack.http.post(f"/v1/jobs/{job['id']}/cancel").status_code == 202
    assert stack.ended(job["id"])["status"] == "cancelled"
    assert not child.is_running()
    assert stack.http.get("/v1/datasets/unwanted").status_code == 404


def test_only_what_nobody_uses_is_deleted(api_and_worker: Stack) -> None:
    stack = api_and_worker
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


def test_the_file_of_a_dataset_is_plain_safetensors(api_and_worker: Stack) -> None:
    stack, made = api_and_worker, pictures()
    ended = stack.ended(put(stack, "plain", npz(**made), filename="a.npz")["id"])
    sha256 = stack.http.get(f"/v1/datasets/{ended['dataset']['id']}").json()["sha256"]
    database = Database(stack.database_url)
    try:
        tensors = load(b"".join(blobs.read(database, sha256)))
    finally:
        database.close()
    inputs = np.concatenate([tensors["train.inputs"], tensors["test.inputs"]])
    assert sorted(map(bytes, inputs)) == sorted(map(bytes, made["x"]))
