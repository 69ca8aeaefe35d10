"""Counts control ids that came with other content, by sender, and warns of them now and then."""

import logging
from collections.abc import Callable
from threading import Lock
from uuid import UUID

from dhos_connector_api import clock
from dhos_connector_api.intake.metrics import CONFLICTS

_log = logging.getLogger(__name__)

#: Senders that are counted by name in each process, the first that come; all further ones are OTHER.
MOST_SENDERS = 20
OTHER = "other"
#: Seconds after a warning in which its sender causes no other one.
WARN_EVERY = 600.0
#: Characters of MSH-3 and of MSH-4 in a name.
_LONGEST = 40


class ConflictCounter:
    """Counts by sender; whoever sends cannot make more names than MOST_SENDERS, nor more lines than one
    in WARN_EVERY for each.

    counter = ConflictCounter()
    counter.count("PAS", "RTH", message_uuid)
    """

    def __init__(self, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._senders: set[str] = set()
        self._untold: dict[str, int] = {}
        self._quiet_until: dict[str, float] = {}

    def count(self, application: str | None, facility: str | None, message_uuid: UUID | None) -> None:
        """Count a message of that sender (MSH-3, MSH-4) that was answered AR 205 for its content."""
        with self._lock:
            sender = self._named(f"{_shown(application)}|{_shown(facility)}")
            number = self._to_tell(sender)
        CONFLICTS.labels(sender).inc()
        if number:
            extra = {"sender": sender, "conflicts": number, "message_uuid": str(message_uuid)}
            _log.warning("a sender uses control ids twice, for different messages", extra=extra)

    def _named(self, sender: str) -> str:
        if sender not in self._senders and len(self._senders) >= MOST_SENDERS:
            return OTHER
        self._senders.add(sender)
        return sender

    def _to_tell(self, sender: str) -> int:
        """How many conflicts a warning tells of now; 0: none is due."""
        untold, now = self._untold.get(sender, 0) + 1, self._monotonic()
        due = now >= self._quiet_until.get(sender, now)
        self._untold[sender] = 0 if due else untold
        if due:
            self._quiet_until[sender] = now + WARN_EVERY
        return untold if due else 0


def _shown(name: str | None) -> str:
    return "".join(filter(str.isprintable, name or ""))[:_LONGEST]
