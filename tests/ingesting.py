"""Files in memory -> an ingest, for the tests of core.ingest; what is left behind is looked at after each."""

import io
import json
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open

from core.ingest import Ingested, Refused, Upload, ingest
from core.specs import IngestOptions

LIMIT = 2**26
_GENERATOR = np.random.default_rng(3)
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Result:
    """What was written and reported."""

    tensors: dict[str, NDArray[Any]]
    file: bytes
    ingested: Ingested
    stages: list[str]

    @property
    def classes(self) -> list[str]:
        classes: list[str] = self.ingested.manifest["classes"]
        return classes

    @property
    def findings(self) -> dict[str, Any]:
        return self.ingested.findings

    def labels(self, split: str) -> list[str]:
        """The class of each sample of a split, by name."""
        return [self.classes[target] for target in self.tensors[f"{split}.targets"]]

    def texts(self, split: str) -> list[str]:
        """The samples of a text set."""
        offsets, packed = self.tensors[f"{split}.offsets"], self.tensors[f"{split}.text"].tobytes()
        return [packed[start:end].decode() for start, end in pairwise(offsets)]


def ingested(
    files: Files | Iterable[tuple[str, bytes]], *, limit: int = LIMIT, memory: int = LIMIT, **options: Any
) -> Result:
    """Ingest and read the file back. Fails if anything else is left behind, or findings are not JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = files.items() if isinstance(files, Mapping) else files
        uploads = []
        for number, (upload, content) in enumerate(pairs):
            (folder / f"upload{number}").write_bytes(content)
            uploads.append(Upload(upload, folder / f"upload{number}"))
        return ingested_files(uploads, folder, limit=limit, memory=memory, **options)


def ingested_files(
    uploads: list[Upload], folder: Path, *, limit: int = LIMIT, memory: int = LIMIT, **options: Any
) -> Result:
    """The same for files that are there; ``folder`` is for what is written."""
    scratch, output = folder / "scratch", folder / "output" / "data.safetensors"
    scratch.mkdir()
    output.parent.mkdir()
    stages: list[str] = []

    def report(stage: str, done: int, total: int | None) -> None:
        assert 0 <= done and (total is None or done <= total)
        stages.append(stage)

    try:
        result = ingest(
            uploads,
            IngestOptions(**options),
            output,
            scratch=scratch,
            limit_bytes=limit,
            memory_bytes=memory,
            source="a test",
            report=report,
        )
    except Refused as refused:
        assert list(output.parent.iterdir()) == []
        json.dumps(refused.detail, allow_nan=False).encode()
        assert "\0" not in str(refused) and len(str(refused)) <= 1500
        str(refused).encode()
        raise
    finally:
        assert list(scratch.iterdir()) == []
    assert list(output.parent.iterdir()) == [output]
    json.dumps(result.findings, allow_nan=False, ensure_ascii=False).encode()
    with safe_open(output, "numpy") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        assert json.loads(file.metadata()["manifest"]) == result.manifest
    counted = {
        key.partition(".")[0]: len(value) for key, value in tensors.items() if key.endswith((".targets", ".rows"))
    }
    if result.manifest["kind"] == "corpus":
        texts = {key.partition(".")[0]: value for key, value in tensors.items() if key.endswith(".text")}
        counted = {split: len(value.tobytes().decode()) for split, value in texts.items()}
    assert result.splits == counted
    return Result(tensors, output.read_bytes(), result, stages)


def packed_zip(files: Files | Iterable[tuple[str, bytes]]) -> bytes:
    """A zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items() if isinstance(files, Mapping) else files:
            archive.writestr(name, content)
    return file.getvalue()


def packed_tar(files: Files | Iterable[tuple[str, bytes]], mode: str = "w:gz", form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar archive, with gzip unless told otherwise."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for name, content in files.items() if isinstance(files, Mapping) else files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def picture(value: Any, size: tuple[int, int] = (4, 5), form: str = "PNG", mode: str = "L", **options: Any) -> bytes:
    """An encoded picture of one colour, or of the array given; ``size`` is (height, width)."""
    file = io.BytesIO()
    image = Image.fromarray(value) if isinstance(value, np.ndarray) else Image.new(mode, size[::-1], value)
    image.save(file, form, **options)
    return file.getvalue()


def folders(count: int = 5, classes: Iterable[str] = ("cat", "dog"), **options: Any) -> dict[str, bytes]:
    """``count`` different grey pictures in a folder per class."""
    return {
        f"{label}/{number}.png": picture(10 * number + index, **options)
        for index, label in enumerate(classes)
        for number in range(count)
    }


def idx(values: NDArray[Any], kind: int = 8) -> bytes:
    """An IDX file of unsigned bytes, whatever ``kind`` it says."""
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, kind, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


def images(count: int, *shape: int) -> NDArray[np.uint8]:
    """Noise."""
    return _GENERATOR.integers(0, 256, (count, *shape), dtype=np.uint8)


def npz(compressed: bool = True, **arrays: Any) -> bytes:
    """A NumPy archive."""
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def ts(*series: str, head: str = "@dimensions 2\n@classLabel true a b\n") -> bytes:
    """A .ts file; its first series is in row 6 with the default head."""
    return "\n".join([f"# made here\n@problemName Made\n{head}@data", *series, ""]).encode()
