"""From frames to acknowledgements: take them together, and work out what goes back. Runs off the event loop.

Only what is committed gets an answer; a frame that could not be stored gets None, and its sender no
acknowledgement.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock, log
from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries import send
from dhos_connector_api.hl7v2 import batch, modes, rules
from dhos_connector_api.hl7v2.acknowledge import acknowledge, frameable
from dhos_connector_api.hl7v2.batch import File
from dhos_connector_api.hl7v2.framing import START, Frame, framed
from dhos_connector_api.hl7v2.modes import Condition, Due
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.intake.arrival import Arrival, Door, Intake, Outcome, Receipt, arrived
from dhos_connector_api.intake.batch import answer_batch, take_apart, take_batch
from dhos_connector_api.intake.control_ids import ack_control_id
from dhos_connector_api.intake.hl7_read import Hl7Read
from dhos_connector_api.intake.take import AfterCommit, Effect
from dhos_connector_api.intake.together import take_together
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.mllp.admission import BLOCK_START, TOO_LONG, TOO_MANY
from dhos_connector_api.mllp.terms import Listener

_log = logging.getLogger(__name__)

#: By which verdict a message was answered in the end that was known.
_REPEATS = {
    Outcome.REPEATED: rules.ACCEPTED,
    Outcome.REPEAT_REFUSED: rules.REPEATED,
    Outcome.CONFLICT: rules.DUPLICATE,
}


@dataclass(frozen=True, slots=True)
class ReceivedFrame:
    """A frame that waits to be answered: from which listener, through which door, under which id."""

    frame: Frame
    listener: Listener
    door: Door
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes that go back, framed and in order, and the code of each acknowledgement in it."""

    content: bytes
    codes: tuple[str, ...]


class FrameAnswerer:
    """Answers groups of frames. `intake` gives what messages are read with now."""

    def __init__(self, database: Database, intake: Callable[[], Intake]) -> None:
        self._database = database
        self._intake = intake

    def answer(self, group: Sequence[ReceivedFrame]) -> list[Answer | None]:
        """Store these frames and return the answer to each; None where storing failed.

        Raises SiteUnavailable while the site's configuration has never been fetched: none is stored.
        """
        intake = self._intake()
        files = [_file(each) for each in group]
        single = [each for each, file in zip(group, files, strict=True) if file is None]
        answers = iter(self._answer_messages(single, intake))
        return [
            next(answers) if file is None else self._answer_batch(each, file, intake)
            for each, file in zip(group, files, strict=True)
        ]

    def _answer_messages(self, group: Sequence[ReceivedFrame], intake: Intake) -> list[Answer | None]:
        frames: dict[UUID, ReceivedFrame] = {}

        def arrivals() -> Iterator[Arrival]:
            for each in group:
                arrival = _arrival(each)
                frames[arrival.uuid] = each
                yield arrival

        def also(read: Hl7Read) -> Effect | None:
            return _effect(frames[read.uuid], read)

        taken = take_together(arrivals(), intake, self._database, also=also)
        return [_unless_we_fail(_answer, frames[each.read.uuid], each.read, each.receipt) for each in taken]

    def _answer_batch(self, received: ReceivedFrame, file: File, intake: Intake) -> Answer | None:
        return _unless_we_fail(self._take_batch, received, file, intake)

    def _take_batch(self, received: ReceivedFrame, file: File, intake: Intake) -> Answer | None:
        log.correlation_id.set(received.correlation_id)
        receipts = take_batch(
            file,
            intake,
            self._database,
            caller=received.listener.name,
            correlation_id=received.correlation_id,
            door=_batch_door(received),
        )
        if receipts is None:
            return None
        codes = tuple(str(receipt.answer.code or Code.AR) for receipt in receipts)
        return Answer(framed(answer_batch(file, receipts)), codes)


