"""Threads that work on whatever waits when one is free: alone, nothing waits for company."""

import logging
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

from dhos_connector_api.log import where

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Gatherer(Generic[T]):
    """`threads` threads that call `work` with up to `most` of what was submitted; the more waits, the more.

    gatherer = Gatherer(store_all, name="store", threads=1, most=64)
    gatherer.submit(request)
    gatherer.close()
    """

    def __init__(self, work: Callable[[list[T]], None], *, name: str, threads: int, most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: SimpleQueue[T | None] = SimpleQueue()
        self._threads = [Thread(target=self._run, name=f"{name}-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, each: T) -> None:
        """Hand in what is worked on by itself or with others."""
        self._waiting.put(each)

    def close(self, seconds: float | None = None) -> None:
        """End the threads once they have worked on what was submitted; wait so long for each, or for good."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(seconds)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group = self._gathered(first)
            try:
                self._work(group)
            except BaseException as error:  # noqa: BLE001  a thread must not end: nobody else works on the rest
                _log.error("a group was not worked on", extra={"number": len(group), "cause": where(error)})
            del first, group  # while the next one is waited for, nothing of this one is held

    def _gathered(self, first: T) -> list[T]:
        group = [first]
        with suppress(Empty):
            while len(group) < self._most:
                each = self._waiting.get_nowait()
                if each is None:
                    self._waiting.put(None)  # one of the threads is to end, later
                    break
                group.append(each)
        return group
