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


@dataclass(slots=True)
class Tally:
    """What became of the events of a request."""

    created: int = 0
    duplicates: int = 0
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
        details = error.details if isinstance(error, BadInput) else {}
        self.errors.append({"index": index, "error": error.text, "details": dict(details)})

    def shown(self) -> dict[str, Any]:
        """Return it as it is answered."""
        return {
            "created": self.created,
            "duplicates": self.duplicates,
            "failed": len(self.errors),
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

    def arrivals() -> Iterator[Arrival]:
        for index, text in enumerate(texts):
            one = door if claim is None else replace(door, identity=identity_in(claim, index))
            yield arrived(text, Kind.EVENT, caller=caller, correlation_id=correlation_id, door=one)

    tally = Tally()
    for index, taken in enumerate(take_together(arrivals(), intake, database, in_order=True)):
        if taken.receipt is None:
            counting.count(taken.read, refused(BadInput(UNKEEPABLE)))
        tally.add(index, taken)
    return tally
