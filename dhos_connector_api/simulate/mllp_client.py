"""An MLLP client for tests and load: several connections, at a rate, resending until acknowledged."""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from dhos_connector_api import clock
from dhos_connector_api.deliveries.transports.mllp_line import Receiver
from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2 import modes
from dhos_connector_api.hl7v2.framing import Deframer, Frame, framed
from dhos_connector_api.hl7v2.modes import Condition, Wanted
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.simulate.answers import LOST, SILENT, Answer, understood

_CHUNK = 65_536
_LARGEST_ANSWER = 10_000_000
#: Seconds before a message is sent again: doubled from the first to the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How messages are sent. `rate` is in messages a second over all connections, None: no limit.

    Each connection has one message in flight, which has `timeout` seconds for its acknowledgement.
    With `until_acknowledged` one that got none is sent again, on a new connection, until it gets one.
    Where MSH-15 and MSH-16 allow silence (neither says AL), silence for that time is an answer.
    """

    connections: int = 1
    rate: float | None = None
    timeout: float = 30.0
    until_acknowledged: bool = False


OnAnswer = Callable[[Answer], None]


async def send_all(messages: Iterable[bytes], receiver: Receiver, plan: Plan, on_answer: OnAnswer) -> None:
    """Send every message and tell what it was answered; one connection keeps their order.

    Raises ConnectionError where nobody can be connected to, unless it is to go on until acknowledged.
    """
    source = _Source(messages, plan.rate)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(plan.connections):
                group.create_task(_Client(receiver, plan, on_answer).work(source))
    except* ConnectionError as failed:
        raise ConnectionError(*failed.exceptions[0].args) from None


class _Source:
    """The messages, one after the other, each when its time has come."""

    def __init__(self, messages: Iterable[bytes], rate: float | None) -> None:
        self._messages = iter(messages)
        self._pause = 1 / rate if rate else 0.0
        self._due = clock.monotonic()

    async def next(self) -> bytes | None:
        """The next one; None: there is no more."""
        message = next(self._messages, None)
        if message is not None and self._pause:
            due = max(self._due, clock.monotonic() - 1)  # what was missed longer ago is not made up for
            self._due = due + self._pause
            await asyncio.sleep(due - clock.monotonic())
        return message


class _Client:
    """One connection at a time."""

    def __init__(self, receiver: Receiver, plan: Plan, on_answer: OnAnswer) -> None:
        self._receiver = receiver
        self._plan = plan
        self._on_answer = on_answer
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._answers = Deframer(_LARGEST_ANSWER)

    async def work(self, source: _Source) -> None:
        """Send what the source gives, to its end."""
        try:
            while (message := await source.next()) is not None:
                self._on_answer(await self._deliver(message))
        finally:
            await self._hang_up()

    async def _deliver(self, message: bytes) -> Answer:
        control_id, asked = _asked(message)
        attempts, pause = 0, _FIRST_PAUSE
        while True:
            attempts += 1
            try:
                reader, writer = self._streams or await self._connect()
            except OSError as error:
                stranger = isinstance(error, ssl.SSLCertVerificationError)  # it will be one next time too
                if stranger or not self._plan.until_acknowledged:
                    raise ConnectionError(type(error).__name__) from None
            else:
                answer = await self._attempt(reader, writer, message, control_id, asked)
                if answer is not None:
                    return replace(answer, attempts=attempts)
                await self._hang_up()
                if not self._plan.until_acknowledged:
                    return Answer(LOST, control_id, attempts=attempts)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        where = self._receiver
        name = where.host if where.tls else None
        async with asyncio.timeout(self._plan.timeout):
            self._streams = await asyncio.open_connection(
                where.host, where.port, ssl=where.tls, server_hostname=name
            )
        return self._streams

    async def _attempt(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        message: bytes,
        control_id: str,
        asked: Wanted,
    ) -> Answer | None:
        """The answer to one message, None: it got none. Where none is asked for none is waited for."""
        began, written = clock.monotonic(), False
        try:
            async with asyncio.timeout(self._plan.timeout):
                writer.write(framed(message))
                await writer.drain()
                written = True
                if asked == modes.NOTHING:
                    return Answer(SILENT)
                return await self._answer(reader, control_id, began)
        except TimeoutError:
            return _silence(asked, control_id) if written else None
        except OSError:
            return None

    async def _answer(self, reader: asyncio.StreamReader, control_id: str, began: float) -> Answer | None:
        while True:
            while (event := self._answers.take()) is not None:
                if isinstance(event, Frame):
                    answer = understood(event.content, clock.monotonic() - began)
                    if answer.control_id in {control_id, ""}:
                        return answer
                    self._on_answer(replace(answer, late=True))
            data = await reader.read(_CHUNK)
            if not data:
                return None
            self._answers.feed(data)

    async def _hang_up(self) -> None:
        if self._streams is not None:
            writer = self._streams[1]
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        self._streams, self._answers = None, Deframer(_LARGEST_ANSWER)


def _asked(message: bytes) -> tuple[str, Wanted]:
    """The control id, and what MSH-15 and MSH-16 ask for."""
    try:
        header = read(message)
    except UnreadableMessage:
        return "-", modes.ORIGINAL
    return header.control_id or "-", modes.wanted(header)


def _silence(asked: Wanted, control_id: str) -> Answer | None:
    """Return what silence means: taken where only errors are answered (ER), refused with SU, else nothing."""
    if asked == modes.ORIGINAL or Condition.ALWAYS in {asked.accept, asked.application}:
        return None
    return Answer(SILENT if modes.silent_when_taken(asked) else LOST, control_id)
