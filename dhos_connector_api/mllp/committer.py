"""Threads that answer frames in groups: whatever waits when one is free is committed together."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

from dhos_connector_api.log import where
from dhos_connector_api.metrics import MLLP_GROUP
from dhos_connector_api.mllp.answering import Answer, Taken

_log = logging.getLogger(__name__)

Done = Callable[[Answer | None], None]


class _Job(NamedTuple):
    taken: Taken
    done: Done


class Committer:
    """`threads` threads that call `answer` with groups of up to `most` frames.

    A group is what waits when a thread becomes free: alone, a frame is not kept waiting for company,
    and the more arrive the cheaper each one gets. `submit` and `done` belong to the event loop's
    thread.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Taken]], Sequence[Answer | None]],
        loop: asyncio.AbstractEventLoop,
        *,
        name: str,
        threads: int,
        most: int,
    ) -> None:
        self._answer = answer
        self._loop = loop
        self._most = most
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, taken: Taken, done: Done) -> None:
        """Have a frame answered; `done` gets the answer, or None where there must not be one."""
        self._jobs.put(_Job(taken, done))

    def close(self, *, seconds: float) -> None:
        """Let the threads end once they have answered what was submitted; wait so long for each."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(seconds)

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            group = self._gather(first)
            MLLP_GROUP.observe(len(group))
            answers = self._answers(group)
            with suppress(RuntimeError):  # the event loop has ended, and nobody waits any more
                self._loop.call_soon_threadsafe(_hand_back, group, answers)

    def _gather(self, first: _Job) -> list[_Job]:
        group = [first]
        with suppress(Empty):
            while len(group) < self._most:
                job = self._jobs.get_nowait()
                if job is None:
                    self._jobs.put(None)  # one of the threads is to end; it will be this one, later
                    break
                group.append(job)
        return group

    def _answers(self, group: Sequence[_Job]) -> Sequence[Answer | None]:
        try:
            return self._answer([job.taken for job in group])
        except Exception as error:  # noqa: BLE001  the last resort: a thread must not end, nobody waits for ever
            _log.error("frames were not answered", extra={"frames": len(group), "cause": where(error)})
            return [None] * len(group)


def _hand_back(group: Sequence[_Job], answers: Sequence[Answer | None]) -> None:
    for job, answer in zip(group, answers, strict=True):
        job.done(answer)
