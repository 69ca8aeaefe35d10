"""Replays one stored message of any kind: publish it again, or take now what could not be taken when it came.

What is stored is read again, by today's code and site, under the message's own uuid; so its envelopes
have the ids they have always had. Its sender is not told: the acknowledgement that was sent stays on record.
"""

import hashlib
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict
from dhos_connector_api.intake import reprocess, webhook
from dhos_connector_api.intake.arrival import Intake, Read
from dhos_connector_api.intake.his import HisRead
from dhos_connector_api.intake.his_events import add_events
from dhos_connector_api.intake.hl7_read import Hl7Read
from dhos_connector_api.intake.replay_hl7 import replay_hl7
from dhos_connector_api.intake.stored import Replayed, Stored, accept, load
from dhos_connector_api.intake.take import read_one
from dhos_connector_api.intake.webhook import WebhookRead
from dhos_connector_api.messages import store
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.store import Effects, NewMessage

_ACCEPTED = "the same was accepted as another message by now"
_TAKEN = "another message was accepted under its id by now"


def replay(database: Database, uuid: UUID, intake: Intake, *, by: str, force_new: bool = False) -> Replayed:
    """Replay that message and commit. `by` is who asked for it.

    With `force_new` a refused HL7 message is taken under a key of its own, whoever has its control id; one
    that is accepted is left alone. Raises NotFound, and Conflict for what cannot be replayed, or was
    accepted as another message.
    """
    with database.statements() as connection:
        stored = load(connection, uuid)
    # an event was kept whole, or not at all: there is nothing more to take of it
    read = None if stored.arrival.kind is Kind.EVENT else read_one(stored.arrival, intake)
    with database.transaction() as connection:
        if isinstance(read, Hl7Read):
            return replay_hl7(connection, stored, read, by, force_new=force_new)
        if force_new:
            raise Conflict("only an HL7 message is taken under a key of its own")
        accepted_now = _take_again(connection, stored, read, by)
        published = _publish_events(connection, stored.uuid, intake)
        return Replayed(stored.uuid, published, accepted_now=accepted_now)


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
    if read.webhook is None:
        return False
    if stored.state is MessageState.ACCEPTED:
        store.note_left_out(connection, stored.uuid, read.left_out)
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
    if not accept(connection, stored, replace(effects, key=key, content_hash=key), window=window, by=by):
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
