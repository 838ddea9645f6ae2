"""A data set file and its three splits: train, validation, test."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from core.encode import Preprocessing
from core.encode.mapped import Mapped, Rows, Samples, Sequences, map_array
from core.encode.splits import drawn, stratified
from core.encode.targets import Targets
from core.encode.text import Tokens
from core.plan import Sample
from core.plan_audio import frames
from core.plan_forecast import windows
from core.plan_language import window
from core.plan_length import held_out
from core.specs import TrainSpec


@dataclass(frozen=True)
class Split:
    """Samples of one purpose, raw: images uint8 [N, H, W, C], series float32 [N, T, F], texts (str objects [N]) or
    recordings (int16 [n_i] objects [N]); or the rows of a forecast's table, float32 [T, F]; or a corpus, which is one
    text (str object [1]) and has no targets.

    ``targets`` are classes int64 [N], or numbers to foretell float32 [N, targets]; ``lengths`` int64 [N] are those of
    series that vary in length and are padded behind their ends.
    """

    inputs: Samples
    targets: NDArray[Any]
    lengths: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def text(self) -> str:
        """Of a corpus."""
        assert isinstance(self.inputs, np.ndarray)
        return str(self.inputs[0])

    def take(self, indices: NDArray[np.int64]) -> "Split":
        """These samples, in this order."""
        lengths = None if self.lengths is None else self.lengths[indices]
        inputs = self.inputs.take(indices) if isinstance(self.inputs, Mapped) else self.inputs[indices]
        return Split(inputs, self.targets[indices], lengths)


@dataclass(frozen=True)
class Dataset:
    """What a data set file holds. ``manifest``: kind, task, shape, dtype, classes, source; some have lengths and rate.

    Without a task, in files of earlier days, it is classification. ``scratch``: the samples stay in their file, and
    what is made of them goes to files in this folder; tables are in memory all the same.
    """

    train: Split
    test: Split
    manifest: dict[str, Any]
    validation: Split | None = None
    scratch: Path | None = None

    @property
    def sample(self) -> Sample:
        """What the plan needs to know."""
        kind, shape, classes = (self.manifest[key] for key in ("kind", "shape", "classes"))
        lengths = self.manifest.get("lengths")
        known = None if lengths is None else (lengths[0], lengths[1])
        task, targets = self.manifest.get("task", "classification"), self.manifest.get("targets") or []
        rate = self.manifest.get("rate")
        rows = (len(self.train), len(self.test)) if task == "forecast" else None
        characters = len(self.train.text) if task == "language" else None
        return Sample(
            kind,
            tuple(shape),
            len(classes),
            known,
            rate=rate,
            task=task,
            targets=len(targets),
            rows=rows,
            characters=characters,
        )


@dataclass(frozen=True)
class Splits:
    """Curves and choices use validation; test is read once, after the weights are chosen."""

    train: Split
    validation: Split
    test: Split


def load(path: str | Path, scratch: Path | None = None) -> Dataset:
    """Read a data set file (safetensors); with a ``scratch`` folder its samples are not read but mapped.

    Either way a training has the same bits. ValueError names the file if it is not one.
    """
    try:
        with safe_open(path, "numpy") as file:
            manifest = json.loads((file.metadata() or {})["manifest"])
            names = set(file.keys())
            mapping = None if scratch is None else _mapping(Path(path))
            train, test = (_read(file, manifest, names, name, mapping) for name in ("train", "test"))
            own = any(name.startswith("validation.") for name in names)
            validation = _read(file, manifest, names, "validation", mapping) if own else None
    except (SafetensorError, KeyError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a data set file: {error}") from error
    return Dataset(train, test, manifest, validation, scratch)


Read = Callable[[str], NDArray[Any]]
_DTYPES = {"U8": np.uint8, "I16": np.int16, "F32": np.float32}


def _mapping(path: Path) -> Read:
    """Maps a tensor of a safetensors file, which is flat: eight bytes, a header of so many, and the tensors."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))

    def read(name: str) -> NDArray[Any]:
        entry = header[name]
        first = 8 + size + int(entry["data_offsets"][0])
        return map_array(path, _DTYPES[entry["dtype"]], tuple(entry["shape"]), first)

    return read


