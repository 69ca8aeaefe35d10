"""The states of a delivery and the outcomes of an attempt, as they are stored and shown (pure)."""

from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands; its value is the text in the column `delivery.state`."""

    WAITING = "waiting"  # for its time, `due_at`
    SENDING = "sending"  # leased by one process until `leased_until`
    DELIVERED = "delivered"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class AttemptOutcome(StrEnum):
    """How an attempt ended; its value is the text in `delivery_attempt.outcome`. NULL there: under way."""

    DELIVERED = "delivered"
    TRANSIENT = "transient"
    AMBIGUOUS = "ambiguous"
    PERMANENT = "permanent"
