"""The action of an integration event, `process_event`, and the names of event and envelope (pure)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from dhos_connector_api.actions.envelope import Action

#: Of this project's own: names of events made from what identifies them.
_EVENTS = UUID("6f0a6e52-3c1d-5f4e-9a57-0d4b1f2c8e73")


def event_uuid(identity: bytes) -> UUID:
    """The name of the event with that identity: the same whenever and wherever it is asked for."""
    return uuid5(_EVENTS, identity.hex())


def envelope_id(event: UUID, generation: int) -> UUID:
    """The AMQP message_id of an event whose meaning has changed so often.

    Published again, however often, it has the same id, so a consumer that has applied it does
    nothing; each change of meaning has a new one, so consumers hear of it, also of one that comes back.
    """
    return uuid5(event, str(generation))


def process_event(
    *,
    source_system: str,
    canonical_code: str,
    source_code: str,
    event: UUID,
    occurred_at: datetime | None,
    encounter_id: str | None,
    patient_identifier: str | None,
    fields: Mapping[str, Any],
) -> Action:
    """The action, with every key that `actions.event.process_event` has, and some of its own.

    `fields` stand in for the nulls of the others (`patient`, `facility`, `location`, `contact`,
    `physician`, ...), and may add more. `occurred_at` is aware.
    """
    data: dict[str, Any] = {
        "source_system": source_system,
        "event_code": canonical_code,
        "event_uuid": str(event),
        "occurred_at": None if occurred_at is None else instant(occurred_at),
        "encounter_id": encounter_id,
        "patient": {"mrn": patient_identifier, "nhs_number": None},
        "facility": None,
        "location": {"epr_ward_code": None, "epr_bay_code": None, "epr_bed_code": None},
        "discharged_at": None,
        "physician": {"id": None, "family_name": None, "given_name": None, "prefix": None},
        "contact": {"phone": None, "email": None, "language": None},
        "source_code": source_code,
    }
    for name, value in fields.items():
        known = data.get(name)
        data[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, Mapping) else value
    return {"name": "process_event", "data": data}


def instant(at: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, `2017-07-31T14:13:00.000Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
