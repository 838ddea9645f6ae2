"""Explanations of games whose answers are known."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.encode import Preprocessing
from core.errors import Invalid
from core.explain import Explanation, Game, Method, Parts, divide, explain

Output = Callable[[NDArray[Any]], NDArray[np.float64]]
STEPS = 10


def series(steps: int) -> NDArray[np.float32]:
    """A series of ones: a baseline of zeros shows exactly who was left in."""
    return np.ones((1, steps, 1), np.float32)


def play(output: Output, players: int = STEPS) -> Game:
    """A game whose players are the steps of a series; ``output`` is told who was left in, [N, players]."""
    preprocessing = Preprocessing("series", (players, 1), None, "none", (0.0,), (1.0,))
    found = divide(preprocessing, series(players), Parts(segments=players, baseline="zeros"))
    return Game(found, lambda samples: output(samples[..., 0].astype(np.float64)))


def rough(players: int, seed: int = 0) -> Output:
    """A function with interactions of all orders."""
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(players, 16)), generator.normal(size=16)
    return lambda left: np.tanh(left @ first) @ second


def linear(players: int) -> tuple[Output, NDArray[np.float64]]:
    weights = np.random.default_rng(1).normal(size=players)
    return lambda left: left @ weights + 0.25, weights


def ask(method: Method, output: Output, players: int = STEPS, samples: int | None = None, seed: int = 0) -> Explanation:
    return explain(method, play(output, players), samples, seed)


def test_kernel_shap_over_all_coalitions_is_exact() -> None:
    exact = ask("exact_shapley", rough(STEPS))
    kernel = ask("kernel_shap", rough(STEPS), samples=2**STEPS)
    assert np.abs(exact.values - kernel.values).max() < 1e-6
    assert exact.samples == kernel.samples == 2**STEPS
    assert abs(exact.additivity_gap) < 1e-9
    assert abs(kernel.additivity_gap) < 1e-9


def test_shapley_values_are_those_of_the_definition() -> None:
    """Averaged over all orders in which three players can come."""
    output = rough(3)
    wanted = np.zeros(3)
    for order in permutations(range(3)):
        left = np.zeros((1, 3))
        for player in order:
            before = output(left)[0]
            left[0, player] = 1
            wanted[player] += (output(left)[0] - before) / 6
    assert np.abs(ask("exact_shapley", output, 3).values - wanted).max() < 1e-12


def test_sampled_kernel_shap_comes_closer_with_more_samples() -> None:
    players = 12
    exact = ask("exact_shapley", rough(players), players).values

    def error(samples: int) -> float:
        asked = [ask("kernel_shap", rough(players), players, samples, seed) for seed in range(5)]
        assert all(abs(one.additivity_gap) < 1e-9 for one in asked)
        assert all(one.samples <= samples for one in asked)
        return float(np.mean([np.abs(one.values - exact).mean() for one in asked]))

    errors = [error(samples) for samples in (64, 256, 1024)]
    assert errors[0] > 1.5 * errors[1] > 1.5**2 * errors[2]
    assert errors[2] < 0.1 * np.abs(exact).mean()


@pytest.mark.parametrize("method", ["kernel_shap", "exact_shapley", "occlusion"])
def test_a_linear_model_is_told_exactly(method: Method) -> None:
    output, weights = linear(STEPS)
    found = ask(method, output)
    assert np.abs(found.values - weights).max() < 1e-9
    assert found.base == pytest.approx(0.25)
    assert found.output == pytest.approx(weights.sum() + 0.25)
    assert found.r2 is None or found.r2 == pytest.approx(1)


@pytest.mark.parametrize("method", ["kernel_shap", "lime"])
def test_a_linear_model_of_many_players_is_found_from_samples(method: Method) -> None:
    output, weights = linear(60)
    found = ask(method, output, 60, 4000)
    assert np.abs(found.values - weights).max() < 0.02
    assert found.r2 is not None
    assert found.r2 > 0.999
    assert abs(found.additivity_gap) < 0.05


def test_what_lime_says_is_the_ridge_regression_near_the_sample() -> None:
    """The weighted least squares of all coalitions, solved by other means than ours."""
    players = 6
    found = ask("lime", rough(players), players, 200_000)
    left = ((np.arange(2**players)[:, None] >> np.arange(players)) & 1).astype(np.float64)
    distances = 1 - np.sqrt(left.mean(1))
    roots = np.sqrt(np.exp(-np.square(distances / 0.25) / 2))
    design = np.column_stack([left, np.ones(len(left))]) * roots[:, None]
    wanted = np.linalg.lstsq(design, rough(players)(left) * roots, rcond=None)[0]
    assert np.abs(found.values - wanted[:-1]).max() < 0.02
    assert found.base == pytest.approx(wanted[-1], abs=0.02)


def test_players_that_do_nothing_or_the_same_are_told_so() -> None:
    found = ask("kernel_shap", lambda left: left[:, 0] * left[:, 1] + 0 * left[:, 2], STEPS, 2**STEPS)
    assert np.abs(found.values - np.array([0.5, 0.5] + [0] * (STEPS - 2))).max() < 1e-9


def test_occlusion_sees_no_part_that_another_stands_in_for() -> None:
    found = ask("occlusion", lambda left: left[:, :2].max(1), 3)
    assert found.values.tolist() == [0, 0, 0]
    assert found.additivity_gap == -1
    assert found.samples == 5


def test_the_same_seed_gives_the_same_values() -> None:
    for method in ("kernel_shap", "lime"):
        one, same, other = (ask(method, rough(20), 20, 128, seed).values for seed in (3, 3, 4))
        assert (one == same).all()
        assert (one != other).any()


@pytest.mark.parametrize("method", ["kernel_shap", "exact_shapley", "occlusion"])
def test_one_player_is_all_there_is(method: Method) -> None:
    found = ask(method, lambda left: 3 * left[:, 0] + 1, 1)
    assert found.output == pytest.approx(4)
    assert found.values.sum() == pytest.approx(3)


def test_an_answer_that_never_changes_has_no_fit() -> None:
    for method in ("kernel_shap", "lime"):
        found = ask(method, lambda left: np.full(len(left), 0.5))
        assert found.r2 is None
        assert np.abs(found.values).max() < 1e-12


@pytest.mark.parametrize(
    ("method", "samples", "pointer"),
    [
        ("exact_shapley", None, "#/query/method"),
        ("kernel_shap", 16, "#/query/samples"),
        ("lime", 16, "#/query/samples"),
        ("occlusion", 100, "#/query/samples"),
    ],
)
def test_what_cannot_be_asked_points_at_the_field(method: Method, samples: int | None, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        ask(method, rough(20), 20, samples)
    assert caught.value.errors[0][0] == pointer


def test_a_game_can_be_ended_between_batches() -> None:
    seen: list[int] = []

    def check(done: int) -> None:
        seen.append(done)
        if done >= 128:
            raise Invalid("too long")

    preprocessing = Preprocessing("series", (20, 1), None, "none", (0.0,), (1.0,))
    players = divide(preprocessing, series(20), Parts(segments=20, baseline="zeros"))
    with pytest.raises(Invalid):
        explain("lime", Game(players, lambda samples: samples[:, 0, 0].astype(float), check), 1000, 0)
    assert seen == [0, 64, 128]
