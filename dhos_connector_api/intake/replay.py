"""Replays one stored message of any kind: publish it again, or take now what could not be taken when it came.

What is stored is read again, by today's code and site, under the message's own uuid; so its envelopes
have the ids they have always had. Its sender is not told: the acknowledgement that was sent stays on record.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict, NotFound
from dhos_connector_api.hl7v2.rules import Verdict
from dhos_connector_api.intake import reprocess, webhook
from dhos_connector_api.intake.arrival import Arrival, Door, Intake, Read
from dhos_connector_api.intake.door_names import door_named
from dhos_connector_api.intake.his import HisRead
from dhos_connector_api.intake.his_events import add_events
from dhos_connector_api.intake.hl7 import Hl7Read
from dhos_connector_api.intake.take import KINDS, read_one
from dhos_connector_api.intake.webhook import WebhookRead
from dhos_connector_api.messages import store
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.store import Effects, NewMessage
from dhos_connector_api.messages.views import RECEIVED
from dhos_connector_api.outbox import store as outbox

_ACCEPTED = "the same was accepted as another message by now"
_TAKEN = "another message was accepted under its id by now"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: how many envelopes wait to be published, or why there are none."""

    message_uuid: UUID
    envelopes: int
    accepted_now: bool = False
    refusal: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored message as a replay needs it: as it arrived, and what became of it then."""

    arrival: Arrival
    state: MessageState
    received_at: datetime

    @property
    def uuid(self) -> UUID:
        """The message's uuid."""
        return self.arrival.uuid


def replay(database: Database, uuid: UUID, intake: Intake, *, by: str) -> Replayed:
    """Replay that message and commit. `by` is who asked for it.

    Raises NotFound, and Conflict for what cannot be replayed, or was accepted as another message.
    """
    with database.statements() as connection:
        stored = load(connection, uuid)
    # an event was kept whole, or not at all: there is nothing more to take of it
    read = None if stored.arrival.kind is Kind.EVENT else read_one(stored.arrival, intake)
    with database.transaction() as connection:
        if isinstance(read, Hl7Read):
            return _replay_hl7(connection, stored, read, by)
        accepted_now = _take_again(connection, stored, read, by)
        published = _publish_events(connection, stored.uuid, intake)
        return Replayed(stored.uuid, published, accepted_now=accepted_now)


def load(connection: Connection, uuid: UUID) -> Stored:
    """Return the message to replay. Raises NotFound, and Conflict for one that cannot be replayed."""
    row = store.get(connection, uuid, RECEIVED)
    if row is None:
        raise NotFound("there is no message with that uuid")
    if row["received"] is None:
        raise Conflict("the bytes of this message are no longer kept")
    kind = Kind(row["kind"])
    if kind not in KINDS:
        raise Conflict("only messages that came in can be replayed")
    if row["duplicate_of"] is not None:
        raise Conflict(f"its id belongs to message {row['duplicate_of']}")
    return Stored(_arrival(row, kind), MessageState(row["state"]), row["created"])


def _arrival(row: Mapping[str, Any], kind: Kind) -> Arrival:
    """The message as it arrived; a webhook under the name it was signed with, if there was one."""
    door = Door(name=door_named(row["door"]))
    if kind is Kind.WEBHOOK:
        door = replace(door, source=row["src_description"], signed_id=row["message_control_id"])
    return Arrival(
        bytes(row["received"]), kind, row["created_by"], row["correlation_id"], clock.now(), row["uuid"], door
    )


def _replay_hl7(connection: Connection, stored: Stored, read: Hl7Read, by: str) -> Replayed:
    """An accepted message is published as it was, and as it reads now where outbox rows are pruned. A
    refused one is accepted if it would be now. Raises Conflict when another message has its control id.
    """
    if stored.state is MessageState.ACCEPTED:
        queued = outbox.republish(connection, stored.uuid)
        if read.is_accepted:
            queued += _queue_missing(connection, stored, read.effects)
        return Replayed(stored.uuid, queued, refusal=None if queued else read.verdict)
    if not read.is_accepted:
        return Replayed(stored.uuid, 0, refusal=read.verdict)
    window = read.intake.duplicate_window
    if not _accept(connection, stored, read.effects, window=window, by=by):
        raise Conflict("another message has its control id by now, or it was accepted meanwhile")
    return Replayed(stored.uuid, len(read.effects.envelopes), accepted_now=True)


