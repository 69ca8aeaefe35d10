"""What the feeds do to journeys: each envelope is a piece of evidence.

effect = OnEvent(rules=lambda: Rules(), processed=messages.mark)
with database.transaction() as connection:
    effect(connection, letters, clock.now())
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.px.journeys import applying, evidence_store, publishing
from dhos_connector_api.px.journeys.metrics import IGNORED
from dhos_connector_api.px.journeys.told import Rules, told_by

#: The name under which it records what it has applied.
CONSUMER = "journeys"
#: Notes, in the transaction of the effect, that nothing of these messages waits any more.
Processed = Callable[[Connection, Collection[UUID], datetime], None]


@dataclass(frozen=True, slots=True)
class OnEvent:
    """The consumer's effect: `rules` are the site's, asked at each time."""

    rules: Callable[[], Rules]
    processed: Processed

    def __call__(self, connection: Connection, letters: Sequence[Letter], at: datetime) -> None:
        """Apply envelopes to the journeys they speak of, in this transaction.

        Raises ValueError, TypeError or KeyError for an envelope that fits no schema of ours.
        """
        rules = self.rules()
        read = [told_by(each.actions, each.message, each.received_at or at, rules) for each in letters]
        given = [each for each in read if each is not None]
        if not given:
            return
        applied = applying.add(connection, given, at)
        publishing.publish_of_patients(connection, given, at)
        IGNORED.labels(reason="no_encounter").inc(sum(not each.encounter_id for each in given))
        messages = applied.messages | {each.message_uuid for each in given}
        self.processed(connection, messages - evidence_store.still_waiting(connection, messages), at)
