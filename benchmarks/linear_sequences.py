"""What linear models reach on what goes on: a table's next rows, and a text's next character (scikit-learn).

Rows: ridge regression from the window that the network sees to the horizon, both as changes against the last row seen,
columns scaled. Its strength is chosen on the last tenth of the windows to train on, then all of them are learnt.
Characters: logistic regression on which character stands at each of the last places. The test split is read once.
"""

import math
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from core.specs import TrainSpec
from models.data.splits import Dataset

STRENGTHS = (1.0, 100.0, 10_000.0, 1_000_000.0)
"""Of the ridge, from weak to strong regularisation."""
PLACES = 8
"""Characters that are looked back at."""
ITERATIONS = 40


def forecast(dataset: Dataset, spec: TrainSpec) -> dict[str, float]:
    """``rmse`` and ``mase`` on all windows of the test split, by the same definitions as a job's (docs/forecasts.md).

    One target column, as the examples have it.
    """
    width, horizon = spec.data.window, spec.data.horizon
    assert width is not None and horizon is not None
    rows, unseen = (np.asarray(split.inputs, np.float64) for split in (dataset.train, dataset.test))
    (target,) = (dataset.manifest["columns"].index(name) for name in dataset.manifest["targets"])
    scale = rows.std(0)
    seen, wanted = _windows(rows / scale, width, horizon, target)
    asked, truth = _windows(np.concatenate((rows[-width:], unseen)) / scale, width, horizon, target)
    kept = len(seen) - len(seen) // 10

    def error(strength: float) -> float:
        model = Ridge(strength).fit(seen[:kept], wanted[:kept])
        return float(np.square(model.predict(seen[kept:]) - wanted[kept:]).mean())

    model = Ridge(min(STRENGTHS, key=error)).fit(seen, wanted)
    differences = (model.predict(asked) - truth) * scale[target]
    season = spec.data.season or 1
    usual = np.abs(rows[season:, target] - rows[:-season, target]).mean()
    return {"rmse": math.sqrt(np.square(differences).mean()), "mase": float(np.abs(differences).mean() / usual)}


def bits_per_character(dataset: Dataset) -> float:
    """On the test split of a corpus, each character foretold from those before it."""
    text, unseen = dataset.train.text, dataset.test.text
    alphabet = sorted(set(text))
    seen, wanted = _places(text, alphabet)
    asked, truth = _places(unseen, alphabet)
    model = LogisticRegression(max_iter=ITERATIONS)
    with warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):  # as many iterations as are meant
        model.fit(seen, wanted)
    likely = model.predict_proba(asked)[np.arange(len(truth)), np.searchsorted(model.classes_, truth)]
    return float(-np.log2(likely).mean())


def _windows(
    rows: NDArray[np.float64], width: int, horizon: int, target: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All windows [N, width * columns] and what comes behind each [N, horizon], less their last rows."""
    count = len(rows) - width - horizon + 1
    windows = np.lib.stride_tricks.sliding_window_view(rows, width, axis=0)[:count]
    behind = np.lib.stride_tricks.sliding_window_view(rows[width:, target], horizon)
    last = rows[width - 1 : width - 1 + count]
    return (windows - last[:, :, None]).reshape(count, -1), behind - last[:, target, None]


def _places(text: str, alphabet: list[str]) -> tuple[csr_array, NDArray[np.int64]]:
    """Which character stands at each of the last places, one of them 1 each; and the next one's number.

    ValueError: the text has a character that the alphabet lacks.
    """
    numbers = {character: number for number, character in enumerate(alphabet)}
    if strange := set(text) - set(alphabet):
        raise ValueError(f"the text to train on has no {min(strange)!r}")
    ids = np.array([numbers[character] for character in text])
    before = np.lib.stride_tricks.sliding_window_view(ids, PLACES)[:-1]
    columns = before + len(alphabet) * np.arange(PLACES)
    places = np.arange(len(before) + 1) * PLACES
    matrix = csr_array(
        (np.ones(columns.size, np.float32), columns.ravel(), places), (len(before), PLACES * len(alphabet))
    )
    return matrix, ids[PLACES:]
