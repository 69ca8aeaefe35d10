"""From frames to acknowledgements: read, keep together, and say what goes back. Runs off the event loop.

Only what is committed gets an answer; a frame that could not be stored gets None, and its sender no
acknowledgement.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection

from dhos_connector_api import clock, log
from dhos_connector_api.db.engine import FAILURES, Database
from dhos_connector_api.deliveries import send
from dhos_connector_api.deliveries.send import Sending
from dhos_connector_api.hl7v2 import batch, modes, rules
from dhos_connector_api.hl7v2.acknowledge import acknowledge, frameable
from dhos_connector_api.hl7v2.batch import File
from dhos_connector_api.hl7v2.framing import Frame, framed
from dhos_connector_api.hl7v2.modes import Condition, Due
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.intake import keep_together as keeping
from dhos_connector_api.intake import receive_hl7
from dhos_connector_api.intake.keep_together import Patience
from dhos_connector_api.intake.receive_batch import answer_batch, receive_batch, take_apart
from dhos_connector_api.intake.receive_hl7 import Door, Intake, Receipt, Received, ack_control_id
from dhos_connector_api.mllp.admission import TOO_LONG, TOO_MANY
from dhos_connector_api.mllp.terms import Listener

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame that waits to be answered: from which listener, through which door, under which id."""

    frame: Frame
    listener: Listener
    door: Door
    correlation_id: str


