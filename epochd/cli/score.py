"""How good a network is, in a word: the score that its task is judged by."""

from collections.abc import Mapping


def score(scores: Mapping[str, float | None]) -> str:
    """Accuracy as a share; perplexity; or the root of the mean squared error, in the targets' own units."""
    if (accuracy := scores.get("accuracy")) is not None:
        return f"{accuracy:.2%}"
    if (perplexity := scores.get("perplexity")) is not None:
        return f"perplexity {perplexity:.4g}"
    return f"RMSE {scores['rmse']:.4g}"


def against(baseline: Mapping[str, float | None] | None) -> str:
    """What a forecast is compared with, or nothing."""
    return "" if baseline is None else f" (the {baseline['name']} forecast has {score(baseline)})"
