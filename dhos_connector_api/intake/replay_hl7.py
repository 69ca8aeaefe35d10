"""Replays an HL7 message: publish it again, or accept now what was refused when it came."""

from dataclasses import replace

from sqlalchemy import Connection

from dhos_connector_api.errors import Conflict, NotFound
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.intake.control_ids import content_hash, duplicate_keys, own_key
from dhos_connector_api.intake.hl7_read import Hl7Read
from dhos_connector_api.intake.stored import Replayed, Stored, accept, arrival_of
from dhos_connector_api.intake.take import read_one
from dhos_connector_api.messages import store
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.store import Effects
from dhos_connector_api.messages.views import RECEIVED
from dhos_connector_api.outbox import store as outbox

_HELD = "another message has its control id, or it was accepted meanwhile"


def replay_hl7(
    connection: Connection, stored: Stored, read: Hl7Read, by: str, *, force_new: bool
) -> Replayed:
    """Return what was done with a message that was read again.

    An accepted one is published as it was, and as it reads now where outbox rows are pruned; a refused
    one is accepted if it would be now. With `force_new` an accepted one is left alone, and a refused one
    taken under a key of its own: once, however many copies of it are stored, and a resend is known then.
    Raises NotFound where it is gone by now; Conflict when another message has its control id, or says
    the same.
    """
    if not store.lock(connection, [stored.uuid]):  # it had its time, and was removed just now
        raise NotFound("there is no message with that uuid")
    if stored.state is MessageState.ACCEPTED:
        return Replayed(stored.uuid, 0, done_before=True) if force_new else _publish(connection, stored, read)
    if read.message is None or not read.is_accepted:
        return Replayed(stored.uuid, 0, refusal=read.verdict)
    _refuse_known(connection, stored, read, read.message)
    effects = read.effects
    if force_new:
        effects = replace(effects, key=own_key(read.message))
    window = read.intake.duplicate_window
    if not accept(connection, stored, effects, window=window, by=by, keeps_duplicate_of=force_new):
        raise Conflict(_HELD)
    return Replayed(stored.uuid, len(effects.envelopes), accepted_now=True)


def _publish(connection: Connection, stored: Stored, read: Hl7Read) -> Replayed:
    queued = outbox.republish(connection, stored.uuid)
    if read.is_accepted:
        queued += _queue_missing(connection, stored, read.effects)
        store.note_left_out(connection, stored.uuid, read.effects.left_out)
    return Replayed(stored.uuid, queued, refusal=None if queued else read.verdict)


def _refuse_known(connection: Connection, stored: Stored, read: Hl7Read, message: Message) -> None:
    """Raises Conflict where another message that was accepted says the same.

    That one is looked for under every key that it may have claimed, whatever the site said then. Where the
    message that was known when this one came no longer holds its key, it is read again.
    """
    content, window = content_hash(message), read.intake.duplicate_window
    keys = (*duplicate_keys(message, restart_daily=True), own_key(message))
    holders = store.key_holders(connection, keys, at=stored.received_at, window=window)
    for holder in holders:
        if holder.content_hash == content:
            raise Conflict(f"the same was accepted as message {holder.message_uuid}")
    if stored.duplicate_of is None or any(each.message_uuid == stored.duplicate_of for each in holders):
        return
    first = store.get(connection, stored.duplicate_of, RECEIVED)
    if first is None or first["received"] is None:
        raise Conflict(f"whether message {stored.duplicate_of} said the same cannot be seen any more")
    other = read_one(arrival_of(first, Kind.HL7), read.intake)
    if isinstance(other, Hl7Read) and other.message and content_hash(other.message) == content:
        raise Conflict(f"the same was accepted as message {stored.duplicate_of}")


def _queue_missing(connection: Connection, stored: Stored, effects: Effects) -> int:
    """Put envelopes that are no longer in the outbox there again."""
    at = stored.arrival.at
    return sum(
        outbox.add(connection, envelope, message_uuid=stored.uuid, sender=effects.sender, at=at)
        for envelope in effects.envelopes
    )
