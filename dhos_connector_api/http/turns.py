"""Turns: so many at once, and nobody waits for one for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dhos_connector_api.errors import Overloaded


class Turns:
    """At most `number` at once; who has waited `seconds` for a turn in vain is told to come again.

    async with turns.one():
        await work()
    """

    def __init__(self, number: int, seconds: float) -> None:
        self._free = asyncio.Semaphore(number)
        self._seconds = seconds

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it until the block ends. Raises Overloaded."""
        if self._free.locked():
            try:
                async with asyncio.timeout(self._seconds):
                    await self._free.acquire()
            except TimeoutError:
                raise Overloaded("the service is busy; Retry-After says when to go on") from None
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()
