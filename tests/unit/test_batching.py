"""Small questions are computed in the event loop, together with those that came in the same turn of it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import loop
import numpy as np
import pytest
from numpy.typing import NDArray

from api.serving import batching
from api.serving.batching import Batcher, Computed
from api.serving.threads import Threads


@dataclass
class Question:
    """What was asked, and what it was told."""

    samples: NDArray[Any]
    gone: bool = False
    told: list[Any] = field(default_factory=list)

    def answer(self, computed: Computed | Exception | None) -> None:
        self.told.append(computed)


def asked(compute: Callable[[NDArray[Any]], Computed], turns: list[list[Question]]) -> list[int]:
    """Ask in turns of the event loop; how many samples each run had."""
    runs: list[int] = []

    async def ask() -> None:
        with closing(Threads()) as threads:
            batcher = Batcher(compute, partial(threads.run, "m"), runs.append)
            assert not batcher.is_quick(np.zeros((1, 1)))  # who knows
            await batcher.run(np.zeros((1, 1)))
            assert batcher.is_quick(np.zeros((1, 1)))
            for questions in turns:
                for one in questions:
                    batcher.soon(one)
                while not all(one.told for one in questions):
                    await asyncio.sleep(0)

    loop.run(ask())
    return runs[1:]


def doubled(samples: NDArray[Any]) -> Computed:
    return (2 * samples,)


def questions(*counts: int) -> list[Question]:
    return [Question(np.full((count, 1), float(number))) for number, count in enumerate(counts)]


def test_what_comes_together_is_computed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "INLINE_SECONDS", 60.0)
    together, alone, many = questions(1, 3, 2), questions(1), questions(40, 30, 40)
    assert asked(doubled, [together, alone, many]) == [6, 1, 40, 30, 40]  # at most 64 in a run
    for one in (*together, *alone, *many):
        ((found,),) = one.told
        assert (found == 2 * one.samples).all() and found.shape == one.samples.shape


def test_who_has_gone_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "INLINE_SECONDS", 60.0)
    some, nobody = questions(1, 1, 1), questions(1)
    some[1].gone = nobody[0].gone = True
    assert asked(doubled, [some, nobody]) == [2]
    assert some[1].told == nobody[0].told == [None]


def test_a_failure_belongs_to_all_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "INLINE_SECONDS", 60.0)

    def failing(samples: NDArray[Any]) -> Computed:
        if samples.any():
            raise ValueError("no")
        return (samples,)

    some = questions(1, 1)
    asked(failing, [some])
    assert [type(one.told[0]) for one in some] == [ValueError, ValueError]


def test_a_run_stays_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "INLINE_SECONDS", 10.0)
    monkeypatch.setattr(Batcher, "_is_short", lambda self, units: self._seconds_a_unit is not None and units < 4)
    assert asked(doubled, [questions(1, 1, 1, 1, 1), questions(3, 3, 1)]) == [3, 2, 3, 3, 1]


def test_an_interruption_is_no_reason_to_leave_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "INLINE_SECONDS", 0.2)

    def interrupted(samples: NDArray[Any]) -> Computed:
        time.sleep(2.0 if samples.any() else 0.05)
        return (samples,)

    async def ask() -> None:
        with closing(Threads()) as threads:
            batcher = Batcher(interrupted, partial(threads.run, "m"), lambda count: None)
            await batcher.run(np.zeros((1, 1)))
            await batcher.run(np.ones((1, 1)))
            assert batcher.is_quick(np.zeros((1, 1)))
            await batcher.run(np.zeros((1, 1)))

    loop.run(ask())
