"""The envelope of actions that goes to RabbitMQ, and the outcomes of publishing one."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from json import JSONEncoder
from typing import Any
from uuid import UUID

#: SNOMED CT 24891000000101, EDI message (record artifact): the key existing consumers bind.
LEGACY_ROUTING_KEY = "dhos.24891000000101"
#: Everything existing consumers must not see: event-only envelopes.
EVENT_ROUTING_KEY = "dhos.connector_event"
#: What rooms of the wing px say to one another, and to whoever else wants to know.
PX_ROUTING_KEY = "dhos.px_event"

Action = dict[str, Any]

_JSON = JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def body(message_uuid: UUID, actions: Sequence[Action]) -> bytes:
    """Return the body of an envelope: compact UTF-8 JSON.

    A lone surrogate, which UTF-8 does not have, becomes a question mark.
    """
    content = {"dhos_connector_message_uuid": str(message_uuid), "actions": actions}
    return _JSON.encode(content).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Envelope:
    """One AMQP message to be. `id` becomes the AMQP message_id and is the same at every attempt."""

    id: UUID
    routing_key: str
    body: bytes
    correlation_id: str


class Outcome(Enum):
    """The outcome for one envelope handed to a publisher."""

    CONFIRMED = "confirmed"  # the broker has it, in at least one queue
    RETURNED = "returned"  # unroutable: no queue is bound to its key
    REFUSED = "refused"  # the broker answered basic.nack
    UNANSWERED = "unanswered"  # the broker is there, and did not answer in time
    UNKNOWN = "unknown"  # the connection went before the answer came
    IMPOSSIBLE = "impossible"  # this envelope can never be published
