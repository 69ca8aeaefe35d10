"""The states of an integration event: as stored, and as searched for and shown (pure)."""

from enum import StrEnum


class EventState(StrEnum):
    """The state of an event; its value is the text in `integration_event.state`."""

    ACCEPTED = "accepted"  # it has a canonical code, and an envelope
    IGNORED = "ignored"  # it is kept, and nothing is published


class EventStatus(StrEnum):
    """The status of an event as it is shown: read from its state, its envelope and its message."""

    IGNORED = "ignored"
    PENDING = "pending"  # its envelope waits for the relay
    FAILED = "failed"  # its envelope can never be published
    PROCESSING = "processing"  # published; the platform has not applied it yet
    PROCESSED = "processed"
