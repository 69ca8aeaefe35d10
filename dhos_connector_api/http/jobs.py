"""Requests on their way from the event loop to a thread, and answers on their way back.

What waits for a thread is bounded in number and in time: while threads stand still, because the database
does, a request is told at once to come again, and not after a minute.
"""

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import Context
from typing import Any, NamedTuple, ParamSpec

from dhos_connector_api import clock
from dhos_connector_api.errors import ClientGone, Overloaded
from dhos_connector_api.http import call

P = ParamSpec("P")

#: Requests that may wait for a thread of a process, and seconds each of them may.
MOST_WAITING, LONGEST_WAIT = 1000, 4.0
#: Seconds between two looks at who has waited for too long.
_LOOKS_EVERY = 0.5


class Answer(NamedTuple):
    """A whole answer, as ASGI sends it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Ticket:
    """A request's place among those that wait: where its answer is awaited, until a thread has begun it."""

    __slots__ = ("future", "submitted")

    def __init__(self, future: "Future[Answer]") -> None:
        self.submitted = clock.monotonic()
        self.future: Future[Answer] | None = future

    @property
    def is_late(self) -> bool:
        """Whether it has waited for so long that it is not worked on any more."""
        return clock.monotonic() - self.submitted > LONGEST_WAIT


class Job:
    """A request for a thread: its WSGI environment, its context, and where the answer is awaited."""

    __slots__ = ("context", "environ", "future", "ticket")

    def __init__(self, environ: dict[str, Any], context: Context, future: "Future[Answer]") -> None:
        self.environ = environ
        self.context = context
        self.future = future
        self.ticket = Ticket(future)

    def begin(self) -> Exception | None:
        """Note that a thread has it now; return why it is not worth working on any more, or None."""
        self.ticket.future = None
        here = call.of_environ(self.environ)
        if here is not None and here.is_gone:
            return ClientGone("the client has left")
        if self.ticket.is_late:
            return _overloaded()
        return None

    def attempt(self, step: Callable[P, Answer], *given: P.args, **options: P.kwargs) -> Answer | Exception:
        """Return what a step answers in the request's context, or what it raises."""
        try:
            return self.context.run(step, *given, **options)
        except BaseException as error:  # noqa: BLE001  it rises again where the answer is awaited
            return as_failure(error)


class WaitingJobs:
    """The requests of one queue that no thread has begun yet, which begin in the order they came.

    Who has waited for too long is told so here: the threads may all stand still. It belongs to the event
    loop's thread.
    """

    def __init__(self) -> None:
        self._tickets: deque[Ticket] = deque()
        self._watches = False

    def add(self, ticket: Ticket) -> None:
        """Add a request. Raises Overloaded where too many wait, or the first for too long."""
        self._forget_begun()
        if self._tickets and (len(self._tickets) >= MOST_WAITING or self._tickets[0].is_late):
            raise _overloaded()
        self._tickets.append(ticket)
        if not self._watches:
            self._watches = True
            asyncio.get_running_loop().call_later(_LOOKS_EVERY, self._give_up_late)

    def _forget_begun(self) -> None:
        while self._tickets and self._tickets[0].future is None:
            self._tickets.popleft()

    def _give_up_late(self) -> None:
        """Answer those that are late. They keep their places: until a thread comes by, the queue is full."""
        self._forget_begun()
        for ticket in self._tickets:
            if not ticket.is_late:
                break
            future = ticket.future
            if future is not None and not future.done():
                future.set_exception(_overloaded())
        self._watches = bool(self._tickets)
        if self._watches:
            asyncio.get_running_loop().call_later(_LOOKS_EVERY, self._give_up_late)


def _overloaded() -> Overloaded:
    return Overloaded("the service is busy; Retry-After says when to go on")


def as_failure(error: BaseException) -> Exception:
    """Return what an awaited answer may raise: not what ends threads, nor a StopIteration."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"a handler raised {type(error).__name__}")


def hand_back(answered: Iterable[tuple[Job, Answer | Exception]]) -> None:
    """Give each answer, or what was raised, to whoever awaits it; one call for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Job, Answer | Exception]]] = {}
    for job, answer in answered:
        by_loop.setdefault(job.future.get_loop(), []).append((job, answer))
    for loop, given in by_loop.items():
        with suppress(RuntimeError):  # the event loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(_give_all, given)


def _give_all(answered: Iterable[tuple[Job, Answer | Exception]]) -> None:
    for job, answer in answered:
        if job.future.done():  # the client may have gone
            continue
        if isinstance(answer, Exception):
            job.future.set_exception(answer)
        else:
            job.future.set_result(answer)
