"""Turns: so much at once, first come first served, and nobody waits for one for long."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dhos_connector_api.errors import Overloaded


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """One that waits for a turn of that size; it has it when `given` is done."""

    size: int
    given: "asyncio.Future[None]"


class Turns:
    """At most `room` at once, or one alone that is larger; who waits `seconds` in vain is told to come again.

    So is who comes while `most_waiting` wait already. It belongs to one event loop.

    async with turns.one(size):
        await work()
    """

    def __init__(self, room: int, seconds: float, most_waiting: float = math.inf) -> None:
        self._room = room
        self._seconds = seconds
        self._most_waiting = most_waiting
        self._taken = 0
        self._waiting: deque[_Waiting] = deque()

    @asynccontextmanager
    async def one(self, size: int = 1) -> AsyncIterator[None]:
        """Wait for a turn of that size, and have it until the block ends. Raises Overloaded."""
        if self._waiting or not self._fits(size):
            await self._wait(size)
        else:
            self._taken += size
        try:
            yield
        finally:
            self._taken -= size
            self._call_the_next()

    async def _wait(self, size: int) -> None:
        """Return when the turn has come: its size is taken already."""
        if len(self._waiting) >= self._most_waiting:
            raise self._overloaded()
        waiting = _Waiting(size, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        has_come = False
        try:
            done, _ = await asyncio.wait([waiting.given], timeout=self._seconds)
            has_come = bool(done)
        finally:
            if not has_come:
                self._give_up(waiting)
        if not has_come:
            raise self._overloaded()

    def _overloaded(self) -> Overloaded:
        return Overloaded("the service is busy; Retry-After says when to go on")

    def _give_up(self, waiting: _Waiting) -> None:
        """Leave the queue; a turn that was given in the same moment goes to the next."""
        if waiting.given.done():
            self._taken -= waiting.size
        else:
            self._waiting.remove(waiting)
        self._call_the_next()

    def _fits(self, size: int) -> bool:
        return self._taken == 0 or self._taken + size <= self._room

    def _call_the_next(self) -> None:
        while self._waiting and self._fits(self._waiting[0].size):
            waiting = self._waiting.popleft()
            self._taken += waiting.size
            waiting.given.set_result(None)
