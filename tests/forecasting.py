"""Small tables and numbers to foretell, for the tests of forecasts and regressions."""

from typing import Any

import numpy as np

from core.encode import ragged
from models.data.splits import Dataset, Split

NAMES = ["load", "heat", "wind"]


def table(rows: int = 160, targets: tuple[str, ...] = ("heat",), test: int = 40) -> Dataset:
    """Waves of several periods on large offsets, with noise: float32 [rows, 3]."""
    generator, time = np.random.default_rng(5), np.arange(rows)
    waves = [100 + 10 * np.sin(time / 4), 5 * np.cos(time / 6) - 2, 1000 + time + 3 * np.sin(time / 3)]
    values = (np.stack(waves, 1) + generator.normal(0, 0.3, (rows, 3))).astype(np.float32)
    places = [NAMES.index(name) for name in targets]
    train, held = values[:-test], values[-test:]
    manifest: dict[str, Any] = {
        "kind": "series",
        "task": "forecast",
        "shape": [rows, 3],
        "dtype": "float32",
        "classes": [],
        "columns": NAMES,
        "targets": list(targets),
        "source": "waves",
    }
    return Dataset(Split(train, train[:, places]), Split(held, held[:, places]), manifest)


def sums(train: int = 120, test: int = 30, varying: bool = False) -> Dataset:
    """Series [N, 6, 2] whose number is 1000 and ten times the sum of their first feature; or cut to 2 to 6 steps."""
    generator = np.random.default_rng(7)
    splits = []
    for count in (train, test):
        inputs = generator.normal(0, 1, (count, 6, 2)).astype(np.float32)
        lengths = generator.integers(2, 7, count) if varying else None
        if lengths is not None:
            inputs[np.arange(6) >= lengths[:, None]] = 0
        splits.append(Split(inputs, (1000 + 10 * inputs[:, :, 0].sum(1, keepdims=True)).astype(np.float32), lengths))
    manifest: dict[str, Any] = {
        "kind": "series",
        "task": "regression",
        "shape": [6, 2],
        "dtype": "float32",
        "classes": [],
        "targets": ["price"],
        "source": "sums",
    }
    if varying:
        manifest["lengths"] = [2, 6]
    return Dataset(splits[0], splits[1], manifest)


def raw(dataset: Dataset) -> Any:
    """The test split's samples as ``Preprocessing.from_rows`` gives them."""
    inputs, lengths = dataset.test.inputs, dataset.test.lengths
    if lengths is None:
        return inputs
    return ragged.collect([one[:end] for one, end in zip(inputs, lengths, strict=True)])
