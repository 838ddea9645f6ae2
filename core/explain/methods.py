"""The methods by their names, with what each can be asked."""

from typing import Literal, get_args

import numpy as np

from core.errors import Invalid
from core.explain import shapley
from core.explain.game import Explanation, Game
from core.explain.occlusion import occlude
from core.explain.surrogate import lime

Method = Literal["kernel_shap", "lime", "exact_shapley", "occlusion"]
METHODS: tuple[Method, ...] = get_args(Method)
USUAL_SAMPLES = 1024


def explain(method: Method, game: Game, samples: int | None, seed: int) -> Explanation:
    """Play a game by a method; the same seed gives the same values.

    Raises:
        Invalid: too few ``samples`` or too many players for it, or it has no choice of samples.
    """
    players = game.players
    if method in ("exact_shapley", "occlusion"):
        if samples is not None:
            needed = 2**players if method == "exact_shapley" else players + 2
            raise Invalid(f"{method} asks about {needed:,} samples here, no more and no fewer; leave it out", _SAMPLES)
        if method == "occlusion":
            return occlude(game)
        if players > shapley.MOST_EXACT:
            raise Invalid(
                f"exact_shapley is for at most {shapley.MOST_EXACT} players and there are {players}: lower grid or "
                f"segments, or use kernel_shap",
                "#/query/method",
            )
        return shapley.exact(game)
    samples = USUAL_SAMPLES if samples is None else samples
    least = min(2 * players + 2, 2**players)
    if samples < least:
        raise Invalid(f"{players} players need at least {least} samples for {method}, or fewer players", _SAMPLES)
    generator = np.random.default_rng(seed)
    return lime(game, samples, generator) if method == "lime" else shapley.kernel(game, samples, generator)


_SAMPLES = "#/query/samples"
