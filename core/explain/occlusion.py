"""Occlusion: how much the output falls when one part is taken away (Zeiler & Fergus 2014)."""

import numpy as np

from core.explain.game import Explanation, Game


def occlude(game: Game) -> Explanation:
    """Nothing is said about parts that stand in for each other; the values need not sum to anything."""
    others = ~np.eye(game.players, dtype=bool)
    rows = np.concatenate([np.array([[False], [True]]).repeat(game.players, 1), others])
    base, output, *without = game(rows).tolist()
    return Explanation(output - np.array(without), base, output, None, game.asked)