def _read(file: Any, manifest: dict[str, Any], names: set[str], split: str, mapping: Read | None) -> Split:
    """A split, its samples mapped if there is a ``mapping``, else in memory."""
    if manifest.get("task") == "language":
        text = file.get_tensor(f"{split}.text").tobytes().decode()
        return Split(np.array([text], object), np.empty(0, np.int64))
    if manifest.get("task") == "forecast":
        rows = file.get_tensor(f"{split}.rows")
        return Split(rows, rows[:, places(manifest)])
    targets, large = file.get_tensor(f"{split}.targets"), mapping or file.get_tensor
    for name, decode in (("text", _text), ("audio", np.asarray)):
        if f"{split}.{name}" in names:
            content, ends = large(f"{split}.{name}"), file.get_tensor(f"{split}.offsets")
            sequences = Sequences(content, ends, decode)
            return Split(sequences[:] if mapping is None else sequences, targets)
    lengths = file.get_tensor(f"{split}.lengths") if f"{split}.lengths" in names else None
    inputs = large(f"{split}.inputs")
    return Split(inputs if mapping is None else Rows(inputs), targets, lengths)


def _text(content: NDArray[np.uint8]) -> str:
    return content.tobytes().decode()


def split(dataset: Dataset, spec: TrainSpec) -> Splits:
    """The data set's own validation split, or ``spec.data.validation`` of train, drawn by ``spec.seed``.

    Of classes the same share of each is drawn; of a forecast's table, and of a corpus, the last part is taken.
    """
    train = dataset.train
    if dataset.validation is not None:
        return Splits(train, dataset.validation, dataset.test)
    if dataset.sample.task == "language":
        text, first = train.text, -held_out(len(train.text), spec.data.validation)
        kept, cut = (Split(np.array([part], object), train.targets) for part in (text[:first], text[first:]))
        return Splits(kept, cut, dataset.test)
    count = held_out(len(train), spec.data.validation)
    match dataset.sample.task:
        case "forecast":
            rest, held = np.arange(len(train) - count), np.arange(len(train) - count, len(train))
        case "regression":
            rest, held = drawn(len(train), count, spec.seed)
        case _:
            rest, held = stratified(train.targets, count, spec.seed)
    return Splits(train.take(rest), train.take(held), dataset.test)


def places(manifest: dict[str, Any]) -> list[int]:
    """Where the targets of a forecast stand among the columns of its table."""
    columns: list[str] = manifest["columns"]
    return [columns.index(name) for name in manifest["targets"]]


def preprocessing(train: Split, spec: TrainSpec, dataset: Dataset, tokens: Tokens | None = None) -> Preprocessing:
    """What the training split decides about all samples: the numbers to normalise with, or the vocabulary.

    ``tokens`` are those of texts where weights that know them are the start, in the place of a vocabulary of its own.
    """
    sample, names = dataset.sample, dataset.manifest.get("targets") or []
    if sample.task == "forecast":
        assert sample.rows is not None
        cut, where = windows(spec.data, *sample.rows), places(dataset.manifest)
        normalise = spec.data.normalisation(sample.task)
        relative = normalise == "window"
        targets = Targets.fit(train.targets, names, horizon=cut.horizon, places=where, relative=relative)
        assert isinstance(train.inputs, np.ndarray), "tables are in memory"
        return Preprocessing.of_windows(train.inputs, cut.window, normalise, targets)
    made = _inputs(train, spec, sample, tokens)
    if sample.task == "regression":
        return replace(made, targets=Targets.fit(train.targets, names))
    return made


def _inputs(train: Split, spec: TrainSpec, sample: Sample, known: Tokens | None) -> Preprocessing:
    data, normalise = spec.data, spec.data.normalisation(sample.task)
    if sample.kind in ("text", "corpus"):
        joined = sample.kind == "corpus"
        most = None if joined else data.text_length
        tokens = Tokens.fit(
            train.inputs if known is None else [],
            data.tokens,
            size=data.vocabulary_size,
            max_length=most,
            lowercase=data.lowercase,
            nfc=data.nfc,
            spaced=joined,
        )
        if known is not None:
            if replace(tokens, vocabulary=known.vocabulary) != replace(known, max_length=most):
                raise ValueError("the weights to start from know texts that are cut otherwise; see the fields of data")
            tokens = replace(known, max_length=most)
        if not joined:
            return Preprocessing.of_texts(tokens)
        assert sample.characters is not None
        return Preprocessing.of_corpus(tokens, window(data, sample.characters))
    if sample.kind == "audio":
        assert sample.lengths is not None
        return Preprocessing.of_recordings(train.inputs, frames(spec, sample), normalise, sample.lengths[1])
    size = (data.resize[0], data.resize[1]) if data.resize else None
    return Preprocessing.fit(train.inputs, size, normalise, train.lengths)
