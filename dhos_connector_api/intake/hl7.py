"""One HL7 v2 message: keep what has been read of it, or find that it is known, and what is answered then.

`hl7_read` does all thinking before anything is written. `keep` and `known` run on a connection that
commits each statement, or in a transaction of the caller's; each writes by one statement at most, so
that nothing is ever half kept. Nobody answers before that is committed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2 import rules
from dhos_connector_api.hl7v2.acknowledge import acknowledge
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.intake.arrival import Collision, Outcome, Receipt
from dhos_connector_api.intake.control_ids import ack_control_id, content_hash, duplicate_keys, own_key
from dhos_connector_api.intake.hl7_read import Hl7Read, answered, read
from dhos_connector_api.messages import store
from dhos_connector_api.messages.store import Effects, KeyHolder, NewMessage

__all__ = [
    "IN_TRANSACTION",
    "MOST",
    "MOST_BYTES",
    "PASSED_OVER",
    "Acknowledgement",
    "keep",
    "keep_all",
    "known",
    "read",
]

#: Messages in one transaction (more would gain little, and hold their keys for long), and bytes of
#: messages and of their envelopes after which it takes no more.
MOST, MOST_BYTES = 64, 4_000_000
#: `keep` is one statement, and so its own transaction.
IN_TRANSACTION = False
#: Whatever keeps one message from being stored, those that came with it are stored all the same.
PASSED_OVER: tuple[type[Exception], ...] = (Exception,)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What goes back. `code` is None for an unreadable message, and `content` as its door says."""

    content: bytes | None
    code: Code | None
    charset: str | None


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
    restart_daily = read.intake.site.inbound.control_ids_restart_daily
    keys = () if message is None or read.is_claimed else duplicate_keys(message, restart_daily=restart_daily)
    if message is None or not keys:  # never a duplicate; but an earlier try of ours may have gone through
        return first_receipt(read) if store.is_kept(connection, read.uuid) else None
    holder = _holder(connection, read, message, keys)
    return None if holder is None else _answered_by(connection, read, message, holder)


def _holder(
    connection: Connection, read: Hl7Read, message: Message, keys: Sequence[bytes]
) -> KeyHolder | None:
    """The message that holds one of these keys with the same content, or the first with other content."""
    at, window = read.row.at, read.intake.duplicate_window
    first = store.key_holder(connection, keys[0], at=at, window=window)
    if first is not None and first.content_hash == _content(read, message):
        return first
    others = keys[1:] if first is None else (*keys[1:], own_key(message))
    holders = store.key_holders(connection, others, at=at, window=window)
    return next((each for each in holders if each.content_hash == _content(read, message)), first)


def _content(read: Hl7Read, message: Message) -> bytes:
    """The hash of its content, which is there already where it is accepted."""
    return read.effects.content_hash or content_hash(message)


def _answered_by(
    connection: Connection, read: Hl7Read, message: Message, holder: KeyHolder
) -> Receipt | None:
    if holder.message_uuid == read.uuid:  # an earlier try of ours went through, and only its answer was lost
        return first_receipt(read)
    if holder.content_hash != _content(read, message):
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
    row = replace(read.row, duplicate_of=holder.message_uuid, **answered(message, verdict, read.arrival))
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
