"""Uploads that are refused, or that break off, on both databases: nothing of them stays."""

import socket
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from stack import PATIENCE, until

from core.db import Database
from core.tables import Blob, BlobChunk


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


def unpublished(database: Database) -> int:
    """Chunks of blobs that nobody can read yet."""
    with database.reading() as session:
        mine = select(func.count()).select_from(BlobChunk).join(Blob, Blob.id == BlobChunk.blob_id)
        return int(session.scalar(mine.where(Blob.sha256.is_(None))) or 0)


def test_an_upload_that_is_too_large_is_refused_wherever_that_shows(
    start_api: Any, database_url: str, migrated: Any
) -> None:
    database = migrated(database_url)
    url, _ = start_api(database_url, max_upload_bytes=3 * 2**20)
    try:
        with httpx.Client(base_url=url, timeout=PATIENCE) as http:
            for content in (bytes(4 * 2**20), iter([bytes(2**20)] * 4)):  # told beforehand, and found out on the way
                answer = http.put("/v1/datasets/large", content=content)
                assert answer.status_code == 413 and answer.json()["code"] == "payload_too_large"
            assert http.put("/v1/datasets/large", content=bytes(3 * 2**20)).status_code == 202
        assert unpublished(database) == 0
    finally:
        start_api.stop(url)
        database.close()


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