def _queue_missing(connection: Connection, stored: Stored, effects: Effects) -> int:
    """Put envelopes that are no longer in the outbox there again."""
    at = stored.arrival.at
    return sum(
        outbox.add(connection, envelope, message_uuid=stored.uuid, sender=effects.sender, at=at)
        for envelope in effects.envelopes
    )


def _accept(connection: Connection, stored: Stored, effects: Effects, *, window: timedelta, by: str) -> bool:
    """Turn the stored message into an accepted one; False where another holds its key."""
    return store.accept(
        connection,
        stored.uuid,
        effects,
        at=stored.arrival.at,
        received_at=stored.received_at,
        by=by,
        correlation_id=stored.arrival.correlation_id,
        window=window,
    )


def _take_again(connection: Connection, stored: Stored, read: Read | None, by: str) -> bool:
    """Take of a HIS payload or a webhook what fits by now; True when the message is accepted now.

    Raises Conflict when the same was accepted as another message: then its events are known.
    """
    if isinstance(read, HisRead):
        return _take_payload(connection, stored, read, by)
    return isinstance(read, WebhookRead) and _take_webhook(connection, stored, read, by)


def _take_payload(connection: Connection, stored: Stored, read: HisRead, by: str) -> bool:
    if not read.admissions:
        return False
    if stored.state is MessageState.ACCEPTED:  # it has events: they are locked before their message
        encounters = {each.encounter for each in read.admissions}
        reprocess.of_message(connection, stored.uuid, also=encounters)
        store.note_left_out(connection, stored.uuid, read.effects.left_out)
    else:
        _accept_keyed(connection, stored, read.effects, window=read.intake.duplicate_window, by=by)
    _settle(connection, read.row, stored.state, _queued(connection, stored, read), by)
    return stored.state is not MessageState.ACCEPTED


def _queued(connection: Connection, stored: Stored, read: HisRead) -> int:
    return add_events(connection, read.row, read.admissions, received_at=stored.received_at).queued


def _take_webhook(connection: Connection, stored: Stored, read: WebhookRead, by: str) -> bool:
    if read.webhook is None or stored.state is MessageState.ACCEPTED:
        return False
    event = webhook.add_event(connection, read, kept=None)
    if event is None:
        raise Conflict(_TAKEN)
    effects = Effects(identifiers=read.webhook.identifiers, left_out=read.left_out)
    _accept_keyed(connection, stored, effects, window=timedelta(0), by=by)
    _settle(connection, read.row, stored.state, int(event.envelope_id is not None), by)
    return True


def _accept_keyed(
    connection: Connection, stored: Stored, effects: Effects, *, window: timedelta, by: str
) -> None:
    """Accept under a key. While a patient of a payload is refused, it does not hold its bytes: then under
    one that no bytes have.
    """
    key = effects.key or hashlib.sha256(b"replayed\0" + stored.uuid.bytes).digest()
    if not _accept(connection, stored, replace(effects, key=key, content_hash=key), window=window, by=by):
        raise Conflict(_ACCEPTED)


def _settle(connection: Connection, row: NewMessage, state: MessageState, queued: int, by: str) -> None:
    """What has just been queued makes a message wait for its consumers (again); nothing, and it is done."""
    if queued:
        store.mark_unprocessed(connection, row.uuid, by=by, at=row.at)
    elif state is not MessageState.ACCEPTED:
        store.mark_processed(connection, row.uuid, by=by, at=row.at)


def _publish_events(connection: Connection, message_uuid: UUID, intake: Intake) -> int:
    """Publish the events of that message again, with what their codes mean now; return how many there are."""
    found = reprocess.of_message(connection, message_uuid)
    for event in found:
        reprocess.reprocess(connection, event, intake.site, source=None, at=clock.now())
    return len(found)
