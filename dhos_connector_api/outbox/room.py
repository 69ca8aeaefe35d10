"""What the relay may know of full queues beside RabbitMQ's answers: `broker.room.Room`, or nothing (pure)."""

from typing import Protocol


class Room(Protocol):
    """Knows of refused routing keys whether a queue that they reach is full."""

    def refused(self, key: str, body: int) -> None:
        """Note that a queue of that key did not take a body of so many bytes."""

    def is_full(self, key: str) -> bool:
        """Return whether a message with that key is still to wait, as far as is known; at once."""


class NothingKnown:
    """Stands in where RabbitMQ's answers are all there is."""

    def refused(self, key: str, body: int) -> None:
        """Do nothing."""

    def is_full(self, _key: str) -> bool:
        """Return False: whether it is full shows when it is tried."""
        return False
