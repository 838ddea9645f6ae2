"""Update rules and schedules against their formulas."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.specs import Optimizer, Schedule
from models.training import optim, schedule

LR = 0.05


def weights_after(steps: int, spec: dict[str, Any], loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    module = nn.Module()
    module.weight = nn.Parameter(start.clone())
    rule = optim.make(Optimizer.model_validate(spec), module)
    optim.set_rate(rule, LR)
    for _ in range(steps):
        rule.zero_grad()
        torch.autograd.backward(loss(module.weight))
        rule.step()
    return module.weight.detach()


def test_gradient_descent_is_the_closed_form_on_a_linear_problem() -> None:
    """Least squares: w_k = w* + (I - lr H)^k (w_0 - w*), with H = X'X / n and H w* = X'y / n."""
    torch.manual_seed(0)
    x, y = torch.randn(40, 5, dtype=torch.float64), torch.randn(40, dtype=torch.float64)
    start, steps = torch.randn(5, dtype=torch.float64), 25
    hessian = x.T @ x / 40
    best = torch.linalg.solve(hessian, x.T @ y / 40)
    closed = best + torch.linalg.matrix_power(torch.eye(5) - LR * hessian, steps) @ (start - best)
    found = weights_after(steps, {"name": "gd"}, lambda w: (x @ w - y).square().sum() / 80, start)
    torch.testing.assert_close(found, closed, rtol=1e-12, atol=1e-13)


def formula(spec: Optimizer, gradient: Callable[[float], float], w: float, steps: int) -> float:
    """The rules as their papers (and PyTorch's documentation) write them, for one number."""
    velocity = first = second = 0.0
    b1, b2 = spec.betas
    for t in range(1, steps + 1):
        g = gradient(w)
        if spec.name == "adamw":
            w -= LR * spec.weight_decay * w  # decoupled
        else:
            g += spec.weight_decay * w
        if spec.name in ("adam", "adamw"):
            first, second = b1 * first + (1 - b1) * g, b2 * second + (1 - b2) * g * g
            w -= LR * (first / (1 - b1**t)) / (math.sqrt(second / (1 - b2**t)) + spec.eps)
        elif spec.name == "rmsprop":
            second = 0.99 * second + 0.01 * g * g
            velocity = spec.momentum * velocity + g / (math.sqrt(second) + spec.eps)
            w -= LR * velocity
        else:
            velocity = spec.momentum * velocity + g
            w -= LR * (g + spec.momentum * velocity if spec.nesterov else velocity)
    return w


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "gd"},
        {"name": "gd", "weight_decay": 0.3},
        {"name": "sgd"},
        {"name": "sgd", "momentum": 0.9, "weight_decay": 0.1},
        {"name": "sgd", "momentum": 0.9, "nesterov": True},
        {"name": "adam"},
        {"name": "adam", "betas": [0.5, 0.8], "eps": 0.1, "weight_decay": 0.2},
        {"name": "adamw", "weight_decay": 0.2},
        {"name": "rmsprop"},
        {"name": "rmsprop", "momentum": 0.7, "eps": 0.01, "weight_decay": 0.1},
    ],
    ids=lambda spec: "-".join(map(str, spec.values())),
)
def test_every_rule_is_its_formula(spec: dict[str, Any]) -> None:
    start = torch.tensor([2.0, -0.5, 0.1], dtype=torch.float64)
    found = weights_after(12, spec, lambda w: (w**4 / 4 + w.sin()).sum(), start)
    wanted = [
        formula(Optimizer.model_validate(spec), lambda w: w**3 + math.cos(w), value, 12) for value in start.tolist()
    ]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=1e-10, atol=1e-12)


def rates(fields: dict[str, Any], steps: int = 100, steps_per_epoch: int = 10) -> list[float]:
    spec = Schedule.model_validate(fields)
    return [schedule.factor(spec, step, steps_per_epoch, steps) for step in range(steps)]


def test_constant_and_warm_up() -> None:
    assert rates({}) == [1.0] * 100
    assert rates({"warmup_steps": 4})[:6] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_step_multiplies_by_gamma_every_step_epochs() -> None:
    found = rates({"name": "step", "step_epochs": 3, "gamma": 0.5})
    assert [found[0], found[29], found[30], found[59], found[60]] == [1.0, 1.0, 0.5, 0.5, 0.25]


def test_cosine_falls_to_the_final_ratio() -> None:
    found = rates({"name": "cosine", "warmup_steps": 20, "final_ratio": 0.2})
    assert found[19] == found[20] == 1.0
    assert found[60] == pytest.approx(0.6)  # half way between 1 and 0.2
    assert found[20:] == sorted(found[20:], reverse=True)
    assert found[-1] == pytest.approx(0.2, abs=0.001)


def test_one_cycle_rises_for_three_tenths_and_falls() -> None:
    found = rates({"name": "one_cycle", "final_ratio": 0.01})
    assert found[0] == pytest.approx(1 / 25)
    assert max(found) == found[30] == 1.0
    assert found[:31] == sorted(found[:31])
    assert found[30:] == sorted(found[30:], reverse=True)
    assert found[-1] == pytest.approx(0.01, abs=0.001)


@pytest.mark.parametrize("fields", [{"name": "cosine", "warmup_steps": 5}, {"name": "one_cycle"}, {"warmup_steps": 5}])
def test_a_run_shorter_than_its_warm_up_has_rates(fields: dict[str, Any]) -> None:
    assert all(0 < rate <= 1 for rate in rates(fields, steps=1))
