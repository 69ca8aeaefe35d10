"""Takes many integration events of one request, in groups; one that cannot be taken stops no other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast
from uuid import UUID

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import BadInput, ConnectorError
from dhos_connector_api.intake import counting
from dhos_connector_api.intake.arrival import Arrival, Door, Intake, Outcome, arrived
from dhos_connector_api.intake.event import EventRead, identity_in
from dhos_connector_api.intake.take import refused
from dhos_connector_api.intake.together import Taken, take_together
from dhos_connector_api.messages.kinds import Kind

UNKEEPABLE = "the event holds something that cannot be stored"
#: Errors of one answer. Once there are so many it is not looked for why an event does not fit: that takes
#: far longer than to see that it does not.
MOST_ERRORS = 100


@dataclass(slots=True)
class Tally:
    """What became of the events of a request."""

    created: int = 0
    duplicates: int = 0
    failed: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def add(self, index: int, taken: Taken) -> None:
        """Count the event at that place; one without a receipt is one that PostgreSQL would not have."""
        if taken.receipt is None:
            self._refuse(index, BadInput(UNKEEPABLE))
        elif taken.receipt.error is not None:
            self._refuse(index, taken.receipt.error)
        elif taken.receipt.outcome is Outcome.REPEATED and cast(EventRead, taken.read).has_own_name:
            self.duplicates += 1
        else:  # new, or kept by an attempt before at this very request
            self.created += 1

    def _refuse(self, index: int, error: ConnectorError) -> None:
        self.failed += 1
        if self.explains:
            details = error.details if isinstance(error, BadInput) else {}
            self.errors.append({"index": index, "error": error.text, "details": dict(details)})

    @property
    def explains(self) -> bool:
        """Whether one more error will be told."""
        return len(self.errors) < MOST_ERRORS

    def shown(self) -> dict[str, Any]:
        """Return it as it is answered: how many failed, and of the first ones why."""
        return {
            "created": self.created,
            "duplicates": self.duplicates,
            "failed": self.failed,
            "errors": self.errors,
        }


def take_events(
    texts: Iterable[bytes],
    intake: Intake,
    database: Database,
    *,
    caller: str | None,
    correlation_id: str,
    door: Door,
    claim: UUID | None = None,
) -> Tally:
    """Take events, each a JSON text; commits as it goes. `claim` is a request's with an Idempotency-Key.

    Raises StorageUnavailable where not all of them could be stored; those that are stay stored, and
    are counted.
    """

    tally = Tally()
    brief = replace(door, check=door.check.brief() if door.check else None)

    def arrivals() -> Iterator[Arrival]:
        for index, text in enumerate(texts):
            one = door if tally.explains else brief
            if claim is not None:
                one = replace(one, identity=identity_in(claim, index))
            yield arrived(text, Kind.EVENT, caller=caller, correlation_id=correlation_id, door=one)

    for index, taken in enumerate(take_together(arrivals(), intake, database, in_order=True)):
        if taken.receipt is None:
            counting.count(taken.read, refused(BadInput(UNKEEPABLE)))
        tally.add(index, taken)
    return tally
