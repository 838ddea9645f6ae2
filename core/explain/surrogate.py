"""LIME: a linear model that answers like the real one near a sample (Ribeiro, Singh & Guestrin 2016)."""

import numpy as np

from core.explain.game import Explanation, Game, r_squared

WIDTH = 0.25
"""Of the kernel over the cosine distance, as in the authors' programs."""
RIDGE = 1.0


def lime(game: Game, samples: int, generator: np.random.Generator) -> Explanation:
    """Each player is left in by the toss of a coin; what keeps more of the sample weighs more in a ridge regression."""
    coalitions = generator.random((samples, game.players)) < 0.5
    coalitions[0] = True
    coalitions, counts = np.unique(coalitions, axis=0, return_counts=True)  # sorted: the whole sample comes last
    answers = game(coalitions)
    left = coalitions.astype(np.float64)
    distances = 1 - np.sqrt(left.mean(1))
    weights = counts * np.sqrt(np.exp(-np.square(distances / WIDTH)))
    means, mean = np.average(left, 0, weights), float(np.average(answers, weights=weights))
    centred = left - means
    normal = (centred * weights[:, None]).T @ centred + RIDGE * np.eye(game.players)
    values = np.linalg.solve(normal, (centred * weights[:, None]).T @ (answers - mean))
    base = mean - float(means @ values)
    r2 = r_squared(answers, base + left @ values, weights)
    return Explanation(values, base, float(answers[-1]), r2, game.asked)
