"""Dates of birth in messages, and codes of classes: what refuses a message, and what is left out."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from dhos_connector_api.actions.hl7.extract import extract
from dhos_connector_api.errors import BadSite
from dhos_connector_api.hl7v2 import read as reading
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.rules import judge
from dhos_connector_api.intake import hl7
from dhos_connector_api.site.model import Inbound, Site
from dhos_connector_api.site.schema import parse
from tests.builders.hl7 import adt, merge, two_patients
from tests.builders.intake import INTAKE, an_arrival

TODAY = date(2024, 3, 18)
BAD = [
    "00010101",
    "99991231",
    "14050916",
    "1405-09-16",
    "18491231",
    "20240320",
    "2025",
    "1982-0305",
    "1982 -0305",
    "198203-0500",
    "20000101+^D",
    "unknown",
]
GOOD = ["18500101", "1850", "20240318", "20240319", "1982-03-05", "198203", "19000101"]


def read(raw: bytes) -> Message:
    """A message that came TODAY."""
    return reading.read(raw, received_on=TODAY)


def published(received: Message) -> dict[str, Any]:
    [envelope] = extract(received, site=Site(), zone=UTC, message_uuid=UUID(int=1), correlation_id="c")
    return {each["name"]: each["data"] for each in json.loads(envelope.body)["actions"]}


@pytest.mark.parametrize("birth", BAD)
def test_a_birth_that_cannot_be_refuses_the_message(birth: str) -> None:
    for raw in (adt("A01", birth=birth), adt("A60", birth=birth), merge("A40", birth=birth)):
        verdict = judge(read(raw), Inbound())
        assert (verdict.code, verdict.error, verdict.location) == ("AE", "102", "PID^1^7")


def test_of_two_patients_both_births_count() -> None:
    second = [f"PID|2||2^^^X^MRN||B^B||{BAD[0]}"]
    assert judge(read(two_patients("A24", more=second)), Inbound()).error == "102"


@pytest.mark.parametrize("birth", BAD)
def test_a_site_can_have_it_left_out(birth: str) -> None:
    site = parse({"inbound": {"bad_dates": "leave_out"}})
    received = read(adt("A01", birth=birth))
    assert judge(received, site.inbound).code == "AA"
    found = published(received)
    assert "date_of_birth" not in found["process_patient"]
    assert found["process_patient"]["last_name"]
    assert "process_encounter" in found


@pytest.mark.parametrize("birth", GOOD)
def test_a_birth_that_can_be_is_taken(birth: str) -> None:
    received = read(adt("A01", birth=birth))
    assert judge(received, Inbound()).code == "AA"
    assert published(received)["process_patient"].get("date_of_birth", "").replace("-", "") in {
        "",
        birth.replace("-", ""),
    }


def test_without_a_day_to_compare_with_it_may_lie_ahead() -> None:
    assert judge(reading.read(adt(birth="20990101")), Inbound()).code == "AA"
    assert judge(reading.read(adt(birth="18490101")), Inbound()).code == "AE"


def test_the_day_a_message_came_decides() -> None:
    raw = adt("A01", birth="20240320")
    refused = hl7.read(an_arrival(raw, at=datetime(2024, 3, 18, 23, tzinfo=UTC)), INTAKE)
    assert (refused.row.error_code, refused.row.error_location) == ("102", "PID^1^7")
    later = datetime(2024, 3, 19, 1, tzinfo=UTC)
    assert hl7.read(an_arrival(raw, at=later), INTAKE).row.ack_status == "AA"


def test_what_a_site_leaves_out_is_not_in_the_envelope() -> None:
    lenient = replace(INTAKE, site=Site(inbound=Inbound(bad_dates="leave_out")))
    read_ = hl7.read(an_arrival(adt("A01", birth="14050916")), lenient)
    [envelope] = read_.effects.envelopes
    assert read_.row.ack_status == "AA"
    told = {each["name"]: each["data"] for each in json.loads(envelope.body)["actions"]}
    assert "date_of_birth" not in told["process_patient"]
    assert told["process_event"]["date_of_birth"] is None


def test_other_words_of_the_site_are_refused() -> None:
    with pytest.raises(BadSite, match="bad_dates"):
        parse({"inbound": {"bad_dates": "guess"}})


@pytest.mark.parametrize(
    ("sent", "ignored", "code"),
    [
        ("P", {"PREADMIT"}, "AE"),
        ("r", {"RECURRING"}, "AE"),
        ("PREADMIT", {"P"}, "AE"),
        ("P", {"RECURRING", "WAITLIST"}, "AA"),
        ("R", {"PREADMIT"}, "AA"),
        ("I", {"PREADMIT", "RECURRING"}, "AA"),
        ("P", set(), "AA"),
    ],
)
def test_codes_of_classes_stand_for_their_words(sent: str, ignored: set[str], code: str) -> None:
    inbound = replace(Inbound(), ignored_encounter_classes=frozenset(ignored))
    verdict = judge(read(adt("A05", encounter_class=sent)), inbound)
    assert (verdict.code, verdict.error) == (code, "207" if code == "AE" else None)


@pytest.mark.parametrize("sent", ["P", "R", "PREADMIT", "WAITLIST"])
def test_a_site_that_says_nothing_ignores_them(sent: str) -> None:
    assert judge(read(adt("A05", encounter_class=sent)), Inbound()).error == "207"
