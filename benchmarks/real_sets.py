"""The real sets beside the checkout, the example that learns each, and what it should reach."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.ingest import Upload, ingest
from core.specs import IngestOptions
from models.data import splits
from models.data.splits import Dataset

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
LARGEST_SET = 2**31


@dataclass(frozen=True)
class Goal:
    """What a score of the test split should be; null: what the job's own naive forecast has."""

    score: str
    op: str
    value: float | None


@dataclass(frozen=True)
class RealSet:
    """An example and the files that it is trained on."""

    example: str
    folder: str
    goals: tuple[Goal, ...]
    options: dict[str, Any] = field(default_factory=dict)
    """Of the upload."""

    @property
    def job(self) -> dict[str, Any]:
        """The request that the example is."""
        body: dict[str, Any] = json.loads(self._path.read_text())
        return body

    @property
    def files(self) -> list[Path]:
        """As they lie in the set's folder."""
        return sorted((DATA / self.folder).iterdir())

    def missing(self) -> str | None:
        """A sentence that names what is not there."""
        if not self._path.is_file():
            return f"{self.example}: skipped, there is no {self._path.relative_to(ROOT)}"
        if not (DATA / self.folder).is_dir():
            return f"{self.example}: skipped, the set {self.folder} is not in {DATA}"
        return None

    def read(self) -> Dataset:
        """The set as an upload makes it: the same files and options give the same bytes."""
        return read(self.files, self.options)

    @property
    def _path(self) -> Path:
        return ROOT / "examples" / f"{self.example}.json"


def read(files: Sequence[Path], options: Mapping[str, Any]) -> Dataset:
    """Ingest files as a worker does."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data.safetensors"
        ingest(
            [Upload(file.name, file) for file in files],
            IngestOptions(**options),
            path,
            scratch=Path(folder),
            limit_bytes=LARGEST_SET,
            source="",
            report=lambda stage, done, total: None,
        )
        return splits.load(path)


def _accuracy(least: float) -> tuple[Goal, ...]:
    return (Goal("accuracy", ">=", least),)


UNKNOWN_SPEAKERS = {"pattern": "{label}_{rest}", "test_pattern": "*_[ty]*"}
"""theo and yweweler."""
REAL_SETS = {
    one.example: one
    for one in (
        RealSet("mnist-cnn", "mnist", _accuracy(0.99)),
        RealSet("cifar10", "cifar-10", _accuracy(0.80)),
        RealSet("spoken-digits-cnn", "spoken-digits", _accuracy(0.80), UNKNOWN_SPEAKERS),
        RealSet("spoken-digits-rnn", "spoken-digits", _accuracy(0.80), UNKNOWN_SPEAKERS),
        RealSet("names", "names", _accuracy(0.82)),
        RealSet("ag-news-7600", "ag-news-7600", _accuracy(0.83)),
        RealSet("rt-polarity", "rt-polarity", _accuracy(0.74)),
        RealSet("japanese-vowels", "japanese-vowels", _accuracy(0.95)),
        RealSet("ecg5000", "ecg5000", _accuracy(0.93)),
        RealSet("etth1", "ett", (Goal("rmse", "<=", None), Goal("mase", "<=", None))),
        RealSet("tiny-shakespeare", "tiny-shakespeare", (Goal("bits_per_character", "<=", 2.3),), {"kind": "corpus"}),
    )
}
