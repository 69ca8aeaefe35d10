"""The envelope of an integration event: its names, its shape."""

import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

from dhos_connector_api.actions.envelope import body
from dhos_connector_api.actions.hl7.extract import extract
from dhos_connector_api.actions.process_event import envelope_id, event_uuid, process_event
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.site.model import Site
from tests.builders.hl7 import adt


def an_event(**fields: object) -> dict[str, object]:
    action = process_event(
        source_system="his",
        canonical_code="VISIT_STARTED",
        source_code="OPD",
        event=UUID(int=1),
        occurred_at=datetime(2025, 6, 5, 11, 6, tzinfo=UTC),
        encounter_id="V1",
        patient_identifier="M1",
        fields=fields,
    )
    data: dict[str, object] = action["data"]
    return data


def test_an_envelope_has_a_new_id_exactly_when_the_meaning_changes() -> None:
    event = event_uuid(b"identity")
    assert event == event_uuid(b"identity") != event_uuid(b"other")
    assert envelope_id(event, 1) == envelope_id(event, 1)
    assert len({envelope_id(event, 0), envelope_id(event, 1), envelope_id(uuid4(), 0)}) == 3


def test_the_action_has_every_key_of_an_hl7_event() -> None:
    [envelope] = extract(
        read(adt("A01")), site=Site(), zone=UTC, message_uuid=UUID(int=1), correlation_id="request-1"
    )
    from_hl7 = next(
        each["data"] for each in json.loads(envelope.body)["actions"] if each["name"] == "process_event"
    )
    ours = an_event()
    assert set(from_hl7) <= set(ours)
    for name, value in from_hl7.items():
        if isinstance(value, dict):
            inner = ours[name]
            assert isinstance(inner, dict)
            assert set(value) == set(inner)


def test_fields_stand_in_for_nulls_and_may_add_more() -> None:
    data = an_event(physician={"id": "L1"}, facility="ALH", payload={"a": 1})
    assert data["physician"] == {"id": "L1", "family_name": None, "given_name": None, "prefix": None}
    assert (data["facility"], data["payload"]) == ("ALH", {"a": 1})
    assert data["occurred_at"] == "2025-06-05T11:06:00.000Z"
    assert (data["event_code"], data["source_code"]) == ("VISIT_STARTED", "OPD")


def test_a_body_is_compact_utf_8_whatever_it_holds() -> None:
    actions = [{"name": "process_patient", "data": {"last_name": "Ötter"}}, {"name": "x", "data": {}}]
    raw = body(UUID(int=1), actions)
    assert json.loads(raw) == {"dhos_connector_message_uuid": str(UUID(int=1)), "actions": actions}
    assert '"last_name":"Ötter"'.encode() in raw
    assert b'"SM?TH"' in body(UUID(int=1), [{"name": "SM\ud800TH", "data": {}}])
