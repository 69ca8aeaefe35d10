"""One HL7 v2 message: read and judge it, keep it, or find that it is known.

All thinking (`read`) comes before anything is written. `keep` and `known` run on a connection that
commits each statement, or in a transaction of the caller's; each writes by one statement at most, so
that nothing is ever half kept. Nobody answers before that is committed.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.actions.hl7.extract import extract
from dhos_connector_api.actions.hl7.facts import Facts, facts, header_facts
from dhos_connector_api.actions.hl7.left_out import left_out
from dhos_connector_api.actions.hl7.merges import merges
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2 import read as reading
from dhos_connector_api.hl7v2 import rules
from dhos_connector_api.hl7v2.acknowledge import acknowledge, refuse_unreadable
from dhos_connector_api.hl7v2.read import Defect, Message, read_text
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.intake import claims
from dhos_connector_api.intake.arrival import Arrival, Collision, Intake, Outcome, Read, Receipt
from dhos_connector_api.intake.control_ids import ack_control_id, content_hash, duplicate_key
from dhos_connector_api.log import where
from dhos_connector_api.messages import store
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.store import Effects, KeyHolder, NewMessage
from dhos_connector_api.outbox.models import SENDER_LENGTH

_log = logging.getLogger(__name__)

#: Messages in one transaction (more would gain little, and hold their keys for long), and bytes of
#: messages and of their envelopes after which it takes no more.
MOST, MOST_BYTES = 64, 4_000_000
#: `keep` is one statement, and so its own transaction.
IN_TRANSACTION = False
#: Whatever keeps one message from being stored, those that came with it are stored all the same.
PASSED_OVER: tuple[type[Exception], ...] = (Exception,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hl7Read(Read):
    """A message, read and judged; both are None when it is unreadable."""

    row: NewMessage
    message: Message | None = None
    verdict: Verdict | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether it is answered AA, unless it is known."""
        return self.verdict is not None and self.verdict.code is Code.AA

    @property
    def is_claimed(self) -> bool:
        """Whether its sender is claimed by other doors: then it is refused, whatever its control id."""
        return self.verdict is claims.CLAIMED


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What goes back. `code` is None for an unreadable message, and `content` as its door says."""

    content: bytes | None
    code: Code | None
    charset: str | None


def read(arrival: Arrival, intake: Intake) -> Hl7Read:
    """Return what the bytes say and how they are answered. Never raises, whatever they are."""
    try:
        message = reading.read(
            arrival.raw,
            default_charset=intake.site.inbound.default_charset,
            received_on=arrival.at.astimezone(intake.zone).date(),
        )
    except UnreadableMessage:
        return Hl7Read(arrival=arrival, intake=intake, row=_unreadable(arrival))
    return _judged(message, arrival, intake)


def _unreadable(arrival: Arrival) -> NewMessage:
    """The row of bytes without MSH, answered where the door does so."""
    if not arrival.door.answers_unreadable:
        return _row(arrival, state=MessageState.UNPARSEABLE)
    ack = refuse_unreadable(Code.AR, control_id=ack_control_id(arrival.uuid), now=arrival.at)
    return _row(arrival, state=MessageState.UNPARSEABLE, ack=ack, ack_status=Code.AR.value)


def _row(arrival: Arrival, **facts: Any) -> NewMessage:
    """The message by which an arrival is kept; made once, as copies of so many columns cost much."""
    return NewMessage(
        uuid=arrival.uuid,
        kind=arrival.kind,
        at=arrival.at,
        created_by=arrival.caller,
        src_description="tie",
        dst_description="dhos",
        correlation_id=arrival.correlation_id,
        received=arrival.raw,
        door=arrival.door_name,
        **facts,
    )


def _judged(message: Message, arrival: Arrival, intake: Intake) -> Hl7Read:
    known = Facts()
    try:
        known = header_facts(message, intake.zone)
        understood = _transformed(message, intake)
        header = known if understood is message else None
        known = facts(understood, intake.site, intake.zone, header)
        verdict = (
            claims.objection(intake.site.inbound.claims, arrival.door.name, message)
            or arrival.door.objects(message)
            or rules.judge(understood, intake.site.inbound)
        )
        if verdict.code is Code.AA:
            effects = _effects(message, understood, known, arrival, intake)
        else:
            effects = Effects(identifiers=known.identifiers)
    except Exception as error:  # noqa: BLE001  a failure of ours is stored with its AE, to be replayed
        extra = {"message_uuid": str(arrival.uuid), "cause": where(error)}
        _log.error("message could not be read", extra=extra)
        verdict, effects = rules.OWN_FAILURE, Effects(identifiers=known.identifiers)
    row = _row(
        arrival,
        content=message.text,
        charset=message.charset,
        message_type=known.message_type or None,
        event_code=known.event_code or None,
        sending_application=known.sending_application or None,
        sending_facility=known.sending_facility or None,
        message_control_id=known.control_id or None,
        sent_at=known.sent_at,
        **_answer(message, verdict, arrival),
    )
    return Hl7Read(
        arrival=arrival,
        intake=intake,
        row=row,
        effects=effects,
        asks_first=verdict.code is not Code.AA and verdict is not claims.CLAIMED and bool(message.control_id),
        message=message,
        verdict=verdict,
    )


def _transformed(message: Message, intake: Intake) -> Message:
    """The message as the site's transformer understands it; the acknowledgement keeps the original."""
    if intake.transform is None:
        return message
    about_bytes = message.defects & {Defect.INVALID_CHARACTERS, Defect.NUL}
    text = intake.transform(message.text)
    return read_text(text, charset=message.charset, defects=about_bytes, received_on=message.received_on)


