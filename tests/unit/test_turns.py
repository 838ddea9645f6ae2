"""Who waits is served in turn, model after model; whoever goes away is passed over."""

import asyncio
import threading
from contextlib import closing

import loop
import pytest
from stack import PATIENCE

from api.serving.shares import Shares
from api.serving.threads import Threads
from api.serving.turns import Turns
from core.errors import Overloaded


def test_one_of_another_model_waits_for_one_and_not_for_all() -> None:
    async def served() -> list[str]:
        turns, order, go_on = Turns(2), list[str](), asyncio.Event()

        async def ask(name: str) -> None:
            async with turns.of(name[0]):
                order.append(name)
                await go_on.wait()
                await asyncio.sleep(0)

        asking = []
        for name in [*(f"a{number}" for number in range(6)), "b0", "b1", "c0"]:
            asking.append(asyncio.create_task(ask(name)))
            await asyncio.sleep(0)
        assert order == ["a0", "a1"]
        asking[7].cancel()  # b1 does not wait for it
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*asking, return_exceptions=True)
        async with turns.of("d"), turns.of("d"):  # all places are free again
            pass
        return order

    assert loop.run(served()) == ["a0", "a1", "a2", "b0", "c0", "a3", "a4", "a5"]


def test_a_place_that_is_given_to_who_goes_is_not_lost() -> None:
    async def given() -> None:
        turns = Turns(1)
        first = turns.of("a")
        await first.__aenter__()

        async def wait() -> None:
            async with turns.of("b"):
                raise AssertionError("it was cancelled")

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        await first.__aexit__(None, None, None)
        waiting.cancel()  # in the turn of the loop in which it was given the place
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(5), turns.of("a"):
            pass

    loop.run(given())


def test_no_model_takes_all_places() -> None:
    shares = Shares(4)
    with shares.of("a"), shares.of("a"), shares.of("a"):
        with pytest.raises(Overloaded, match="3 predictions of this model"), shares.of("a"):
            raise AssertionError("it was refused")
        with shares.of("b"):
            pass
    with shares.of("a"):
        pass
    assert Shares(1).most == 1


def test_runs_in_threads_take_turns_too() -> None:
    order, go_on = list[str](), threading.Semaphore(0)

    def work(name: str) -> None:
        order.append(name)
        assert go_on.acquire(timeout=PATIENCE)

    async def until_begun(count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(order) < count:
                await asyncio.sleep(0.001)

    async def ask() -> None:
        with closing(Threads()) as threads:
            names = ["a0", "a1", "a2", "a3", "b0"]
            asking = [asyncio.create_task(threads.run(name[0], work, name)) for name in names]
            for begun in range(2, 6):
                await until_begun(begun)
                go_on.release()
            go_on.release()
            await asyncio.gather(*asking)

    loop.run(ask())
    assert sorted(order[:2]) == ["a0", "a1"] and order[2:] == ["a2", "b0", "a3"]
