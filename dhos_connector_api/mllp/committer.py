"""Threads that answer frames in groups: whatever waits when one is free is committed together."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from dhos_connector_api.intake.gathering import Gatherer
from dhos_connector_api.log import where
from dhos_connector_api.mllp.answering import Answer, ReceivedFrame
from dhos_connector_api.mllp.metrics import MLLP_GROUP

_log = logging.getLogger(__name__)

Done = Callable[[Answer | None], None]


class PendingFrame(NamedTuple):
    """A frame to be answered, and the callback that gets its answer."""

    taken: ReceivedFrame
    done: Done


class Job:
    """A frame that waits to be answered, until a thread takes it or its connection takes it back."""

    __slots__ = ("_waiting",)

    def __init__(self, taken: ReceivedFrame, done: Done) -> None:
        self._waiting = [PendingFrame(taken, done)]

    def take(self) -> PendingFrame | None:
        """Return the frame and its callback to the first caller, then None; the job no longer holds them."""
        try:
            return self._waiting.pop()  # one step: no lock is needed
        except IndexError:
            return None


class Committer:
    """`threads` threads that call `answer` with groups of up to `most` frames.

    A group is what waits when a thread becomes free: alone, a frame is not kept waiting for company,
    and the more arrive the cheaper each one gets. `submit` and `done` belong to the event loop's
    thread.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[ReceivedFrame]], Sequence[Answer | None]],
        loop: asyncio.AbstractEventLoop,
        *,
        name: str,
        threads: int,
        most: int,
    ) -> None:
        self._answer = answer
        self._loop = loop
        self._gatherer = Gatherer(self._work, name=name, threads=threads, most=most)

    def submit(self, taken: ReceivedFrame, done: Done) -> Job:
        """Queue a frame to be answered; `done` gets the answer, or None where there must not be one.

        Who takes the job back in time hears nothing more of it, and nothing is stored.
        """
        job = Job(taken, done)
        self._gatherer.submit(job)
        return job

    def close(self, *, seconds: float) -> None:
        """End the threads once they have answered what was submitted; wait so long for each."""
        self._gatherer.close(seconds)

    def _work(self, jobs: Sequence[Job]) -> None:
        group = [each for job in jobs if (each := job.take()) is not None]
        if not group:
            return
        MLLP_GROUP.observe(len(group))
        answers = self._answers(group)
        with suppress(RuntimeError):  # the event loop has ended, and nobody waits any more
            self._loop.call_soon_threadsafe(_hand_back, group, answers)

    def _answers(self, group: Sequence[PendingFrame]) -> Sequence[Answer | None]:
        try:
            return self._answer([each.taken for each in group])
        except Exception as error:  # noqa: BLE001  the last resort: nobody waits for ever
            _log.error("frames were not answered", extra={"frames": len(group), "cause": where(error)})
            return [None] * len(group)


def _hand_back(group: Sequence[PendingFrame], answers: Sequence[Answer | None]) -> None:
    for each, answer in zip(group, answers, strict=True):
        each.done(answer)
