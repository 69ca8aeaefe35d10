"""Envelopes: one full golden body for each legacy trigger, and what every other message becomes."""

import json
from pathlib import Path
from uuid import uuid5
from zoneinfo import ZoneInfo

import pytest

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY
from dhos_connector_api.actions.hl7.extract import LEGACY_TRIGGERS
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.site.model import ALL_ADT_TRIGGERS, IdentifierTable, Inbound, Site
from tests.builders.envelopes import MESSAGE_UUID, actions, envelopes, only
from tests.builders.hl7 import adt_message, merge, message, two_patients

SAMPLES = Path(__file__).parent.parent / "samples" / "actions"
EVENTS = SAMPLES.parent / "events"


@pytest.mark.parametrize("trigger", sorted(LEGACY_TRIGGERS))
def test_a_legacy_trigger_gives_exactly_the_golden_body(trigger: str) -> None:
    received = read((SAMPLES / f"{trigger}.hl7").read_bytes())
    [envelope] = envelopes(received)
    assert json.loads(envelope.body) == json.loads((SAMPLES / f"{trigger}.json").read_text("utf-8"))
    assert envelope.routing_key == LEGACY_ROUTING_KEY
    assert envelope.correlation_id == "request-1"


def test_the_legacy_triggers_are_the_contracts() -> None:
    contract = (
        "A01 A02 A03 A04 A05 A08 A11 A12 A13 A14 A15 A21 A22 A23 A26 A27 A28 A31 A34 A35 A38 A40 A44 A52 A53"
    )
    assert set(contract.split()) == LEGACY_TRIGGERS
    assert {path.stem for path in SAMPLES.glob("*.json")} == LEGACY_TRIGGERS


@pytest.mark.parametrize("trigger", sorted(ALL_ADT_TRIGGERS - LEGACY_TRIGGERS))
def test_every_other_trigger_sends_its_event_alone(trigger: str) -> None:
    [envelope] = envelopes(adt_message(trigger))
    assert envelope.routing_key == EVENT_ROUTING_KEY
    assert list(actions(envelope)) == ["process_event"]
    assert actions(envelope)["process_event"]["event_code"] == f"ADT_{trigger}"


@pytest.mark.parametrize("sample", sorted(EVENTS.glob("*.hl7")), ids=lambda path: path.stem)
def test_another_trigger_gives_exactly_the_golden_event(sample: Path) -> None:
    [envelope] = envelopes(read(sample.read_bytes()))
    assert json.loads(envelope.body) == json.loads(sample.with_suffix(".json").read_text("utf-8"))
    assert envelope.routing_key == EVENT_ROUTING_KEY


def test_another_message_type_with_a_legacy_trigger_sends_its_event_alone() -> None:
    [envelope] = envelopes(adt_message("A01", MSH_9="ZDT^A01"))
    assert envelope.routing_key == EVENT_ROUTING_KEY
    assert list(actions(envelope)) == ["process_event"]


def test_a_message_without_a_patient_still_sends_its_event() -> None:
    received = read(message("MSH|^~\\&|PAS|RXX|||20240115||SIU^S12|1|P|2.4", "PV1|1|O|CLINIC"))
    event = only(received)["process_event"]
    assert event["patient"] == {"mrn": None, "nhs_number": None}
    assert event["location"]["epr_ward_code"] == "CLINIC"


def test_the_envelope_id_follows_from_the_message_and_is_the_event_uuid() -> None:
    [envelope] = envelopes(adt_message("A01"))
    assert envelope.id == uuid5(MESSAGE_UUID, "0")
    body = json.loads(envelope.body)
    assert body["dhos_connector_message_uuid"] == str(MESSAGE_UUID)
    assert actions(envelope)["process_event"]["event_uuid"] == str(envelope.id)


def test_an_action_has_exactly_a_name_and_data() -> None:
    [envelope] = envelopes(adt_message("A03"))
    body = json.loads(envelope.body)
    assert list(body) == ["dhos_connector_message_uuid", "actions"]
    assert [set(action) for action in body["actions"]] == [{"name", "data"}] * 4


def test_the_body_is_compact_utf8() -> None:
    [envelope] = envelopes(adt_message("A01", family="GARCÍA", given="Ngũgĩ"))
    assert "GARCÍA".encode() in envelope.body
    assert b'"name":"process_patient","data":{' in envelope.body


@pytest.mark.parametrize("trigger", ["A17", "A24", "A37"])
def test_a_message_about_two_patients_sends_two_events(trigger: str) -> None:
    first, second = envelopes(read(two_patients(trigger)))
    assert [first.id, second.id] == [uuid5(MESSAGE_UUID, "0"), uuid5(MESSAGE_UUID, "1")]
    assert first.routing_key == second.routing_key == EVENT_ROUTING_KEY
    events = [actions(each)["process_event"] for each in (first, second)]
    assert events[0]["patient"] != events[1]["patient"]
    assert events[0]["encounter_id"] != events[1]["encounter_id"]
    assert events[1]["event_uuid"] == str(second.id)


def test_a_merge_of_two_patients_sends_a_full_envelope_for_each() -> None:
    more = ["PID|2||B2^^^RXX^MRN||JONES^TOM||19990101|M", "MRG|B1^^^RXX^MRN"]
    first, second = envelopes(read(merge("A40", mrn="A2", old_mrn="A1", more=more)))
    assert first.routing_key == second.routing_key == LEGACY_ROUTING_KEY
    patients = [actions(each)["process_patient"] for each in (first, second)]
    assert [(each["mrn"], each["previous_mrn"]) for each in patients] == [("A2", "A1"), ("B2", "B1")]
    assert patients[1]["last_name"] == "JONES"


def test_identifiers_are_told_apart_by_the_sites_table() -> None:
    table = IdentifierTable(mrn_types=frozenset({"HOSP"}))
    received = adt_message("A01", PID_3="1^^^X^MR~2^^^X^HOSP")
    assert only(received, site=Site(inbound=Inbound(identifiers=table)))["process_patient"]["mrn"] == "2"


def test_local_times_are_read_in_the_given_zone() -> None:
    received = adt_message("A01", admitted="20240701103000")
    assert only(received)["process_encounter"]["admitted_at"] == "2024-07-01T10:30:00.000+01:00"
    tokyo = only(received, zone=ZoneInfo("Asia/Tokyo"))
    assert tokyo["process_encounter"]["admitted_at"] == "2024-07-01T10:30:00.000+09:00"