def _unless_we_fail(step: Callable[..., Answer | None], received: ReceivedFrame, *rest: Any) -> Answer | None:
    """Return what a step gives for one frame; a failure of ours costs that frame its answer, and no other."""
    try:
        return step(received, *rest)
    except Exception as error:  # noqa: BLE001  the last resort, frame by frame
        log.correlation_id.set(received.correlation_id)
        _log.error("a frame was not answered", extra={"cause": log.where(error)})
        return None


def _file(received: ReceivedFrame) -> File | None:
    """The batch a frame brings, where it brings one that can be taken."""
    content = received.frame.content
    return take_apart(content) if received.frame.whole and batch.is_batch(content) else None


def _arrival(received: ReceivedFrame) -> Arrival:
    """A frame as an arrival. What begins as a batch does comes here when it has too many messages."""
    door = received.door
    if not received.frame.whole:
        door = replace(door, objects=lambda _message: TOO_LONG, answers_unreadable=True)
    elif batch.is_batch(received.frame.content):
        door = replace(door, objects=lambda _message: TOO_MANY, answers_unreadable=True)
    elif START in received.frame.content:
        door = replace(door, objects=lambda message: received.door.objects(message) or BLOCK_START)
    return arrived(
        received.frame.content,
        Kind.HL7,
        caller=received.listener.name,
        correlation_id=received.correlation_id,
        door=door,
    )


def _batch_door(received: ReceivedFrame) -> Door:
    """The door of a batch's messages: it refuses those that 0B stands within."""
    door = received.door
    if START not in received.frame.content:
        return door
    start = START.decode("ascii")

    def objects(message: Message) -> Verdict | None:
        return door.objects(message) or (BLOCK_START if start in message.text else None)

    return replace(door, objects=objects)


def _effect(received: ReceivedFrame, read: Hl7Read) -> Effect | None:
    """Queues the application acknowledgement as a delivery, where it travels by itself."""
    if not _answers_later(received, read):
        return None

    def effect(connection: Connection, receipt: Receipt) -> AfterCommit | None:
        if not _due(received, read, receipt).application:
            return None
        sending = send.acknowledgement(
            receipt.answer.content or b"",
            charset=receipt.answer.charset,
            created_by=received.listener.name,
            correlation_id=received.correlation_id,
        )
        send.keep(connection, sending)
        return lambda: send.count(sending)

    return effect


def _answers_later(received: ReceivedFrame, read: Hl7Read) -> bool:
    """Return whether an application acknowledgement travels by itself; original mode has no other to send."""
    if received.listener.application_ack != "delivery" or read.message is None:
        return False
    asked = modes.wanted(read.message, received.listener.mode).application
    return asked is not None and asked is not Condition.NEVER


def _answer(received: ReceivedFrame, read: Hl7Read, receipt: Receipt | None) -> Answer | None:
    if receipt is None:
        return None
    log.correlation_id.set(received.correlation_id)
    parts = _parts(received, read, receipt)
    return Answer(b"".join(framed(ack) for _, ack in parts), tuple(code for code, _ in parts))


def _parts(received: ReceivedFrame, read: Hl7Read, receipt: Receipt) -> list[tuple[str, bytes]]:
    """The acknowledgements for this connection, in order, each with its code."""
    message = read.message
    ack = receipt.answer
    application = (str(ack.code or Code.AR), frameable(ack.content or b""))
    if message is None:
        return [application]
    due = _due(received, read, receipt)
    parts: list[tuple[str, bytes]] = []
    if due.accept is not None:
        now = clock.now()
        control_id = ack_control_id(clock.new_uuid(now))
        accept = frameable(acknowledge(message, due.accept, control_id=control_id, now=now))
        parts.append((due.accept.code, accept))
    if due.application and not _answers_later(received, read):
        parts.append(application)
    return parts


def _due(received: ReceivedFrame, read: Hl7Read, receipt: Receipt) -> Due:
    if read.message is None or read.verdict is None:
        return Due(None, application=True)
    verdict: Verdict = _REPEATS.get(receipt.outcome, read.verdict)
    return modes.due(modes.wanted(read.message, received.listener.mode), verdict)
