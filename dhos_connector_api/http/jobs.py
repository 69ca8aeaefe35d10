"""Requests on their way from the event loop to a thread, and answers on their way back."""

import asyncio
from asyncio import Future
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import Context
from typing import Any, NamedTuple, ParamSpec

P = ParamSpec("P")


class Answer(NamedTuple):
    """A whole answer, as ASGI sends it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Job(NamedTuple):
    """A request for a thread: its WSGI environment, its context, and where the answer is awaited."""

    environ: dict[str, Any]
    context: Context
    future: "Future[Answer]"

    def attempt(self, step: Callable[P, Answer], *given: P.args, **options: P.kwargs) -> Answer | Exception:
        """Return what a step answers in the request's context, or what it raises."""
        try:
            return self.context.run(step, *given, **options)
        except BaseException as error:  # noqa: BLE001  it rises again where the answer is awaited
            return as_failure(error)


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