#: Queues an application acknowledgement in the transaction that keeps its message: the connection of
#: that transaction, what it answers, and the receipt with the bytes to send (`ack`). What it gives is
#: counted after the commit.
SendLater = Callable[[Connection, Taken, Receipt], Sending | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, framed and in order, and the code of each acknowledgement in it."""

    content: bytes
    codes: tuple[str, ...]


class Desk:
    """Answers groups of frames. `intake` says what messages are received with now."""

    def __init__(
        self, database: Database, intake: Callable[[], Intake], send_later: SendLater | None
    ) -> None:
        self._database = database
        self._intake = intake
        self._send_later = send_later

    def answer(self, group: Sequence[Taken]) -> list[Answer | None]:
        """Store these frames and give the answer to each; None where storing failed.

        Raises SiteUnavailable while the site's configuration has never been fetched: none is stored.
        """
        intake = self._intake()
        files = [_file(taken) for taken in group]
        single = [taken for taken, file in zip(group, files, strict=True) if file is None]
        answers = iter(self._answer_messages(single, intake))
        return [
            next(answers) if file is None else _surely(self._answer_batch, taken, file, intake)
            for taken, file in zip(group, files, strict=True)
        ]

    def _answer_messages(self, group: Sequence[Taken], intake: Intake) -> list[Answer | None]:
        answers: list[Answer | None] = []
        patience, frames = Patience(), iter(group)
        for read in keeping.groups(_receive(taken, intake) for taken in group):
            taken = list(islice(frames, len(read)))
            kept = self._keep(taken, read, patience)
            answers += [_surely(_answer, *each) for each in zip(taken, read, kept, strict=True)]
        return answers

    def _answer_batch(self, taken: Taken, file: File, intake: Intake) -> Answer | None:
        log.correlation_id.set(taken.correlation_id)
        receipts = receive_batch(
            file,
            self._database,
            intake,
            created_by=taken.listener.name,
            correlation_id=taken.correlation_id,
            door=taken.door,
        )
        if receipts is None:
            return None
        codes = tuple(str(receipt.code or Code.AR) for receipt in receipts)
        return Answer(framed(answer_batch(file, receipts)), codes)

    def _keep(
        self, group: Sequence[Taken], read: Sequence[Received], patience: Patience
    ) -> list[Receipt | None]:
        """A receipt for each; those whose acknowledgement is a delivery are kept each with its own."""
        kept: dict[int, Receipt | None] = {}
        together: list[Received] = []
        for taken, each in zip(group, read, strict=True):
            if _answers_later(taken, each):
                kept[id(each)] = _surely(self._keep_to_deliver, taken, each, patience)
            else:
                together.append(each)
        together.sort(key=keeping.order)
        receipts = keeping.keep_together(self._database, together, patience)
        kept |= {id(each): receipt for each, receipt in zip(together, receipts, strict=True)}
        return [kept[id(each)] for each in read]

    def _keep_to_deliver(self, taken: Taken, received: Received, patience: Patience) -> Receipt | None:
        """Store one message and, in the same transaction, the delivery of its application acknowledgement."""
        if not patience.left:
            return None
        log.correlation_id.set(taken.correlation_id)
        sending, began = None, clock.monotonic()
        try:
            with self._database.transaction() as connection:
                receipt = receive_hl7.keep(connection, received)
                if self._send_later is not None and _due(taken, received, receipt).application:
                    sending = self._send_later(connection, taken, receipt)
        except FAILURES as error:
            patience.failed(error, began)
            _log.error("a message was not stored", extra=keeping.about(received, error))
            return None
        patience.succeeded()
        if sending is not None:
            send.count(sending)
        return receipt


def _surely(step: Callable[..., Result | None], taken: Taken, *rest: Any) -> Result | None:
    """What a step gives for one frame; a failure of ours costs that frame its answer, and no other."""
    try:
        return step(taken, *rest)
    except Exception as error:  # noqa: BLE001  the last resort, frame by frame
        log.correlation_id.set(taken.correlation_id)
        _log.error("a frame was not answered", extra={"cause": log.where(error)})
        return None


def _file(taken: Taken) -> File | None:
    """The batch a frame brings, where it brings one that can be taken."""
    content = taken.frame.content
    return take_apart(content) if taken.frame.whole and batch.is_batch(content) else None


def _receive(taken: Taken, intake: Intake) -> Received:
    """Read one message. What begins as a batch does comes here when it has too many messages."""
    log.correlation_id.set(taken.correlation_id)
    door = taken.door
    if not taken.frame.whole:
        door = _TOO_LONG
    elif batch.is_batch(taken.frame.content):
        door = _TOO_MANY
    return receive_hl7.receive(
        taken.frame.content,
        intake,
        created_by=taken.listener.name,
        correlation_id=taken.correlation_id,
        door=door,
    )


_TOO_LONG = Door(objects=lambda _message: TOO_LONG, answers_unreadable=True)
_TOO_MANY = Door(objects=lambda _message: TOO_MANY, answers_unreadable=True)


def _answers_later(taken: Taken, received: Received) -> bool:
    """Whether an application acknowledgement travels by itself; original mode has no other to send."""
    if taken.listener.application_ack != "delivery" or received.message is None:
        return False
    asked = modes.wanted(received.message, taken.listener.mode).application
    return asked is not None and asked is not Condition.NEVER


def _answer(taken: Taken, received: Received, receipt: Receipt | None) -> Answer | None:
    if receipt is None:
        return None
    log.correlation_id.set(taken.correlation_id)
    receive_hl7.count(received, receipt)
    parts = _parts(taken, received, receipt)
    return Answer(b"".join(framed(ack) for _, ack in parts), tuple(code for code, _ in parts))


def _parts(taken: Taken, received: Received, receipt: Receipt) -> list[tuple[str, bytes]]:
    """The acknowledgements for this connection, in order, each with its code."""
    message = received.message
    application = (str(receipt.code or Code.AR), frameable(receipt.ack or b""))
    if message is None:
        return [application]
    due = _due(taken, received, receipt)
    parts: list[tuple[str, bytes]] = []
    if due.accept is not None:
        now = clock.now()
        control_id = ack_control_id(clock.new_uuid(now))
        accept = frameable(acknowledge(message, due.accept, control_id=control_id, now=now))
        parts.append((due.accept.code, accept))
    if due.application and not _answers_later(taken, received):
        parts.append(application)
    return parts


def _due(taken: Taken, received: Received, receipt: Receipt) -> Due:
    if received.message is None or received.verdict is None:
        return Due(None, application=True)
    return modes.due(modes.wanted(received.message, taken.listener.mode), _verdict(received.verdict, receipt))


def _verdict(first: Verdict, receipt: Receipt) -> Verdict:
    """The verdict a message was answered by in the end."""
    repeats = {"replay": rules.ACCEPTED, "reject": rules.REPEATED, "conflict": rules.DUPLICATE}
    return repeats.get(receipt.repeat or "", first)
