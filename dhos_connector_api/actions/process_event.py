"""The action `process_event`: what happened, to whom and where, from any source (pure)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.hl7v2.datetimes import instant
from dhos_connector_api.hl7v2.identifier_values import plain

#: Of this project's own: names of events made from what identifies them.
_EVENTS = UUID("6f0a6e52-3c1d-5f4e-9a57-0d4b1f2c8e73")


def event_uuid(identity: bytes) -> UUID:
    """Return the name of the event with that identity: the same whenever and wherever it is asked for."""
    return uuid5(_EVENTS, identity.hex())


def envelope_id(event: UUID, generation: int) -> UUID:
    """Return the AMQP message_id of an event whose meaning has changed `generation` times.

    Published again, however often, it has the same id, so a consumer that has applied it does
    nothing; each change of meaning has a new one, so consumers hear of it, also of one that comes back.
    """
    return uuid5(event, str(generation))


def action(*given: Mapping[str, Any]) -> Action:
    """Return the action with what is given, the later before the earlier, and null where nothing is.

    Decision: every key is always there, in the nested objects too, and nested objects are never null
    themselves, so a consumer can read `data["physician"]["id"]` of any event. What is given may add keys.
    """
    data: dict[str, Any] = {
        "source_system": None,
        "event_code": None,
        "event_uuid": None,
        "occurred_at": None,
        "generation": 0,
        "encounter_id": None,
        "encounter_type": None,
        "patient": {"mrn": None, "nhs_number": None},
        "facility": None,
        "location": {"epr_ward_code": None, "epr_bay_code": None, "epr_bed_code": None},
        "discharged_at": None,
        "physician": {"id": None, "family_name": None, "given_name": None, "prefix": None},
        "contact": {"phone": None, "email": None, "language": None},
        "deceased": None,
        "date_of_birth": None,
    }
    for each in given:
        for name, value in each.items():
            nested = data.get(name)
            # dict is asked for first: an abstract class takes long to answer.
            if isinstance(nested, dict) and isinstance(value, (dict, Mapping)):
                data[name] = {**nested, **value}
            else:
                data[name] = value
    return {"name": "process_event", "data": data}


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
    generation: int = 0,
) -> Action:
    """Return the action of an integration event: with `source_code` beside what every event has.

    `patient_identifier` is told as it is kept for search: without blanks, null where it is none. `fields`
    stand in for the nulls of the others (`patient`, `facility`, `location`, `contact`, `physician`, ...),
    and may add more. `occurred_at` is aware; `generation` is how often the event's meaning has changed.
    """
    event_itself = {
        "source_system": source_system,
        "event_code": canonical_code,
        "event_uuid": str(event),
        "generation": generation,
        "occurred_at": None if occurred_at is None else instant(occurred_at),
        "encounter_id": encounter_id,
        "patient": {"mrn": plain(patient_identifier or "") or None},
        "source_code": source_code,
    }
    return action(event_itself, fields)
