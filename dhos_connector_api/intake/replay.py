"""Replay one stored message: publish it again, or accept now what was refused when it came."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.errors import Conflict, NotFound
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.intake import reprocess
from dhos_connector_api.intake.receive_event import MESSAGE_TYPE as EVENT
from dhos_connector_api.intake.receive_hl7 import Intake, Received, receive
from dhos_connector_api.messages import store
from dhos_connector_api.messages.store import Effects
from dhos_connector_api.outbox import store as outbox
from dhos_connector_api.site.model import Site


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: how many envelopes wait to be published, or why there are none."""

    message_uuid: UUID
    envelopes: int
    accepted_now: bool
    refusal: Verdict | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored message as a replay needs it."""

    uuid: UUID
    state: str
    received_at: datetime
    correlation_id: str
    created_by: str | None
    received: bytes
    is_hl7: bool = True
    message_type: str | None = None


def load(connection: Connection, uuid: UUID) -> Stored:
    """Read the message to replay. Raises NotFound, and Conflict for one that cannot be replayed."""
    row = store.get(connection, uuid)
    if row is None:
        raise NotFound("there is no message with that uuid")
    if row["received"] is None:
        raise Conflict("the bytes of this message are no longer kept")
    if row["dst_description"] != "dhos":
        raise Conflict("only messages that came in can be replayed")
    if row["duplicate_of"] is not None:
        raise Conflict(f"its control id belongs to message {row['duplicate_of']}")
    return Stored(
        row["uuid"],
        row["state"],
        row["created"],
        row["correlation_id"],
        row["created_by"],
        bytes(row["received"]),
        is_hl7=row["src_description"] == "tie" and row["message_type"] != EVENT,
        message_type=row["message_type"],
    )


def replay_events(connection: Connection, stored: Stored, site: Site) -> Replayed:
    """Publish the events of a message that came as JSON again, with what their codes mean now.

    `connection` is a transaction's.
    """
    events = reprocess.of_message(connection, stored.uuid)
    for event in events:
        reprocess.reprocess(connection, event, site, source=None, at=clock.now())
    return Replayed(stored.uuid, len(events), accepted_now=False, refusal=None)


def judge_again(stored: Stored, intake: Intake) -> Received:
    """Read and judge the stored bytes by today's code and site, under the message's own uuid."""
    return receive(
        stored.received,
        intake,
        created_by=stored.created_by,
        correlation_id=stored.correlation_id,
        message_uuid=stored.uuid,
    )


def replay(connection: Connection, stored: Stored, judged: Received, *, by: str) -> Replayed:
    """Queue the message's envelopes again, under the ids they have always had.

    `connection` is a transaction's. An accepted message is published as it was, and as `judged` now
    where outbox rows are pruned. A refused one is accepted if `judged` says so now; its sender is
    not told: the acknowledgement that was sent stays on record. Raises Conflict when another
    message has its control id.
    """
    verdict = judged.verdict
    accepts = verdict is not None and verdict.code is Code.AA
    if stored.state == "accepted":
        queued = outbox.republish(connection, stored.uuid)
        if accepts:
            queued += _queue_missing(connection, stored, judged.effects)
        return Replayed(stored.uuid, queued, accepted_now=False, refusal=None if queued else verdict)
    if not accepts:
        return Replayed(stored.uuid, 0, accepted_now=False, refusal=verdict)
    accepted = store.accept(
        connection,
        stored.uuid,
        judged.effects,
        at=clock.now(),
        received_at=stored.received_at,
        by=by,
        correlation_id=stored.correlation_id,
        window=judged.intake.duplicate_window,
    )
    if not accepted:
        raise Conflict("another message has its control id by now, or it was accepted meanwhile")
    return Replayed(stored.uuid, len(judged.effects.envelopes), accepted_now=True, refusal=None)


def _queue_missing(connection: Connection, stored: Stored, effects: Effects) -> int:
    """Put envelopes that are no longer in the outbox there again."""
    return sum(
        outbox.add(connection, envelope, message_uuid=stored.uuid, sender=effects.sender, at=clock.now())
        for envelope in effects.envelopes
    )
