"""How good answers are, counted while they are made; what was counted is stored with them."""

import math
from typing import Any

import numpy as np

from core.predictions.layout import Answers, Layout

MOST_CONFUSED = 500
"""Classes beyond which there is no confusion matrix: it would be larger than all else of the job."""


class Scores:
    """Counts rows; ``state`` and the ``state`` given at the start are what another attempt goes on from."""

    def __init__(self, layout: Layout, state: dict[str, Any] | None = None) -> None:
        self._layout, self._known = layout, layout.known if layout.classifies else None
        self._unscored = layout.unscored
        counted = state or {}
        self._compared: int = counted.get("compared", 0)
        self._right: int = counted.get("right", 0)
        self._absolute: float = counted.get("absolute", 0.0)
        self._squared: float = counted.get("squared", 0.0)
        self._matrix = None
        if layout.classifies and self._unscored is None and len(layout.classes) <= MOST_CONFUSED:
            empty = np.zeros((len(layout.classes),) * 2, np.int64)
            self._matrix = np.array(counted["matrix"], np.int64) if "matrix" in counted else empty

    def add(self, answers: Answers) -> None:
        """Count a batch."""
        if self._unscored is not None:
            return
        if self._known is None:
            differences = answers.values - answers.labels
            self._compared += differences.size
            self._absolute += float(np.abs(differences).sum())
            self._squared += float(np.square(differences).sum())
            return
        truth, said = self._known[answers.labels], answers.values.argmax(1)
        self._compared += len(answers)
        self._right += int((truth == said).sum())
        if self._matrix is not None:
            np.add.at(self._matrix, (truth, said), 1)

    @property
    def state(self) -> dict[str, Any]:
        """JSON-able."""
        if self._unscored is not None:
            return {}
        if self._known is None:
            return {"compared": self._compared, "absolute": self._absolute, "squared": self._squared}
        counted = {"compared": self._compared, "right": self._right}
        return counted if self._matrix is None else {**counted, "matrix": self._matrix.tolist()}

    def result(self) -> dict[str, Any]:
        """``scores`` {accuracy} of classes or {mae, rmse} of numbers, in their own units, null for ``scores_reason``;
        and the ``confusion_matrix`` [target][prediction] in the order of the model's classes, null where there is none.
        """
        scores = None
        if self._unscored is None and self._known is None:
            rmse = math.sqrt(self._squared / self._compared)
            scores = {"mae": self._absolute / self._compared, "rmse": rmse}
        elif self._unscored is None:
            scores = {"accuracy": self._right / self._compared}
        matrix = None if self._matrix is None else self._matrix.tolist()
        return {"scores": scores, "scores_reason": self._unscored, "confusion_matrix": matrix}
