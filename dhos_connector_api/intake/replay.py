"""Replay one stored message: publish it again, or accept now what was refused when it came."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api import clock
from dhos_connector_api.errors import Conflict, NotFound
from dhos_connector_api.hl7v2.rules import Code, Verdict
from dhos_connector_api.intake.receive_hl7 import Intake, Received, receive
from dhos_connector_api.messages import store
from dhos_connector_api.messages.store import Effects
from dhos_connector_api.outbox import store as outbox


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: how many envelopes wait to be published, or why there are none."""

    message_uuid: UUID
    envelopes: int
    accepted_now: bool
    refusal: Verdict | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored message as a replay needs it, read before the transaction."""

    uuid: UUID
    state: str
    src_description: str
    correlation_id: str
    created_by: str | None
    received: bytes


def load(connection: Connection, uuid: UUID) -> Stored:
    """Read the message to replay. Raises NotFound, and Conflict when its bytes were pruned."""
    row = store.get(connection, uuid)
    if row is None:
        raise NotFound("there is no message with that uuid")
    if row["received"] is None:
        raise Conflict("the bytes of this message are no longer kept")
    if row["src_description"] != "tie":
        raise Conflict("only messages that came in can be replayed")
    return Stored(
        row["uuid"],
        row["state"],
        row["src_description"],
        row["correlation_id"],
        row["created_by"],
        bytes(row["received"]),
    )


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

    An accepted message is published as it was, or as `judged` now where its outbox rows are pruned.
    A refused one is accepted if `judged` says so now; its sender is not told: the acknowledgement
    that was sent stays on record. Raises Conflict when a later message took its control id.
    """
    verdict = judged.verdict
    if stored.state == "accepted":
        again = outbox.republish(connection, stored.uuid)
        if not again and verdict is not None and verdict.code is Code.AA:
            again = _queue(connection, stored, judged.effects)
        return Replayed(stored.uuid, again, accepted_now=False, refusal=None if again else verdict)
    if verdict is None or verdict.code is not Code.AA:
        return Replayed(stored.uuid, 0, accepted_now=False, refusal=verdict)
    accepted = store.accept(
        connection,
        stored.uuid,
        judged.effects,
        at=clock.now(),
        by=by,
        correlation_id=stored.correlation_id,
        window=judged.intake.duplicate_window,
    )
    if not accepted:
        raise Conflict("a later message with the same control id was accepted in its place")
    return Replayed(stored.uuid, len(judged.effects.envelopes), accepted_now=True, refusal=None)


def _queue(connection: Connection, stored: Stored, effects: Effects) -> int:
    """Put rebuilt envelopes of an accepted message into the outbox."""
    statement = text(
        "INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)"
        " VALUES (:id, :message_uuid, :sender, :routing_key, :body, :correlation_id, :created)"
    )
    at = clock.now()
    for envelope_id, routing_key, body in effects.envelopes:
        values = {
            "id": envelope_id,
            "message_uuid": stored.uuid,
            "sender": effects.sender,
            "routing_key": routing_key,
            "body": body,
            "correlation_id": stored.correlation_id,
            "created": at,
        }
        connection.execute(statement, values)
    return len(effects.envelopes)
