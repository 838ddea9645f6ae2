"""The learning rate as a pure function of the step: nothing to save, nothing to restore."""

import math

from core.specs import Schedule

_ONE_CYCLE_RISE = 0.3
"""Share of the run in which one_cycle rises; from 1/25 of the peak, as Smith and Topin (2018) and PyTorch."""
_ONE_CYCLE_START = 1 / 25


def factor(schedule: Schedule, step: int, steps_per_epoch: int, total_steps: int | None) -> float:
    """What the peak rate is multiplied with in update ``step`` (counted from 0).

    ``total_steps`` is known for cosine and one_cycle (the spec makes sure).
    """
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    match schedule.name:
        case "constant":
            return 1.0
        case "step":
            return schedule.gamma ** (step // steps_per_epoch // schedule.step_epochs)
        case "cosine":
            assert total_steps is not None
            share = (step - schedule.warmup_steps) / max(1, total_steps - schedule.warmup_steps)
            return _cosine(1.0, schedule.final_ratio, share)
        case "one_cycle":
            assert total_steps is not None
            rise = _ONE_CYCLE_RISE * total_steps
            if step < rise:
                return _cosine(_ONE_CYCLE_START, 1.0, step / rise)
            return _cosine(1.0, schedule.final_ratio, (step - rise) / (total_steps - rise))


def _cosine(start: float, end: float, share: float) -> float:
    """Half a cosine wave from ``start`` (share 0) to ``end`` (share 1)."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
