"""A trained network of each kind of data, and its data set as a file, for tests of predictions of data sets."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from forecasting import sums, table
from ingesting import ingested
from recordings import zipped
from safetensors.numpy import save_file

from core.encode import Preprocessing
from core.predictions.layout import Layout
from core.specs import TrainSpec
from models.data.splits import Dataset, load
from models.events import Finished
from models.export import export
from models.training import fit

CNN = {"family": "cnn", "stages": [{"channels": 4, "padding": "same"}], "hidden": [8]}
RNN = {"family": "rnn", "cell": "gru", "hidden": 8}


@dataclass(frozen=True)
class Trained:
    """A network, the file of its data set, and how the training scored it on the test split."""

    path: Path
    graph: Path
    preprocessing: Preprocessing
    layout: Layout
    end: Finished


def trained(folder: Path, kind: str, digits: Path) -> Trained:
    """One of ``images``, ``series``, ``texts``, ``recordings``, ``numbers`` and ``forecasts``."""
    path, data = folder / "data.safetensors", {}
    network: dict[str, Any] = RNN
    if kind == "images":
        path, network = digits, CNN
    elif kind == "series":
        _varied(path)
        network = {**CNN, "global_pool": "max"}
    elif kind == "texts":
        rows = [
            f"{label},{' '.join([label, 'née', '語'] * (1 + number % 4))}" for number in range(90) for label in "abc"
        ]
        path.write_bytes(ingested({"words.csv": "\n".join(["label,text", *rows]).encode()}).file)
    elif kind == "recordings":
        path.write_bytes(ingested({"tones.zip": zipped(30)}, pattern="{label}_{rest}").file)
        data = {"mels": 12}
    elif kind == "numbers":
        _save(sums(150, 80, varying=True), path)
    else:
        _save(table(260, ("heat", "load"), 100), path)
        data = {"window": 20, "horizon": 3}
    spec = {"network": network, "data": data, "hyperparameters": {"epochs": 2, "batch_size": 32}}
    dataset = load(path)
    *_, end = fit(TrainSpec.model_validate(spec), dataset, threads=1)
    assert isinstance(end, Finished)
    graph = folder / "model.onnx"
    graph.write_bytes(export(end.plan, end.best.weights))
    targets = end.preprocessing.targets
    names = tuple(dataset.manifest["classes"] if targets is None else targets.names)
    layout = Layout(dataset.sample.task, names, names, None if targets is None else targets.horizon, None)
    return Trained(path, graph, end.preprocessing, layout, end)


def _varied(path: Path) -> None:
    generator = np.random.default_rng(0)
    tensors: dict[str, Any] = {}
    for split, count in (("train", 150), ("validation", 30), ("test", 100)):
        lengths = generator.integers(3, 21, count)
        values = generator.normal(5, 30, (count, 20, 2)).astype(np.float32)
        values[np.arange(20) >= lengths[:, None]] = 0
        tensors |= {f"{split}.inputs": values, f"{split}.lengths": lengths, f"{split}.targets": np.arange(count) % 3}
    manifest = {"kind": "series", "shape": [20, 2], "dtype": "float32", "classes": ["a", "b", "c"], "lengths": [3, 20]}
    save_file(tensors, path, {"manifest": json.dumps(manifest)})


def _save(dataset: Dataset, path: Path) -> None:
    tensors: dict[str, Any] = {}
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        if dataset.sample.task == "forecast":
            tensors[f"{name}.rows"] = np.ascontiguousarray(split.inputs)
        else:
            tensors |= {f"{name}.inputs": split.inputs, f"{name}.targets": split.targets}
            tensors |= {} if split.lengths is None else {f"{name}.lengths": split.lengths}
    save_file(tensors, path, {"manifest": json.dumps(dataset.manifest)})


def as_json(found: Trained, split: str) -> Any:
    """What a client would send of a split: a list of samples, as JSON has them."""
    one = getattr(load(found.path), split)
    if found.layout.horizon is not None:
        assert split == "test"
        before = np.concatenate([load(found.path).train.inputs, one.inputs])
        window, first = found.preprocessing.shape[0], len(before) - len(one.inputs)
        count = len(one.inputs) - found.layout.horizon + 1
        return [before[first + place - window : first + place].tolist() for place in range(count)]
    lengths = [None] * len(one) if one.lengths is None else one.lengths.tolist()
    return [
        sample if isinstance(sample, str) else sample[:length].tolist()
        for sample, length in zip(one.inputs, lengths, strict=True)
    ]
