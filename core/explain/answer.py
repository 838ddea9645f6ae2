"""From what a network says to the number that is explained, and from an explanation to the answer that is sent."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.encode import Preprocessing
from core.errors import Invalid
from core.explain.game import Explanation
from core.explain.players import Players, Samples
from core.predictions.answer import TOO_LARGE


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities [N, classes]."""
    found = logits.astype(np.float64)  # and from here on in place, by the plain functions: most are a few numbers
    found -= np.maximum.reduce(found, axis=1, keepdims=True)
    np.exp(found, out=found)
    found /= np.add.reduce(found, axis=1, keepdims=True)
    return found


def names(preprocessing: Preprocessing, classes: list[str]) -> tuple[str, ...]:
    """What can be explained: the classes, or the numbers that are foretold."""
    return tuple(classes) if preprocessing.targets is None else preprocessing.targets.names


def numbers(preprocessing: Preprocessing, outputs: NDArray[np.float32], samples: Samples) -> NDArray[np.float64]:
    """What a network says of raw samples, as [N, names]: probabilities, or numbers in their own units, of a forecast
    the mean of its rows.

    Raises:
        Invalid: an output is no finite number.
    """
    if not np.isfinite(outputs).all():
        raise Invalid(TOO_LARGE, "#/inputs/0")
    targets = preprocessing.targets
    if targets is None:
        return softmax(outputs)
    restored = targets.restore(outputs, samples)
    means: NDArray[np.float64] = restored if targets.horizon is None else restored.mean(1)
    return means


def chosen(preprocessing: Preprocessing, classes: list[str], target: str | None, said: NDArray[np.float64]) -> int:
    """Which of the names is explained: ``target``, else the likeliest class, or the first number.

    Raises:
        Invalid: nothing is called that.
    """
    known = names(preprocessing, classes)
    if target is None:
        return int(said.argmax()) if preprocessing.targets is None else 0
    if target not in known:
        some = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
        raise Invalid(f"there is no {target!r} in what this model answers; it knows {some}", "#/query/target")
    return known.index(target)


def express(preprocessing: Preprocessing, sample: Samples, players: Players, found: Explanation) -> dict[str, Any]:
    """The part of an answer that depends on the sample; JSON-able."""
    whole = sample[0]
    return {
        "kind": preprocessing.kind,
        "output": found.output,
        "base_value": found.base,
        "additivity_gap": found.additivity_gap,
        "r2": found.r2,
        "baseline": players.baseline,
        "samples": found.samples,
        "shape": [len(whole)] if isinstance(whole, str) else list(whole.shape),
        "players": [
            {"value": value, **place} for value, place in zip(found.values.tolist(), players.places, strict=True)
        ],
    }
