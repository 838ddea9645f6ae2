"""How good a network is, in a word: the score that its task is judged by."""

from collections.abc import Mapping
from typing import Any


def score(scores: Mapping[str, float | None]) -> str:
    """Accuracy as a share; bits per character; or the root of the mean squared error, in the targets' own units."""
    if (bits := scores.get("bits_per_character")) is not None:
        return f"{bits:.3f} bits per character"
    if (accuracy := scores.get("accuracy")) is not None:
        return f"{accuracy:.2%}"
    return f"RMSE {scores['rmse']:.4g}"


def against(baseline: Mapping[str, float | None] | None) -> str:
    """What a forecast is compared with, or nothing."""
    return "" if baseline is None else f" (the {baseline['name']} forecast has {score(baseline)})"


def answered(result: Mapping[str, Any]) -> str:
    """How many rows of a data set were answered, and how well."""
    scores = result["scores"]
    judged = f"not scored: {result['scores_reason']}" if scores is None else score(scores)
    word = "accuracy " if judged.endswith("%") else ""
    return f"{result['rows']:,} rows of {result['split']}, {word}{judged}"
