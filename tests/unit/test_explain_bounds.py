"""Explanations under load: they hold threads of their own, so many and no more, and end with the process."""

import asyncio
import threading
from typing import Any

import loop
import numpy as np
import pytest
from numpy.typing import NDArray
from stack import PATIENCE
from starlette.types import Message

from api.serving.explain import MOST, Explain, Question
from api.serving.versions import Version
from core.encode import Preprocessing
from core.errors import Invalid, Overloaded
from core.explain import Parts

SAMPLE = np.ones((1, 20, 1), np.float32)


class Slow:
    """A model that thinks until it is told to go on."""

    def __init__(self, model_id: str = "mdl") -> None:
        preprocessing = Preprocessing("series", (20, 1), None, "none", (0.0,), (1.0,))
        self.version = Version("slow", model_id, 1, "", preprocessing, ["a", "b"])
        self.asked, self.go_on = threading.Event(), threading.Event()

    def compute(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        self.asked.set()
        assert self.go_on.wait(PATIENCE)
        return np.concatenate([samples[:, 0], samples[:, 1]], 1).astype(np.float32)


def question(**fields: Any) -> Question:
    return Question(**{"method": "kernel_shap", "target": None, "samples": 64, "parts": Parts(), "seed": 0, **fields})


async def waits() -> Message:
    """What a client that does not go sends: nothing more."""
    return await asyncio.Event().wait()  # type: ignore[return-value]


async def all_taken() -> None:
    models, runtime = [Slow("mdl_1"), Slow("mdl_2")], Explain(PATIENCE)  # one alone does not get all places
    loaded: Any = models
    under_way = [asyncio.create_task(runtime.answer(loaded[n % 2], SAMPLE, question(), waits)) for n in range(MOST)]
    while not models[0].asked.is_set():  # the event loop, in which predictions are answered, is not held up
        await asyncio.sleep(0.01)
    with pytest.raises(Overloaded):
        await runtime.answer(loaded[0], SAMPLE, question(), waits)
    for model in models:
        model.go_on.set()
    answers = await asyncio.gather(*under_way)
    assert all(answer == answers[0] for answer in answers)
    assert (await runtime.answer(loaded[0], SAMPLE, question(), waits)) == answers[0]
    runtime.close()


def test_what_is_too_much_is_told_to_come_back() -> None:
    loop.run(all_taken())


@pytest.mark.parametrize(
    ("method", "parts", "samples", "field"),
    [
        ("lime", Parts(), 64, "samples"),
        ("occlusion", Parts(), None, "segments"),
        ("exact_shapley", Parts(segments=4, few=True), None, "segments"),
    ],
)
def test_what_takes_too_long_names_what_to_lower(method: Any, parts: Parts, samples: int | None, field: str) -> None:
    model, runtime = Slow(), Explain(0)
    loaded: Any = model
    with pytest.raises(Invalid) as caught:
        loop.run(runtime.answer(loaded, SAMPLE, question(method=method, parts=parts, samples=samples), waits))
    assert caught.value.errors[0][0] == f"#/query/{field}"
    assert not model.asked.is_set()
    runtime.close()


async def closed() -> None:
    model, runtime = Slow(), Explain(PATIENCE)
    loaded: Any = model
    task = asyncio.create_task(runtime.answer(loaded, SAMPLE, question(), waits))
    while not model.asked.is_set():
        await asyncio.sleep(0.01)
    runtime.close()
    model.go_on.set()
    with pytest.raises(Invalid):
        await task


def test_the_end_of_the_process_is_not_held_up() -> None:
    loop.run(closed())
