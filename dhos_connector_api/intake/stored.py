"""A stored message as a replay needs it: as it arrived, what became of it then, how it is accepted now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.errors import Conflict, NotFound
from dhos_connector_api.hl7v2.rules import Verdict
from dhos_connector_api.intake.arrival import Arrival, Door
from dhos_connector_api.intake.door_names import door_named
from dhos_connector_api.intake.take import KINDS
from dhos_connector_api.messages import store
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.store import Effects
from dhos_connector_api.messages.views import RECEIVED


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: how many envelopes wait to be published, or why there are none.

    `done_before`: it was to be taken under a key of its own, and is accepted already; nothing was done.
    """

    message_uuid: UUID
    envelopes: int
    accepted_now: bool = False
    refusal: Verdict | None = None
    done_before: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether the message is accepted, and what follows from it published or about to be."""
        return self.accepted_now or self.done_before or bool(self.envelopes)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored message as a replay needs it: as it arrived, and what became of it then."""

    arrival: Arrival
    state: MessageState
    received_at: datetime
    duplicate_of: UUID | None = None  # the message that held its control id

    @property
    def uuid(self) -> UUID:
        """The message's uuid."""
        return self.arrival.uuid


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
    if row["duplicate_of"] is not None and kind is not Kind.HL7:
        raise Conflict(f"its id belongs to message {row['duplicate_of']}")
    return Stored(arrival_of(row, kind), MessageState(row["state"]), row["created"], row["duplicate_of"])


def arrival_of(row: Mapping[str, Any], kind: Kind) -> Arrival:
    """Return the message as it arrived; a webhook under the name it was signed with, if there was one."""
    door = Door(name=door_named(row["door"]), charset=row["door_charset"])
    if kind is Kind.WEBHOOK:
        door = replace(door, source=row["src_description"], signed_id=row["message_control_id"])
    return Arrival(
        bytes(row["received"]), kind, row["created_by"], row["correlation_id"], clock.now(), row["uuid"], door
    )


def accept(
    connection: Connection,
    stored: Stored,
    effects: Effects,
    *,
    window: timedelta,
    by: str,
    keeps_duplicate_of: bool = False,
) -> bool:
    """Turn the stored message into an accepted one; return False where another holds its key."""
    return store.accept(
        connection,
        stored.uuid,
        effects,
        at=stored.arrival.at,
        received_at=stored.received_at,
        by=by,
        correlation_id=stored.arrival.correlation_id,
        window=window,
        keeps_duplicate_of=keeps_duplicate_of,
    )