def _answer(message: Message, verdict: Verdict, arrival: Arrival) -> dict[str, Any]:
    """What a verdict puts into the message's row: the acknowledgement, the state, and why."""
    return {
        "ack": acknowledge(message, verdict, control_id=ack_control_id(arrival.uuid), now=arrival.at),
        "state": MessageState.ACCEPTED if verdict.code is Code.AA else MessageState.REFUSED,
        "ack_status": verdict.code.value,
        "error_code": verdict.error,
        "error_location": verdict.location,
        "error_text": verdict.text,
    }


def _effects(
    message: Message, understood: Message, known: Facts, arrival: Arrival, intake: Intake
) -> Effects:
    """What an accepted message brings with it.

    Key and hash are those of the message as sent; `understood` is what the transformer made of it
    and `known` its facts. Envelope ids follow from its uuid: a replay publishes under the same.
    """
    envelopes = extract(
        understood,
        site=intake.site,
        zone=intake.zone,
        message_uuid=arrival.uuid,
        correlation_id=arrival.correlation_id,
    )
    return Effects(
        key=duplicate_key(message),
        content_hash=content_hash(message),
        sender=f"{known.sending_application}|{known.sending_facility}"[:SENDER_LENGTH],
        identifiers=known.identifiers,
        merges=merges(understood, intake.site),
        envelopes=envelopes,
        left_out=left_out(understood, intake.site, intake.zone),
    )


def keep(connection: Connection, read: Hl7Read) -> Receipt | None:
    """Store the message with all that follows from it; None where another holds its control id."""
    window = read.intake.duplicate_window
    return first_receipt(read) if store.insert(connection, read.row, read.effects, window=window) else None


def keep_all(database: Database, reads: Sequence[Hl7Read]) -> dict[UUID, Receipt]:
    """Store messages in one transaction and one trip; return the receipts of those that were new, by uuid.

    They are committed then. Where one fails it raises, and none of them is kept.
    """
    pairs = [(each.row, each.effects) for each in reads]
    new = store.insert_all(database, pairs, window=reads[0].intake.duplicate_window)
    return {each.uuid: first_receipt(each) for each, kept in zip(reads, new, strict=True) if kept}


def first_receipt(read: Hl7Read) -> Receipt:
    """Return the receipt of a message that was stored, and was no repeat."""
    row = read.row
    answer = Acknowledgement(row.ack, read.verdict.code if read.verdict else None, row.charset)
    error = None
    if answer.content is None:
        error = UnreadableMessage(f"no MSH segment can be read; the bytes are kept as {row.uuid}")
    return Receipt(row.uuid, Outcome(row.state), answer, error)


def known(connection: Connection, read: Hl7Read) -> Receipt | None:
    """Answer a message whose control id another message holds; None where it is not one.

    What was accepted once stays acknowledged, even where today's rules would refuse it.
    """
    message = read.message
    key = None if message is None or read.is_claimed else duplicate_key(message)
    if message is None or key is None:  # never a duplicate; but an earlier try of ours may have gone through
        return first_receipt(read) if store.is_kept(connection, read.uuid) else None
    window = read.intake.duplicate_window
    holder = store.key_holder(connection, key, at=read.row.at, window=window)
    return None if holder is None else _answered_by(connection, read, message, holder)


def _answered_by(
    connection: Connection, read: Hl7Read, message: Message, holder: KeyHolder
) -> Receipt | None:
    if holder.message_uuid == read.uuid:  # an earlier try of ours went through, and only its answer was lost
        return first_receipt(read)
    if holder.content_hash != content_hash(message):
        if not read.is_accepted:
            return None
        return _refused(connection, read, message, holder, rules.DUPLICATE, Outcome.CONFLICT)
    if read.intake.duplicate_policy == "reject":
        return _refused(connection, read, message, holder, rules.REPEATED, Outcome.REPEAT_REFUSED)
    return _acknowledged_again(connection, read, message, holder)


def _refused(
    connection: Connection,
    read: Hl7Read,
    message: Message,
    holder: KeyHolder,
    verdict: Verdict,
    outcome: Outcome,
) -> Receipt:
    """Store a message whose control id is taken; it claims no key and is kept in any case."""
    row = replace(read.row, duplicate_of=holder.message_uuid, **_answer(message, verdict, read.arrival))
    collision = _collision(row, holder) if outcome is Outcome.CONFLICT else None
    if collision is not None:
        row = replace(row, error_text=f"{verdict.text} It came through {collision.door}.")
    effects = Effects(identifiers=read.effects.identifiers)
    store.insert(connection, row, effects, window=read.intake.duplicate_window)
    answer = Acknowledgement(row.ack, verdict.code, row.charset)
    return Receipt(row.uuid, outcome, answer, collision=collision)


def _collision(row: NewMessage, holder: KeyHolder) -> Collision | None:
    """The holder of the control id, where it is known to have come through another door."""
    if row.door is None or holder.door in {None, row.door}:
        return None
    return Collision(holder.message_uuid, str(holder.door))


def _acknowledged_again(
    connection: Connection, read: Hl7Read, message: Message, holder: KeyHolder
) -> Receipt:
    """Count a repeat on the message that holds the key, and answer as that one was answered."""
    store.count_repeat(connection, holder.key, at=read.row.at)
    ack, charset = holder.ack, holder.charset
    if ack is None or holder.ack_status != Code.AA:
        # The first answer is gone (its month was dropped), or a replay accepted what was refused
        # then: the sender asks whether we have it, and we do.
        control_id, now = ack_control_id(holder.message_uuid), read.row.at
        ack = acknowledge(message, rules.ACCEPTED, control_id=control_id, now=now)
        charset = message.charset
    return Receipt(holder.message_uuid, Outcome.REPEATED, Acknowledgement(ack, Code.AA, charset))
