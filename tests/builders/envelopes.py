"""The envelopes that a message becomes, as the tests of actions look at them."""

import json
from datetime import tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dhos_connector_api.actions.envelope import Envelope
from dhos_connector_api.actions.hl7.extract import extract
from dhos_connector_api.hl7v2.groups import WITH_PRIOR
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.site.model import Site

MESSAGE_UUID = UUID("0191a000-0000-7000-8000-000000000000")
LONDON = ZoneInfo("Europe/London")
#: The keys of process_event, and those of its values that are objects.
EVENT_KEYS: dict[str, set[str] | None] = {
    "source_system": None,
    "event_code": None,
    "event_uuid": None,
    "occurred_at": None,
    "generation": None,
    "encounter_id": None,
    "encounter_type": None,
    "patient": {"mrn", "nhs_number"},
    "facility": None,
    "location": {"epr_ward_code", "epr_bay_code", "epr_bed_code"},
    "discharged_at": None,
    "physician": {"id", "family_name", "given_name", "prefix"},
    "contact": {"phone", "email", "language"},
    "deceased": None,
    "date_of_birth": None,
}


def envelopes(received: Message, *, zone: tzinfo = LONDON, site: Site | None = None) -> list[Envelope]:
    """Return everything that this message publishes."""
    return extract(
        received, site=site or Site(), zone=zone, message_uuid=MESSAGE_UUID, correlation_id="request-1"
    )


def actions(envelope: Envelope) -> dict[str, Any]:
    """Return the data of each action by name."""
    return {action["name"]: action["data"] for action in json.loads(envelope.body)["actions"]}


def only(received: Message, **options: Any) -> dict[str, Any]:
    """Return the actions of the one envelope of this message."""
    [envelope] = envelopes(received, **options)
    return actions(envelope)


def assert_shape(data: dict[str, Any]) -> None:
    """Assert that these are the data of a process_event, with every key that it has to have."""
    if data["event_code"] in {f"ADT_{trigger}" for trigger in WITH_PRIOR}:
        assert set(data.pop("previous")) == {"mrn", "nhs_number", "encounter_id"}
    assert set(data) == set(EVENT_KEYS)
    for key, inner in EVENT_KEYS.items():
        assert inner is None or set(data[key]) == inner
