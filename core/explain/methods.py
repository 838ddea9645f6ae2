"""The methods by their names, with what each can be asked."""

from typing import Literal

import numpy as np

from core.errors import Invalid
from core.explain import shapley
from core.explain.game import Explanation, Game
from core.explain.occlusion import occlude
from core.explain.surrogate import lime

Method = Literal["kernel_shap", "lime", "exact_shapley", "occlusion"]
USUAL_SAMPLES = 1024


def explain(method: Method, game: Game, samples: int | None, seed: int) -> Explanation:
    """Play a game by a method; the same seed gives the same values.

    Raises:
        Invalid: as :func:`check`.
    """
    check(method, game.players, samples)
    match method:
        case "occlusion":
            return occlude(game)
        case "exact_shapley":
            return shapley.exact(game)
        case "lime":
            return lime(game, samples or USUAL_SAMPLES, np.random.default_rng(seed))
        case "kernel_shap":
            return shapley.kernel(game, samples or USUAL_SAMPLES, np.random.default_rng(seed))


def check(method: Method, players: int, samples: int | None) -> None:
    """Whether a method can do with that.

    Raises:
        Invalid: too few ``samples`` or too many players for it, or it has no choice of samples.
    """
    if method in ("lime", "kernel_shap"):
        least = min(2 * players + 2, 2**players)
        if samples is not None and samples < least:
            raise Invalid(f"{players} players need at least {least} samples for {method}, or fewer players", _SAMPLES)
        return
    if method == "exact_shapley" and players > shapley.MOST_EXACT:
        raise Invalid(
            f"exact_shapley is for at most {shapley.MOST_EXACT} players and there are {players}: lower grid or "
            f"segments, or use kernel_shap",
            "#/query/method",
        )
    if samples is not None:
        needed = 2**players if method == "exact_shapley" else players + 2
        raise Invalid(f"{method} asks about {needed:,} samples here, no more and no fewer; leave it out", _SAMPLES)


_SAMPLES = "#/query/samples"
