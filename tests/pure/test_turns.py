"""Turns: so much at once, first come first served, and nobody waits for long."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from dhos_connector_api.errors import Overloaded
from dhos_connector_api.http.turns import Turns


async def _work(turns: Turns, size: int, name: str, log: list[str], over: asyncio.Event) -> None:
    async with turns.one(size):
        log.append(name)
        await over.wait()


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_as_many_work_at_once_as_fit_and_the_others_in_the_order_they_came() -> None:
    async def scenario() -> list[str]:
        turns, log = Turns(10, 60), list[str]()
        overs = {name: asyncio.Event() for name in "abcd"}
        sizes = {"a": 6, "b": 4, "c": 9, "d": 1}
        tasks = []
        for name, size in sizes.items():
            tasks.append(asyncio.create_task(_work(turns, size, name, log, overs[name])))
            await _settle()
        assert log == ["a", "b"], "d is small enough for nothing: c came before it"
        for name in "abcd":
            overs[name].set()
            await _settle()
            log.append("|")
        await asyncio.gather(*tasks)
        return log

    assert "".join(asyncio.run(scenario())) == "ab|cd|||"


def test_one_larger_than_the_room_has_it_alone() -> None:
    async def scenario() -> None:
        turns = Turns(10, 0.01)
        async with turns.one(1):
            with pytest.raises(Overloaded):
                async with turns.one(11):
                    pass
        async with turns.one(11):
            with pytest.raises(Overloaded):
                async with turns.one(1):
                    pass

    asyncio.run(scenario())


@pytest.mark.parametrize("ending", ["patience", "cancelled", "cancelled with its turn"])
def test_who_leaves_gives_back_what_it_had(ending: str) -> None:
    async def scenario() -> None:
        turns, log, over = Turns(10, 0.01 if ending == "patience" else 60), list[str](), asyncio.Event()
        async with AsyncExitStack() as first:
            await first.enter_async_context(turns.one(10))
            leaving = asyncio.create_task(_work(turns, 10, "leaving", log, over))
            await _settle()
            if ending == "patience":
                with pytest.raises(Overloaded):
                    await leaving
            elif ending == "cancelled":
                leaving.cancel()
            else:
                await first.aclose()
                leaving.cancel()  # its turn has come, and it does not know
            await asyncio.gather(leaving, return_exceptions=True)
        for _ in range(3):
            async with turns.one(10):
                pass
        assert not log

    asyncio.run(scenario())


def test_who_gives_up_makes_room_for_those_behind() -> None:
    async def scenario() -> list[str]:
        turns, log, over = Turns(10, 60), list[str](), asyncio.Event()
        async with turns.one(5):
            large = asyncio.create_task(_work(turns, 6, "large", log, over))
            await _settle()
            small = asyncio.create_task(_work(turns, 5, "small", log, over))
            await _settle()
            large.cancel()
            await _settle()
            over.set()
            await small
        return log

    assert asyncio.run(scenario()) == ["small"]
