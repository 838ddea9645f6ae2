"""Damaged uploads of every container: each is read or refused, and nothing else ever happens."""

import gzip
import io
import json
import random
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingesting import Files, folders, idx, images, ingested, npz, packed_tar, packed_zip, picture, ts
from recordings import encoded, tone

from core.ingest import Refused

GENERATOR = np.random.default_rng(11)
TARGETS = np.arange(20) % 3
ROWS = "".join(f'{"ab"[number % 2]},"text ""{number}"""\r\n' for number in range(20))
SERIES = "".join(f"{number % 2},{number}.5,1e{number}\n" for number in range(20))
HOURS = "".join(f"2024-01-01 {number:02d}:00,{number}.5,1e{number}\n" for number in range(20))
CONTAINERS: dict[str, Files] = {
    "zip": {"a.zip": packed_zip({**folders(3), "cat/x.jpg": picture(9, form="JPEG")})},
    "tar.gz": {"a.tar.gz": packed_tar(folders(3))},
    "tar": {"a.tar": packed_tar(folders(3), "w")},
    "png": folders(3, form="PNG"),
    "jpeg": folders(3, form="JPEG"),
    "bmp": folders(3, form="BMP"),
    "webp": folders(3, form="WEBP", mode="RGB"),
    "idx": {
        "train-images-idx3-ubyte": idx(images(20, 5, 4)),
        "train-labels-idx1-ubyte.gz": gzip.compress(idx(TARGETS)),
    },
    "npz": {"a.npz": npz(x=images(20, 5, 4), y=TARGETS)},
    "stored npz": {"a.npz": npz(False, x=GENERATOR.normal(size=(20, 3)), y=np.array(["a", "b", "c"])[TARGETS])},
    "csv": {"a.csv": f"label,text\r\n{ROWS}".encode()},
    "csv.gz": {"a.csv.gz": gzip.compress(f"label,text\r\n{ROWS}".encode())},
    "series": {"train.csv": f"label,t0,t1\n{SERIES}".encode(), "test.csv": f"label,t0,t1\n{SERIES}".encode()},
    "jsonl": {"a.jsonl": "".join(json.dumps({"y": one % 3, "text": f"t{one}"}) + "\n" for one in range(20)).encode()},
    "ts": {"a.ts": ts(*[f"{one},2:3,4:{'ab'[one % 2]}" for one in range(20)])},
    **{
        form: {
            f"{label}/{number}.{form}": encoded(tone(300 + number, number)[:400], form=form.upper())
            for label in "ab"
            for number in range(6)
        }
        for form in ("wav", "flac", "ogg", "mp3")
    },
    "table": {"a.csv": b"date,load,heat\n" + HOURS.encode()},
    "lines": {"a.txt": b"one\ntwo\n", "b.txt": b"three\nfour\n"},
}


def damaged(content: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, removed or put in, or the end cut off."""
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 5, 30])):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                data[place : place + 1] = bytes([data[place] ^ 1 << chance.randrange(8)]) if place < len(data) else b""
            case 2:
                del data[place : place + chance.choice([1, 2, 4, 100])]
            case 3:
                data[place:place] = chance.choice(
                    [b"\0", b"\xff" * 4, b"\n", b'"', b",", b":", b"-1", b"nan", b"{", b"9" * 30]
                )
            case _:
                if chance.randrange(8) == 0:
                    del data[place:]
    return bytes(data)


def repacked(content: bytes, chance: random.Random) -> bytes:
    """A damaged array in a zip whose sums are right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return packed_zip({name: damaged(archive.read(name), chance) for name in archive.namelist()})


def read_or_refused(files: Files, **options: object) -> None:
    try:
        result = ingested(files, **options)  # type: ignore[arg-type]
    except Refused as refused:
        assert str(refused)
    else:
        assert result.ingested.splits.keys() >= {"train", "test"}
        task = result.ingested.manifest["task"]
        assert (len(result.classes) > 1) == (task == "classification")
        for split in result.ingested.splits:
            if task == "classification":
                assert result.tensors[f"{split}.targets"].max() < len(result.classes)
            else:
                assert np.isfinite(result.tensors[f"{split}.{'rows' if task == 'forecast' else 'targets'}"]).all()
        inputs = result.tensors.get("train.inputs")
        assert inputs is None or np.isfinite(inputs).all()


@pytest.mark.parametrize("container", sorted(CONTAINERS.keys() - {"table"}))
def test_only_a_table_of_moments_has_to_fit_into_memory(container: str) -> None:
    options = {"kind": "text"} if container == "lines" else {}
    assert ingested(CONTAINERS[container], memory=1, **options).ingested.splits.keys() >= {"train", "test"}  # type: ignore[arg-type]


@pytest.mark.parametrize("container", CONTAINERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_damaged_files_are_read_or_refused(container: str, seed: int) -> None:
    chance = random.Random(seed)
    files = CONTAINERS[container]
    chosen = set(chance.sample(sorted(files), chance.randint(1, min(3, len(files)))))
    options = chance.choice([{}, {}, {"task": "regression"}, {"task": "forecast"}, {"missing": "interpolate"}])
    whole = {name: damaged(data, chance) if name in chosen else data for name, data in files.items()}
    read_or_refused(whole, **options)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_damaged_arrays_are_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    read_or_refused({"a.npz": repacked(CONTAINERS[chance.choice(["npz", "stored npz"])]["a.npz"], chance)})


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=12)
        | st.sampled_from(["a.csv", "b.jsonl", "c.ts", "d.txt", "e.npz", "f.png", "g/h.jpg", "i/j.wav"]),
        st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
        max_size=4,
    ),
    st.sampled_from([None, "image", "series", "text", "audio"]),
)
def test_any_files_are_read_or_refused(files: dict[str, bytes], kind: str | None) -> None:
    read_or_refused(files, kind=kind)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=20)), min_size=4, max_size=12), st.integers(0, 9))
def test_any_table_of_texts_is_read_or_refused(rows: list[tuple[str, str]], seed: int) -> None:
    text = "".join(f'"{label.replace(chr(34), "")}","{words.replace(chr(34), "")}"\n' for label, words in rows)
    read_or_refused({"a.csv": b"label,text\n" + text.encode("utf-8", "surrogatepass")}, seed=seed)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=20)), max_size=6))
def test_any_members_are_read_or_refused(members: list[tuple[str, bytes]]) -> None:
    named = [(name.encode("utf-8", "replace").decode(), content) for name, content in members if "\0" not in name]
    for pack in (packed_zip, packed_tar):
        if len({name for name, _ in named}) == len(named) and all(name for name, _ in named):
            read_or_refused({"a.bin": pack(named)})
