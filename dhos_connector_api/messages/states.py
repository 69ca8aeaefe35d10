"""The states of a message, as they are stored, searched for and shown (pure)."""

from enum import StrEnum


class MessageState(StrEnum):
    """The state of a message; its value is the text in the column `message.state`."""

    # It came in.
    ACCEPTED = "accepted"  # answered AA, or accepted by a replay
    REFUSED = "refused"  # answered AE or AR, or a payload that did not fit
    UNPARSEABLE = "unparseable"  # kept as bytes: nothing in it can be read
    # It goes out.
    QUEUED = "queued"
    DELIVERED = "delivered"
    DEAD = "dead"  # refused for good, or its schedule is used up; a person may retry it
    SUPERSEDED = "superseded"  # a newer one of its series took its place
    CANCELLED = "cancelled"  # given up by a person
