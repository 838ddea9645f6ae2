"""Shapley values: exactly, from all coalitions, or by KernelSHAP from some of them (Lundberg & Lee 2017)."""

import math

import numpy as np
from numpy.typing import NDArray

from core.explain.game import Coalitions, Explanation, Game, Numbers, r_squared

MOST_EXACT = 12
"""Players of which all 4,096 coalitions are asked about."""


def exact(game: Game) -> Explanation:
    """The mean of what a player adds to all coalitions without it, those of each size counting alike (Shapley 1953)."""
    players = game.players
    assert players <= MOST_EXACT
    coalitions = everyone(players)
    answers = game(coalitions)
    sizes = coalitions.sum(1)
    weights = np.array([1 / (players * math.comb(players - 1, size)) for size in range(players)])
    values = np.empty(players)
    for player in range(players):
        without = np.flatnonzero(~coalitions[:, player])
        added = answers[without | 1 << player] - answers[without]
        values[player] = weights[sizes[without]] @ added
    return Explanation(values, float(answers[0]), float(answers[-1]), None, game.asked)


def kernel(game: Game, samples: int, generator: np.random.Generator) -> Explanation:
    """KernelSHAP: the linear function that comes closest to the game, by the weights that make it the Shapley values.

    All coalitions are asked about where ``samples`` allow it, and the values are exact then. Else they are drawn by
    their weight, each with its complement, which halves the error (Covert & Lee 2021). That the values sum to the
    output is a constraint, by which the last of them is eliminated.
    """
    players = game.players
    if players == 1 or 2**players <= samples:
        coalitions = everyone(players)[1:-1]
        weights = shapley_weights(players)[coalitions.sum(1) - 1]
    else:
        coalitions, weights = _draw(players, (samples - 2) // 2, generator)
    base, output = game(np.array([[False], [True]]).repeat(players, 1))
    if players == 1:
        return Explanation(np.array([output - base]), float(base), float(output), None, game.asked)
    answers = game(coalitions) - base
    left = coalitions.astype(np.float64)
    last = left[:, -1]
    roots = np.sqrt(weights)
    design = (left[:, :-1] - last[:, None]) * roots[:, None]
    solved = np.linalg.lstsq(design, (answers - last * (output - base)) * roots, rcond=None)[0]
    values = np.append(solved, output - base - solved.sum())
    r2 = r_squared(answers, left @ values, weights)
    return Explanation(values, float(base), float(output), r2, game.asked)


def everyone(players: int) -> Coalitions:
    """All coalitions [2 ** players, players]; the bits of a row's number are its players."""
    found: NDArray[np.bool_] = (np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1
    return found


def shapley_weights(players: int) -> Numbers:
    """The kernel's weight of one coalition, by its size from 1 to players - 1."""
    sizes = range(1, players)
    return np.array([(players - 1) / (math.comb(players, size) * size * (players - size)) for size in sizes])


def _draw(players: int, pairs: int, generator: np.random.Generator) -> tuple[Coalitions, Numbers]:
    """Different coalitions, and how often each was drawn."""
    sizes = np.arange(1, players)
    shares = 1 / (sizes * (players - sizes))
    drawn = generator.choice(sizes, pairs, p=shares / shares.sum())
    ranks = generator.random((pairs, players)).argsort(1).argsort(1)
    some = ranks < drawn[:, None]
    found, counts = np.unique(np.concatenate([some, ~some]), axis=0, return_counts=True)
    return found, counts.astype(np.float64)
