"""What scikit-learn reaches on a set without a neural network: logistic regression on plain features.

Texts: TF-IDF of words and pairs of words, or, where the network reads characters, of one to four characters. Images and
series: the flattened values, series of several lengths after each was brought to one length. Recordings: the mean and
the deviation over time of each log-mel band. The strength of the regularisation is chosen on a tenth of the training
split, then all of it is learnt; the test split is read once.
"""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from core.encode.splits import stratified
from core.plan_audio import frames
from core.specs import TrainSpec
from models.data.splits import Dataset, Split

STRENGTHS = (0.01, 1.0, 100.0)
"""scikit-learn's C, from strong to weak regularisation."""
STEPS = 16
"""What series of several lengths are brought to."""
MANY, ENOUGH = 20_000, 40
"""Of so many samples one fit takes minutes: there is no choice, and no more iterations than these."""


def accuracy(dataset: Dataset, spec: TrainSpec) -> float:
    """The share of the test split that is right."""
    train, test = dataset.train, dataset.test
    features = {"text": _texts, "audio": _bands, "series": _steps, "image": _values}[dataset.manifest["kind"]]
    seen, unseen = (features(part, dataset, spec) for part in (train, test))
    strength = min(STRENGTHS)
    if len(train) < MANY:
        rest, held = stratified(train.targets, len(train) // 10, 0)

        def right(strength: float) -> float:
            return _score(_pipeline(dataset, spec, strength), seen, train.targets, rest, seen, train.targets, held)

        strength = max(STRENGTHS, key=right)
    every, whole = np.arange(len(train)), np.arange(len(test))
    return _score(_pipeline(dataset, spec, strength), seen, train.targets, every, unseen, test.targets, whole)


def _score(
    pipeline: Pipeline,
    seen: NDArray[Any],
    targets: NDArray[np.int64],
    learnt: NDArray[np.int64],
    unseen: NDArray[Any],
    truth: NDArray[np.int64],
    asked: NDArray[np.int64],
) -> float:
    with warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):  # as many iterations as are meant
        pipeline.fit(seen[learnt], targets[learnt])
    return float(pipeline.score(unseen[asked], truth[asked]))


def _pipeline(dataset: Dataset, spec: TrainSpec, strength: float) -> Pipeline:
    most = 300 if len(dataset.train) < MANY else ENOUGH
    regression = LogisticRegression(C=strength, max_iter=most, tol=1e-3)
    if dataset.manifest["kind"] != "text":
        return make_pipeline(StandardScaler(), regression)
    if spec.data.tokens == "char":
        return make_pipeline(TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True), regression)
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), regression)


def _texts(part: Split, dataset: Dataset, spec: TrainSpec) -> NDArray[Any]:
    return np.asarray(part.inputs)


def _values(part: Split, dataset: Dataset, spec: TrainSpec) -> NDArray[Any]:
    return np.asarray(part.inputs).reshape(len(part), -1).astype(np.float32)


def _steps(part: Split, dataset: Dataset, spec: TrainSpec) -> NDArray[Any]:
    if part.lengths is None:
        return _values(part, dataset, spec)
    places = np.linspace(0, 1, STEPS)
    rows = []
    for series, length in zip(part.inputs, part.lengths.tolist(), strict=True):
        at = np.linspace(0, 1, length)
        rows.append(np.concatenate([np.interp(places, at, channel) for channel in series[:length].T]))
    return np.stack(rows)


def _bands(part: Split, dataset: Dataset, spec: TrainSpec) -> NDArray[Any]:
    bands = replace(frames(spec, dataset.sample), fixed=False, centred=False).encode(np.asarray(part.inputs))
    return np.stack([np.concatenate((one.mean(0), one.std(0))) for one in bands])
