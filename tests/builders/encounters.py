"""Builders of what the feeds tell of encounters: envelopes as they reach the consumer of journeys.

    letter("ADT_A01", 0, encounter_id="V1", encounter_type="I")

Minutes count from `BEGUN`. Every call gives another event and message unless they are given.
"""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import Connection, text

from dhos_connector_api import clock
from dhos_connector_api.actions import envelope
from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY
from dhos_connector_api.actions.process_event import action, envelope_id
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.px.journeys.told import Rules
from dhos_connector_api.px.organizations.identity import folded
from dhos_connector_api.site.model import Journeys

BEGUN = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOSPITAL = UUID(int=0x105)
FACILITY = "RTH"
RULES = Rules(Journeys().encounter_types)
_number = count(1)


def at(minutes: float) -> datetime:
    """Return the time so many minutes after `BEGUN`."""
    return BEGUN + timedelta(minutes=minutes)


def message_at(when: datetime) -> UUID:
    """Return the uuid of a message that came then."""
    return clock.new_uuid(when)


def letter(
    code: str,
    minutes: float,
    *,
    event_uuid: UUID | None = None,
    message: UUID | None = None,
    generation: int = 0,
    mrn: str | None = "M1",
    source: str = "hl7v2",
    received: float | None = None,
    **fields: Any,
) -> Letter:
    """Return the envelope of an event so many minutes after `BEGUN`, received at once unless told."""
    event = event_uuid or UUID(int=next(_number))
    data = {
        "source_system": source,
        "event_code": code,
        "event_uuid": str(event),
        "generation": generation,
        "occurred_at": at(minutes).isoformat(),
        "encounter_id": "V1",
        "facility": FACILITY,
        "patient": {"mrn": mrn},
    }
    came = message or message_at(at(minutes if received is None else received))
    content = envelope.body(came, [action(data, fields)])
    return Letter(str(envelope_id(event, generation)), EVENT_ROUTING_KEY, "request-1", content)


def again(sent: Letter) -> Letter:
    """Return the same envelope under another message_id, as of a feed that was read twice."""
    return Letter(str(uuid5(uuid4(), "again")), sent.routing_key, sent.correlation_id, sent.body)


def a_hospital(connection: Connection, id_: UUID = HOSPITAL, code: str = "H105", **called: str) -> UUID:
    """Store a hospital that HL7 calls FACILITY, or `called` so by sources; return its id."""
    connection.execute(
        text(
            "INSERT INTO hospital (id, created_at, updated_at, code, name, region)"
            " VALUES (:id, now(), now(), :code, :code, 'SA')"
        ),
        {"id": id_, "code": code},
    )
    for source, name in (called or {"hl7v2": FACILITY}).items():
        connection.execute(
            text(
                "INSERT INTO hospital_identifier (id, created_at, hospital_id, source, kind, value, folded)"
                " VALUES (gen_random_uuid(), now(), :id, :source, 'facility', :name, :folded)"
            ),
            {"id": id_, "source": source, "name": name, "folded": folded(name)},
        )
    return id_
