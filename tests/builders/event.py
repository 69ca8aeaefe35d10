"""Builders of integration events; every call gives fresh ids and a later time."""

import json
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import text

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.events import store
from dhos_connector_api.events.store import Kept, NewEvent
from tests.builders.rows import later

_number = count(1)


def new_event(**changes: Any) -> NewEvent:
    """An event of the source `his` that has just come in and means what it says."""
    at, number = later(), next(_number)
    values: dict[str, Any] = {
        "id": clock.new_uuid(at),
        "source_system": "his",
        "event_code": "VISIT_STARTED",
        "default_code": "VISIT_STARTED",
        "canonical_code": "VISIT_STARTED",
        "encounter_id": f"V{number}",
        "patient_identifier": f"M{number}",
        "payload": {"department_code": "CARD"},
        "occurred_at": at,
        "received_at": at,
        "sender": "his",
        "correlation_id": f"request-{number}",
        "kept": Kept(b'{"event_code": "VISIT_STARTED"}', "event", "integration event", "his", None),
    }
    return NewEvent(**(values | changes))


def kept_event(database: Database, **changes: Any) -> NewEvent:
    """The same, kept and queued."""
    event = new_event(**changes)
    with database.statements() as connection:
        assert store.insert(connection, [event]) == [event.id]
    return event


def published(database: Database) -> int:
    """Note that everything that waits was published, as the relay does; how much it was."""
    with database.transaction() as connection:
        return connection.execute(
            text("UPDATE outbox SET published_at = now() WHERE published_at IS NULL AND dead_at IS NULL")
        ).rowcount


def waiting(database: Database) -> list[tuple[UUID, str]]:
    """The envelopes that wait, in their order: message_id and event code."""
    with database.statements() as connection:
        rows = connection.execute(
            text("SELECT id, body FROM outbox WHERE published_at IS NULL ORDER BY position")
        ).all()
    return [(id_, json.loads(bytes(body))["actions"][-1]["data"]["event_code"]) for id_, body in rows]
