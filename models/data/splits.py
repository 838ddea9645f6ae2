"""A data set file and its three splits: train, validation, test."""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from core.encode import Preprocessing, ragged
from core.encode.splits import stratified
from core.encode.text import Tokens
from core.plan import Sample
from core.plan_audio import frames
from core.plan_length import held_out
from core.specs import TrainSpec


@dataclass(frozen=True)
class Split:
    """Samples of one purpose, raw: images uint8 [N, H, W, C], series float32 [N, T, F], texts (str objects [N]) or
    recordings (int16 [n_i] objects [N]). Of a corpus the one text, a str object [1], without targets.

    ``targets`` int64 [N]; ``lengths`` int64 [N] for series that vary in length and are padded behind their ends.
    """

    inputs: NDArray[Any]
    targets: NDArray[np.int64]
    lengths: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, indices: NDArray[np.int64]) -> "Split":
        """These samples, in this order."""
        lengths = None if self.lengths is None else self.lengths[indices]
        return Split(self.inputs[indices], self.targets[indices], lengths)


@dataclass(frozen=True)
class Dataset:
    """What a data set file holds. ``manifest``: kind, task, shape, dtype, classes, source; some have lengths and rate.

    Without a task, in files of earlier days, it is classification.
    """

    train: Split
    test: Split
    manifest: dict[str, Any]
    validation: Split | None = None

    @property
    def sample(self) -> Sample:
        """What the plan needs to know."""
        kind, shape, classes = (self.manifest[key] for key in ("kind", "shape", "classes"))
        lengths = self.manifest.get("lengths")
        known = None if lengths is None else (lengths[0], lengths[1])
        task, targets = self.manifest.get("task", "classification"), self.manifest.get("targets") or []
        rate, characters = self.manifest.get("rate"), len(self.train.inputs[0]) if task == "language" else None
        return Sample(
            kind,
            tuple(shape),
            len(classes),
            known,
            rate=rate,
            task=task,
            targets=len(targets),
            characters=characters,
        )


@dataclass(frozen=True)
class Splits:
    """Curves and choices use validation; test is read once, after the weights are chosen."""

    train: Split
    validation: Split
    test: Split


def load(path: str | Path) -> Dataset:
    """Read a data set file (safetensors). ValueError names the file if it is not one."""
    try:
        with safe_open(path, "numpy") as file:
            manifest = json.loads((file.metadata() or {})["manifest"])
            names = set(file.keys())
            read = _read_corpus if manifest["kind"] == "corpus" else _read
            train, test = (read(file, names, name) for name in ("train", "test"))
            validation = (
                read(file, names, "validation") if any(one.startswith("validation.") for one in names) else None
            )
    except (SafetensorError, KeyError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a data set file: {error}") from error
    return Dataset(train, test, manifest, validation)


def _read(file: Any, names: set[str], split: str) -> Split:
    targets = file.get_tensor(f"{split}.targets")
    if f"{split}.text" in names:
        return Split(_texts(file.get_tensor(f"{split}.text"), file.get_tensor(f"{split}.offsets")), targets)
    if f"{split}.audio" in names:
        samples, ends = file.get_tensor(f"{split}.audio"), file.get_tensor(f"{split}.offsets")
        return Split(ragged.collect([samples[first:end] for first, end in pairwise(ends.tolist())]), targets)
    lengths = file.get_tensor(f"{split}.lengths") if f"{split}.lengths" in names else None
    return Split(file.get_tensor(f"{split}.inputs"), targets, lengths)


def _read_corpus(file: Any, names: set[str], split: str) -> Split:
    text = np.empty(1, object)
    text[0] = file.get_tensor(f"{split}.text").tobytes().decode()
    return Split(text, np.empty(0, np.int64))


def _texts(content: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[Any]:
    """The samples whose UTF-8 lies one after another, as str objects [N]."""
    whole = content.tobytes()
    texts = np.empty(len(offsets) - 1, object)
    for index, (first, end) in enumerate(pairwise(offsets.tolist())):
        texts[index] = whole[first:end].decode()
    return texts


def split(dataset: Dataset, spec: TrainSpec) -> Splits:
    """The data set's own validation split, or ``spec.data.validation`` of train, by class, drawn by ``spec.seed``.

    Of a corpus it is the last part of train.
    """
    train = dataset.train
    if dataset.validation is not None:
        return Splits(train, dataset.validation, dataset.test)
    if dataset.sample.task == "language":
        (text,), first = train.inputs, -held_out(len(train.inputs[0]), spec.data.validation)
        kept, cut = (Split(np.array([part], object), train.targets) for part in (text[:first], text[first:]))
        return Splits(kept, cut, dataset.test)
    count = held_out(len(train), spec.data.validation)
    rest, held = stratified(train.targets, count, spec.seed)
    return Splits(train.take(rest), train.take(held), dataset.test)


def preprocessing(train: Split, spec: TrainSpec, sample: Sample) -> Preprocessing:
    """What the training split decides about all samples: the numbers to normalise with, or the vocabulary."""
    data = spec.data
    if sample.kind in ("text", "corpus"):
        joined = sample.kind == "corpus"
        tokens = Tokens.fit(
            train.inputs,
            data.tokens,
            size=data.vocabulary_size,
            max_length=None if joined else data.text_length,
            lowercase=data.lowercase,
            nfc=data.nfc,
            spaced=joined,
        )
        return Preprocessing.of_corpus(tokens) if joined else Preprocessing.of_texts(tokens)
    if sample.kind == "audio":
        assert sample.lengths is not None
        return Preprocessing.of_recordings(train.inputs, frames(spec, sample), data.normalise, sample.lengths[1])
    size = (data.resize[0], data.resize[1]) if data.resize else None
    return Preprocessing.fit(train.inputs, size, data.normalise, train.lengths)
