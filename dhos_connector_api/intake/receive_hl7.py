"""Receive one HL7 v2 message: read it, judge it, keep it, acknowledge it.

`receive` does all the thinking before anything is written; `keep` writes by one statement, on a
connection that commits each (`Database.statements`) or in a transaction of the caller's. Only when
that is committed does the caller answer with the receipt's acknowledgement.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.actions.hl7.extract import extract
from dhos_connector_api.actions.hl7.facts import Facts, facts, header_facts
from dhos_connector_api.actions.hl7.merges import merges
from dhos_connector_api.errors import StorageBusy, UnreadableMessage
from dhos_connector_api.hl7v2 import rules
from dhos_connector_api.hl7v2.acknowledge import acknowledge, refuse_unreadable
from dhos_connector_api.hl7v2.read import Defect, Message, read, read_text
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.intake.metrics import RECEIVED, REPEATED
from dhos_connector_api.log import where
from dhos_connector_api.messages import store
from dhos_connector_api.messages.store import Effects, KeyHolder, NewMessage
from dhos_connector_api.outbox.models import SENDER_LENGTH
from dhos_connector_api.site.model import Site

_log = logging.getLogger(__name__)

#: Where MSH-7 stands when MSH is split at its separator, which is MSH-1 itself.
_MSH_7 = 6


@dataclass(frozen=True, slots=True)
class Intake:
    """What every message is received with."""

    site: Site
    zone: tzinfo  # of times that carry no offset
    duplicate_policy: str  # replay | reject
    duplicate_window: timedelta
    transform: Callable[[str], str] | None  # the site's own transformer


def _no_objection(_message: Message) -> Verdict | None:
    return None


@dataclass(frozen=True, slots=True)
class Door:
    """What the way in adds to the site's rules."""

    objects: Callable[[Message], Verdict | None] = _no_objection  # asked before the rules
    answers_unreadable: bool = False  # with AR, bytes without MSH; else the receipt has no `ack`


HTTP = Door()


@dataclass(frozen=True, slots=True)
class Received:
    """One message, read and judged; nothing is stored yet. `message` is None when unreadable."""

    message: Message | None
    verdict: Verdict | None
    row: NewMessage
    effects: Effects
    intake: Intake


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is kept and what to answer. `code` is None for an unreadable message, and `ack` as its door says.

    `repeat` says how a known control id was answered: replay, reject or conflict; None: it is new.
    """

    message_uuid: UUID
    ack: bytes | None
    code: Code | None
    charset: str | None
    repeat: str | None = None


def receive(
    raw: bytes,
    intake: Intake,
    *,
    created_by: str | None,
    correlation_id: str,
    door: Door = HTTP,
    message_uuid: UUID | None = None,
) -> Received:
    """Read `raw` and decide what to answer. Pure but for the clock; never raises for any bytes.

    `message_uuid` is given when a stored message is judged again; a new one gets a new one.
    """
    now = clock.now()
    row = NewMessage(
        uuid=message_uuid or clock.new_uuid(now),
        at=now,
        created_by=created_by,
        src_description="tie",
        dst_description="dhos",
        state="unparseable",
        correlation_id=correlation_id,
        received=raw,
        content=None,
        charset=None,
        ack=None,
    )
    try:
        message = read(raw, default_charset=intake.site.inbound.default_charset)
    except UnreadableMessage:
        return Received(None, None, _unreadable(row, door), Effects(), intake)
    return _judged(message, row, intake, door)


def _unreadable(row: NewMessage, door: Door) -> NewMessage:
    if not door.answers_unreadable:
        return row
    ack = refuse_unreadable(Code.AR, control_id=ack_control_id(row.uuid), now=row.at)
    return replace(row, ack=ack, ack_status=Code.AR.value)


def _judged(message: Message, row: NewMessage, intake: Intake, door: Door) -> Received:
    known = Facts()
    try:
        known = header_facts(message, intake.zone)
        understood = transformed(message, intake)
        header = known if understood is message else None
        known = facts(understood, intake.site, intake.zone, header)
        verdict = door.objects(message) or rules.judge(understood, intake.site.inbound)
        effects = Effects(identifiers=known.identifiers)
        if verdict.code is Code.AA:
            effects = effects_of(message, understood, known, row, intake)
    except Exception as error:  # noqa: BLE001  a failure of ours is stored with its AE, to be replayed
        _log.error("message could not be read", extra={"message_uuid": str(row.uuid), "cause": where(error)})
        verdict, effects = rules.OWN_FAILURE, Effects(identifiers=known.identifiers)
    row = replace(
        row,
        content=message.text,
        charset=message.charset,
        message_type=known.message_type or None,
        event_code=known.event_code or None,
        sending_application=known.sending_application or None,
        sending_facility=known.sending_facility or None,
        message_control_id=known.control_id or None,
        sent_at=known.sent_at,
        **_answer(message, verdict, row),
    )
    return Received(message, verdict, row, effects, intake)


def transformed(message: Message, intake: Intake) -> Message:
    """The message as the site's transformer understands it; the acknowledgement keeps the original."""
    if intake.transform is None:
        return message
    about_bytes = message.defects & {Defect.INVALID_CHARACTERS, Defect.NUL}
    return read_text(intake.transform(message.text), charset=message.charset, defects=about_bytes)


def _answer(message: Message, verdict: Verdict, row: NewMessage) -> dict[str, Any]:
    """What a verdict puts into the message's row: the acknowledgement, the state, and why."""
    return {
        "ack": acknowledge(message, verdict, control_id=ack_control_id(row.uuid), now=row.at),
        "state": "accepted" if verdict.code is Code.AA else "refused",
        "ack_status": verdict.code.value,
        "error_code": verdict.error,
        "error_location": verdict.location,
        "error_text": verdict.text,
    }


