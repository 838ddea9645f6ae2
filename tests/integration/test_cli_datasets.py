"""Data sets by the command line and the client, against the running service."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from stack import PATIENCE
from uploaded import pictures, png

from epochd import Client, EpochdError, archive
from epochd.cli import main

CLASSES = ("dark", "grey", "light")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of pictures for each class, as people have them."""
    made = pictures(60)
    for number, (pixels, label) in enumerate(zip(made["x"], made["y"], strict=True)):
        path = tmp_path / "My Lights" / CLASSES[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(pixels))
    return tmp_path / "My Lights"


def test_a_folder_is_added_shown_listed_and_deleted(run: Any, folder: Path) -> None:
    status, (made,) = run("datasets", "add", str(folder), "--source", "drawn", "--test", "0.25")
    assert status == 0
    assert (made["name"], made["version"], made["classes"]) == ("my-lights", 1, list(CLASSES))
    assert (made["splits"], made["source"]) == ({"train": 45, "test": 15}, "drawn")
    assert run("datasets", "show", "my-lights@1") == (0, [made])
    assert made["id"] in [each["id"] for each in run("datasets", "list")[1][0]]
    assert run("datasets", "add", str(folder), "--test", "0.25", "--source", "drawn")[1][0]["version"] == 1
    status, (refused,) = run("datasets", "delete", "my-lights")
    assert status == 1 and "my-lights@1" in refused["error"]["message"]
    assert run("datasets", "delete", "my-lights@1") == (0, [{"deleted": "my-lights@1"}])
    status, (gone,) = run("datasets", "show", "my-lights")
    assert (status, gone["error"]["code"]) == (1, "not_found")


def test_what_was_found_is_told_in_words(
    run: Any, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (folder / "dark" / "broken.png").write_bytes(png(pictures()["x"][0])[:60])
    run("datasets", "add", str(folder), "--name", "told", "--size", "6x6")
    capsys.readouterr()
    assert main(["datasets", "show", "told"]) == 0
    said = capsys.readouterr().out
    assert "told@1: image, 6x6x1" in said and "broken.png" in said
    assert main(["jobs"]) == 0 and "ingest" in capsys.readouterr().out


def test_a_refusal_is_told_with_its_file(run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cut.zip"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    status, (job,) = run("datasets", "add", str(path))
    assert (status, job["status"], job["error"]["code"]) == (1, "failed", "invalid_data")
    assert "cut.zip" in job["error"]["message"]
    assert run("datasets", "add", str(tmp_path / "none"))[0] == 1
    for wrong in (["--size", "6"], ["--name", "No Name"], ["--kind", "dream"]):
        assert run("datasets", "add", str(path), *wrong)[0] in (1, 2)


def test_the_client_uploads_several_files_with_progress(system: Any, tmp_path: Path) -> None:
    made = pictures(90)
    for name, part in (("train", slice(0, 60)), ("test", slice(60, 90))):
        lines = [["label", *(f"t{step}" for step in range(20))]]
        lines += [
            [label, *row] for label, row in zip(made["y"][part], made["x"][part].reshape(-1, 144)[:, :20], strict=True)
        ]
        (tmp_path / f"{name}.csv").write_text("".join(",".join(map(str, line)) + "\n" for line in lines))
    told: list[tuple[int, int]] = []
    with Client(system.url) as client:
        paths = [tmp_path / "train.csv", tmp_path / "test.csv"]
        job = client.upload("rows", *paths, progress=lambda sent, whole: told.append((sent, whole)))
        job = client.wait(job["id"], PATIENCE)
        assert job["status"] == "succeeded", job["error"]
        assert job["dataset"] is not None
        dataset = client.dataset(job["dataset"]["id"])
        assert (dataset["kind"], dataset["shape"], dataset["splits"]) == ("series", [20, 1], {"train": 60, "test": 30})
        first = next(client.samples("rows", split="train"))
        assert first["values"] == [float(value) for value in made["x"][0].ravel()[:20]]
    assert told[-1][0] == told[-1][1] and sorted(told) == told


def test_the_same_files_make_the_same_archive(folder: Path, tmp_path: Path) -> None:
    """As long as is told beforehand, and one that others can read."""
    long = folder / "dark" / ("x" * 200 + ".png")
    long.write_bytes(b"1234")
    source = archive.gather([folder])
    data = b"".join(archive.read(source))
    assert len(data) == source.size and data == b"".join(archive.read(archive.gather([folder])))
    with tarfile.open(fileobj=io.BytesIO(data)) as found:
        names = {entry.name: found.extractfile(entry).read() for entry in found}  # type: ignore[union-attr]
    assert names[f"My Lights/dark/{long.name}"] == b"1234"
    assert len(names) == 61
    long.write_bytes(b"12345")
    with pytest.raises(EpochdError, match="changed while it was read"):
        list(archive.read(source))
    assert archive.gather([long]).size == 5
    (tmp_path / "nothing").mkdir()
    with pytest.raises(EpochdError, match="there are no files"):
        archive.gather([tmp_path / "nothing"])
