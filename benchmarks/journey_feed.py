"""Events of visits as a source tells them: envelopes in the outbox, each with its message."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg

from benchmarks.harness import Bench
from benchmarks.journey_rows import CODES, SOURCE
from dhos_connector_api.actions import envelope
from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY
from dhos_connector_api.actions.process_event import action, envelope_id
from dhos_connector_api.outbox.wake import Waker

#: Visits that go on at the same time, whose events come in turns; and rows of a statement.
_AT_ONCE, _GROUP = 200, 500
_MESSAGES = """
INSERT INTO message (uuid, created, modified, src_description, dst_description, state, message_type,
    event_code, sent_at, correlation_id)
SELECT uuid, now(), now(), 'bench', 'dhos', 'accepted', 'event', 'event', now(), 'bench'
FROM unnest(%s::uuid[]) AS uuid
"""
_OUTBOX = """
INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)
SELECT id, message, sender, %s, body, 'bench', clock_timestamp()
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bytea[]) AS given (id, message, sender, body)
"""
#: Id, message, sender and body of an envelope.
Told = tuple[UUID, UUID, str, bytes]


def events(run: str, visits: int) -> Iterator[Told]:
    """Return the envelopes of so many visits at hospital J0, those of some in turns."""
    for first in range(0, visits, _AT_ONCE):
        for place, code in enumerate(CODES):
            for number in range(first, min(first + _AT_ONCE, visits)):
                yield _event(f"{run}{number}", number, place, code)


def _event(encounter: str, number: int, place: int, code: str) -> Told:
    event, message = uuid4(), uuid4()
    occurred = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=number, minutes=10 * place)
    told = {
        "source_system": SOURCE,
        "event_code": code,
        "event_uuid": str(event),
        "occurred_at": occurred.isoformat(),
        "encounter_id": encounter,
        "encounter_type": "O",
        "facility": "J0",
        "patient": {"mrn": f"JF{number}"},
        "physician": {"id": "L-4711", "family_name": "DOCTOR"},
    }
    return envelope_id(event, 0), message, encounter, envelope.body(message, [action(told)])


def pile_up(bench: Bench, told: Iterator[Told]) -> None:
    """Commit these envelopes to the outbox, many at once."""
    group: list[Told] = []
    with bench.connect() as connection:
        for each in told:
            group.append(each)
            if len(group) == _GROUP:
                _put(connection, group)
                group = []
        _put(connection, group)


def pace(bench: Bench, told: Iterator[Told], rate: float) -> None:
    """Commit these envelopes one by one, so many a second, and wake the relay as intake does."""
    waker = Waker(bench.database.label)
    began = time.monotonic()
    with bench.connect() as connection:
        for number, each in enumerate(told):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            _put(connection, [each])
            waker.wake()
    waker.close()


def _put(connection: "psycopg.Connection[tuple[object, ...]]", told: Sequence[Told]) -> None:
    if not told:
        return
    ids, messages, senders, bodies = map(list, zip(*told, strict=True))
    with connection.transaction():
        connection.execute(_MESSAGES, (messages,))
        connection.execute(_OUTBOX, (EVENT_ROUTING_KEY, ids, messages, senders, bodies))