def ack_control_id(uuid: UUID) -> str:
    """MSH-10 of our acknowledgement: 20 characters, as v2.2 has room for: a counter and 48 random bits."""
    return uuid.hex[12:]


def effects_of(
    message: Message, understood: Message, known: Facts, row: NewMessage, intake: Intake
) -> Effects:
    """What an accepted message brings with it.

    Key and hash are those of the message as sent; `understood` is what the transformer made of it
    and `known` its facts. Envelope ids follow from `row.uuid`: a replay publishes under the same.
    """
    envelopes = extract(
        understood,
        site=intake.site,
        zone=intake.zone,
        message_uuid=row.uuid,
        correlation_id=row.correlation_id,
    )
    return Effects(
        key=duplicate_key(message),
        content_hash=content_hash(message),
        sender=f"{known.sending_application}|{known.sending_facility}"[:SENDER_LENGTH],
        identifiers=known.identifiers,
        merges=merges(understood, intake.site),
        envelopes=envelopes,
    )


def duplicate_key(message: Message) -> bytes | None:
    """SHA-256 of sender (MSH-3, MSH-4) and MSH-10: who may use a control id once.

    None where MSH-10 is empty, which is never a duplicate.
    """
    if not message.control_id:
        return None
    header = message.msh
    return _digest("\0".join((header.raw(3), header.raw(4), header.raw(10))))


def content_hash(message: Message) -> bytes:
    """SHA-256 of the content with line ends normalised and MSH-7 left out (a resend stamps anew)."""
    header = message.msh
    separator = header.raw(1)
    fields = header.line.split(separator)
    if len(fields) > _MSH_7:
        fields[_MSH_7] = ""
    rest = [line for line in message.lines if line is not header.line]
    return _digest("\r".join([separator.join(fields), *rest]))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def keep(connection: Connection, received: Received) -> Receipt:
    """Store the message, or find that it is a duplicate. The caller answers when it is committed.

    However it ends, one statement at most has written: nothing is ever half kept. Raises
    StorageUnavailable, StorageBusy when the answer would have to be guessed.
    """
    window = received.intake.duplicate_window
    message, verdict = received.message, received.verdict
    if message is None or verdict is None:
        store.insert(connection, received.row, Effects(), window=window)
        return first_receipt(received)
    accepted = verdict.code is Code.AA
    if accepted and store.insert(connection, received.row, received.effects, window=window):
        return first_receipt(received)
    key = duplicate_key(message)
    holder = None if key is None else store.key_holder(connection, key, at=received.row.at, window=window)
    repeats = holder is not None and holder.content_hash == content_hash(message)
    # An earlier try of ours may have gone through, and only its answer been lost.
    ours = holder is not None and holder.message_uuid == received.row.uuid
    if ours or (not accepted and not repeats):
        if not ours:
            store.insert(connection, received.row, received.effects, window=window)
        return first_receipt(received)
    if holder is None:
        raise StorageBusy("the control id was taken and released in the same moment")
    if not repeats:
        return _refused(connection, received, message, holder, rules.DUPLICATE, "conflict")
    # What was accepted once stays acknowledged, even where today's rules would refuse it.
    if received.intake.duplicate_policy == "reject":
        return _refused(connection, received, message, holder, rules.REPEATED, "reject")
    return _acknowledged_again(connection, received, message, holder)


def _refused(
    connection: Connection,
    received: Received,
    message: Message,
    holder: KeyHolder,
    verdict: Verdict,
    repeat: str,
) -> Receipt:
    """Store a message whose control id is taken; it claims no key and is kept in any case."""
    answer = _answer(message, verdict, received.row)
    row = replace(received.row, duplicate_of=holder.message_uuid, **answer)
    effects = Effects(identifiers=received.effects.identifiers)
    store.insert(connection, row, effects, window=received.intake.duplicate_window)
    return Receipt(row.uuid, row.ack, verdict.code, row.charset, repeat)


def _acknowledged_again(
    connection: Connection, received: Received, message: Message, holder: KeyHolder
) -> Receipt:
    """Count a repeat on the message that holds the key, and answer as that one was answered."""
    store.count_repeat(connection, holder.key, at=received.row.at)
    ack, charset = holder.ack, holder.charset
    if ack is None or holder.ack_status != Code.AA:
        # The first answer is gone (its month was dropped), or a replay accepted what was refused
        # then: the sender asks whether we have it, and we do.
        control_id, now = ack_control_id(holder.message_uuid), received.row.at
        ack = acknowledge(message, rules.ACCEPTED, control_id=control_id, now=now)
        charset = message.charset
    return Receipt(holder.message_uuid, ack, Code.AA, charset, "replay")


def first_receipt(received: Received) -> Receipt:
    """The receipt of a message that was stored, and was no repeat."""
    code = received.verdict.code if received.verdict else None
    return Receipt(received.row.uuid, received.row.ack, code, received.row.charset)


def count(received: Received, receipt: Receipt) -> None:
    """Count and log one answered message. Call it after the commit."""
    row = received.row
    accepted = received.intake.site.inbound.accepted
    code, _, trigger = (row.event_code or "").partition("_")
    event = row.event_code if trigger in accepted.get(code, ()) else "other"
    RECEIVED.labels(event, receipt.code or "unreadable").inc()
    if receipt.repeat:
        REPEATED.labels(receipt.repeat).inc()
    _log.info(
        "message received",
        extra={
            "message_uuid": str(receipt.message_uuid),
            "control_id": (row.message_control_id or "")[:64],
            "event": event,
            "ack": receipt.code,
            "error": row.error_code,
            "bytes": len(row.received),
        },
    )
