"""Uploaded recordings: what becomes of them, and what is refused or said."""

from itertools import pairwise

import numpy as np
import pytest
from ingesting import Result, ingested, packed_tar, picture
from numpy.typing import NDArray
from recordings import encoded, tone, tones, zipped

from core.ingest import Refused


def recordings(result: Result, split: str) -> list[NDArray[np.int16]]:
    offsets, values = result.tensors[f"{split}.offsets"], result.tensors[f"{split}.audio"]
    assert values.dtype == np.int16 and offsets[0] == 0 and offsets[-1] == len(values)
    return [values[start:end] for start, end in pairwise(offsets)]


def by_folder(count: int = 10) -> dict[str, bytes]:
    return {f"{name.partition('_')[0]}/{name}": content for name, content in tones(count).items()}


def test_an_archive_of_files_named_for_their_class() -> None:
    result = ingested({"tones.zip": zipped()}, pattern="{label}_{rest}", test_pattern="*_1?.wav")
    assert result.classes == ["high", "low", "middle"]
    assert result.ingested.splits == {"train": 30, "test": 30}
    manifest = result.ingested.manifest
    wanted = {f"{name}_{number}": tone(pitch, 100 * place + number)
              for place, (name, pitch) in enumerate({"low": 300.0, "middle": 900.0, "high": 2000.0}.items())
              for number in range(20)}  # fmt: skip
    lengths = [len(one) for one in wanted.values()]
    assert (manifest["kind"], manifest["shape"], manifest["dtype"], manifest["rate"]) == ("audio", [], "int16", 8000)
    assert manifest["lengths"] == [min(lengths), max(lengths)]
    held = sorted(name for name in wanted if len(name.split("_")[1]) == 2)
    assert result.labels("test") == [name.split("_")[0] for name in held]
    for name, found in zip(held, recordings(result, "test"), strict=True):
        np.testing.assert_array_equal(found, wanted[name])
    assert "the test split is the 30 files whose names match *_1?.wav" in result.findings["notes"]


def test_folders_give_the_same_bytes_however_they_are_packed() -> None:
    files = by_folder()
    plain, packed = ingested(files), ingested({"a.tar.gz": packed_tar(files)})
    assert plain.file == packed.file
    assert plain.ingested.splits == {"train": 24, "test": 6}
    split = {
        f"{'test' if number % 3 == 0 else 'train'}/{name}": one for number, (name, one) in enumerate(files.items())
    }
    assert ingested(split).ingested.splits == {"train": 20, "test": 10}


def test_one_rate_or_the_one_that_is_asked_for() -> None:
    files = by_folder() | {"low/other.flac": encoded(tone(300, 7, 16_000), 16_000, "FLAC")}
    with pytest.raises(
        Refused, match=r"2 sample rates: 30 of 31 have 8,000 Hz, low/other\.flac has 16,000 Hz.*option rate"
    ):
        ingested(files)
    result = ingested(files, rate=8000)
    assert result.ingested.manifest["rate"] == 8000
    assert result.findings["converted"] == {"resampled to 8,000 Hz": 1}
    lengths = [len(one) for split in ("train", "test") for one in recordings(result, split)]
    assert (len(tone(300, 7, 16_000)) + 1) // 2 in lengths


def test_what_is_odd_is_said() -> None:
    both = np.stack([tone(300, 1), tone(300, 1)], axis=1)
    silent = np.zeros(800, np.int16)
    result = ingested(by_folder() | {"low/both.wav": encoded(both), "high/silent.ogg": encoded(silent, form="OGG")})
    assert result.findings["converted"] == {"2 channels made mono": 1}
    assert "1 recordings are silent from beginning to end: high/silent.ogg" in result.findings["notes"]


def test_bad_files_are_left_out_and_named() -> None:
    whole = len(tones(1)["low_0.wav"])
    files = by_folder() | {"low/cut.wav": tones(1)["low_0.wav"][:-50], "high/empty.mp3": b"", "high/it.m4a": b"ftyp"}
    result = ingested(files)
    assert {one["file"]: one["reason"] for one in result.findings["skipped"]} == {
        "high/empty.mp3": "the file is empty",
        "high/it.m4a": "this is no WAV, FLAC, OGG or MP3 recording, or it is damaged: Format not recognised",
        "low/cut.wav": f"the recording is cut off: it has {whole - 50:,} of {whole:,} bytes",
    }
    assert sum(result.ingested.splits.values()) == 30
    worse = {name: content if number % 2 else content[:60] for number, (name, content) in enumerate(files.items())}
    with pytest.raises(Refused, match=r"18 of 33 samples cannot be read.*high/empty\.mp3"):
        ingested(worse)


def test_what_decodes_to_too_much_is_refused() -> None:
    long = encoded(np.resize(tone(300, 1), 60_000), form="FLAC")
    with pytest.raises(Refused, match="the samples take more than"):
        ingested({f"{label}/{number}.flac": long for label in "ab" for number in range(5)}, limit=1_000_000)


def test_a_pattern_for_the_test_split_must_part_the_files() -> None:
    for pattern, number in (("*.wav", "all files match"), ("*.mp3", "no file matches")):
        with pytest.raises(Refused, match=f"{number} test_pattern"):
            ingested(by_folder(), test_pattern=pattern)
    with pytest.raises(Refused, match="test_pattern is for files that are a sample each"):
        ingested({"a.csv": b"label,t0\n1,2\n"}, test_pattern="*")
    pictures = {f"{label}/{number}.png": picture(10 * number) for label in "ab" for number in range(5)}
    assert ingested(pictures, test_pattern="[34].png").ingested.splits == {"train": 6, "test": 4}
    texts = {f"{label}/{number}.txt": f"{label} {number}".encode() for label in "ab" for number in range(5)}
    assert ingested(texts, test_pattern="4*").texts("test") == ["a 4", "b 4"]


def test_recordings_beside_lists_are_read_and_beside_pictures_asked_about() -> None:
    assert ingested(by_folder() | {"list.csv": b"a,b\n"}).findings["ignored_files"] == ["list.csv"]
    both = by_folder() | {f"{label}/{n}.png": picture(n) for label in ("low", "high") for n in range(5)}
    with pytest.raises(Refused, match="several kinds of containers"):
        ingested(both)
    assert ingested(both, kind="audio").ingested.manifest["kind"] == "audio"
