"""Whatever stands in the fields, a body is JSON that existing consumers can take."""

import json
from datetime import UTC
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dhos_connector_api.actions.envelope import LEGACY_ROUTING_KEY, Envelope
from dhos_connector_api.actions.hl7.extract import extract
from dhos_connector_api.actions.hl7.facts import facts
from dhos_connector_api.actions.hl7.left_out import left_out
from dhos_connector_api.actions.hl7.merges import merges
from dhos_connector_api.actions.left_out import MOST
from dhos_connector_api.hl7v2.read import Message, read
from dhos_connector_api.site.model import ALL_ADT_TRIGGERS, Site
from tests.builders.envelopes import assert_shape
from tests.builders.hl7 import adt

FIELDS = (
    [f"PID_{number}" for number in (2, 3, 5, 7, 8, 13, 15, 29)]
    + [f"PV1_{number}" for number in (2, 3, 6, 7, 19, 44, 45)]
    + [f"MRG_{number}" for number in (1, 2, 5, 6)]
    + ["EVN_2", "MSH_3", "MSH_4", "MSH_7"]
)
CX = ["M1^^^A^MR~M2^^^B^MR", "M3^^^A", "9434765919^^^NHS^NH~M4", "9434765870", "UNKNOWN^^^A^MR", "M1^^^A^PN"]
ALLOWED = {
    "process_patient": {
        "first_name", "last_name", "sex_sct", "nhs_number", "mrn", "date_of_birth", "date_of_death",
        "previous_nhs_number", "previous_mrn",
    },
    "process_location": {"location", "previous_location"},
    "process_encounter": {
        "epr_encounter_id", "location", "encounter_type", "admitted_at", "discharged_at",
        "admission_cancelled", "transfer_cancelled", "discharge_cancelled", "encounter_moved",
        "patient_deceased", "previous_location", "parent_encounter_id", "epr_previous_location_code",
    },
}  # fmt: skip

hl7_text = st.text(alphabet=st.sampled_from('A1 ^~\\&"X.0É\u2028\U0001f600\r'), max_size=12)
contents = st.one_of(
    hl7_text, st.text(max_size=12), st.sampled_from(['""', "20240115", "W^B^C", "\\X00\\", *CX])
)
sent_fields = st.dictionaries(st.sampled_from(FIELDS), contents.map(lambda text: text.replace("|", "")))
triggers = st.sampled_from(sorted(ALL_ADT_TRIGGERS))


def envelopes(received: Message) -> list[Envelope]:
    return extract(received, site=Site(), zone=UTC, message_uuid=UUID(int=1), correlation_id="c")


def without_surrogates(fields: dict[str, str]) -> dict[str, str]:
    return {name: text.encode("utf-8", "ignore").decode() for name, text in fields.items()}


def first_of_each_name(body: Any) -> dict[str, Any]:
    """The actions as existing consumers look them up."""
    found: dict[str, Any] = {}
    for action in body["actions"]:
        assert set(action) == {"name", "data"}
        found.setdefault(action["name"], action["data"])
    return found


@given(trigger=triggers, fields=sent_fields)
def test_a_body_has_the_allowed_keys_and_what_consumers_require(trigger: str, fields: dict[str, str]) -> None:
    received = read(adt(trigger, **without_surrogates(fields)))
    for envelope in envelopes(received):
        assert b"\\u0000" not in envelope.body
        actions = first_of_each_name(json.loads(envelope.body.decode("utf-8")))
        assert_shape(actions.pop("process_event"))
        assert ("process_patient" in actions) is (envelope.routing_key == LEGACY_ROUTING_KEY)
        for name, data in actions.items():
            assert set(data) <= ALLOWED[name]
            assert None not in data.values()
            assert "" not in data.values()
        if "process_encounter" in actions:
            required = {"epr_encounter_id", "encounter_type", "admitted_at", "location"}
            assert required <= set(actions["process_encounter"])
            assert actions["process_location"]["location"]["epr_ward_code"]


@given(trigger=triggers, fields=sent_fields)
def test_facts_and_merges_are_fit_to_be_stored(trigger: str, fields: dict[str, str]) -> None:
    received = read(adt(trigger, **without_surrogates(fields)))
    known = facts(received, Site(), UTC)
    texts = [known.sending_application, known.sending_facility, *(value for _, value in known.identifiers)]
    merged = merges(received, Site())
    texts += [value for each in merged for value in (each.old, each.surviving)]
    assert all(
        text == text.strip() and "\0" not in text and text.encode("utf-8").decode() == text for text in texts
    )
    assert all(0 < len(value) <= 255 for _, value in known.identifiers)
    assert all(each.old != each.surviving for each in merged)
    assert {(each.identifier_type, each.old) for each in merged} <= set(known.identifiers)


@given(trigger=triggers, fields=sent_fields)
def test_where_a_visit_has_no_encounter_it_is_said_why(trigger: str, fields: dict[str, str]) -> None:
    received = read(adt(trigger, **without_surrogates(fields)))
    entries = left_out(received, Site(), UTC)
    assert len(entries) <= MOST
    said = any("no process_encounter" in each.text for each in entries)
    for envelope in envelopes(received):
        full = envelope.routing_key == LEGACY_ROUTING_KEY
        actions = first_of_each_name(json.loads(envelope.body))
        assert said is (full and "process_encounter" not in actions)


@given(text=st.text(alphabet=st.characters(), min_size=1, max_size=6))
def test_any_character_survives_the_way_into_a_body(text: str) -> None:
    sent = "".join(character for character in text if character.isalnum()) or "A"
    [envelope] = envelopes(read(adt("A01", family=sent)))
    patient = first_of_each_name(json.loads(envelope.body))["process_patient"]
    assert patient["last_name"] == sent


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    received = read(adt("A01", family="SMITH"))
    broken = received.first("PID")
    assert broken is not None
    broken.line = broken.line.replace("SMITH", "SM\ud800TH")
    [envelope] = envelopes(received)
    assert first_of_each_name(json.loads(envelope.body))["process_patient"]["last_name"] == "SM?TH"
