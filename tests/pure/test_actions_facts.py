"""Facts of a message: what is stored beside it, and the identifiers it is found under."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dhos_connector_api.actions.hl7.facts import MOST_IDENTIFIERS, Facts, facts
from dhos_connector_api.hl7v2.read import Message, read
from dhos_connector_api.hl7v2.rules import judge
from dhos_connector_api.site.model import Site
from tests.builders.hl7 import adt, adt_message, merge, message, two_patients


def of(received: Message) -> Facts:
    return facts(received, Site(), UTC)


def identifiers(**overrides: Any) -> tuple[tuple[str, str], ...]:
    return of(adt_message("A01", **overrides)).identifiers


def test_the_header_as_sent() -> None:
    received = adt_message(
        MSH_3="PAS\\T\\CO^1.2.3^ISO",
        MSH_4=" RXX ",
        MSH_7="20240715093000",
        MSH_9="ADT^A01^ADT_A01",
        MSH_11="T^A",
    )
    known = facts(received, Site(), ZoneInfo("Europe/London"))
    assert (known.message_type, known.event_code) == ("ADT^A01^ADT_A01", "ADT_A01")
    assert (known.sending_application, known.sending_facility) == ("PAS&CO^1.2.3^ISO", "RXX")
    assert (known.version, known.processing_id) == ("2.3", "T")
    assert known.control_id == received.control_id
    assert known.sent_at == datetime(2024, 7, 15, 8, 30, tzinfo=UTC)


def test_of_a_header_that_says_nothing() -> None:
    assert of(read(message("MSH|^~\\&|"))) == Facts()
    deleted = "|".join(["MSH", "^~\\&", *['""'] * 10])
    assert of(read(message(deleted))) == Facts()


@pytest.mark.parametrize("sent", ["", '""', "2024", "202407", "20240230", "now", "00010101", "99991231"])
def test_no_time_of_sending_where_msh_7_names_no_day_to_be_stored(sent: str) -> None:
    assert of(adt_message(MSH_7=sent)).sent_at is None


def test_the_identifiers_of_one_patient() -> None:
    found = identifiers(mrn=" M1 ", nhs_number="943 476 5919", visit="V1^^^X")
    assert set(found) == {("MRN", "M1"), ("NHS number", "9434765919"), ("Visit ID", "V1")}


def test_every_mrn_is_an_identifier_once() -> None:
    assert identifiers(PID_3="M1^^^A^MRN~M2^^^B^PI~M1^^^C^MR~77^^^X^SS", visit="") == (
        ("MRN", "M1"),
        ("MRN", "M2"),
    )


def test_the_identifiers_of_two_patients() -> None:
    received = read(two_patients("A24", mrn="M1", visit="V1"))
    second = received.all("PID")[1].value(3)
    assert ("MRN", second) in of(received).identifiers
    assert len(of(received).identifiers) == 6


def test_the_old_identifiers_of_a_merge_come_last() -> None:
    received = read(merge("A40", mrn="NEW", nhs_number="", old_mrn="OLD", MRG_5="V0^^^X"))
    assert of(received).identifiers == (("MRN", "NEW"), ("MRN", "OLD"), ("Visit ID", "V0"))


@pytest.mark.parametrize("visit", ["", '""', " ", "V" * 256])
def test_what_is_no_identifier_is_left_out(visit: str) -> None:
    assert "Visit ID" not in dict(identifiers(visit=visit))


def test_the_longest_identifier_is_kept() -> None:
    assert ("Visit ID", "V" * 255) in identifiers(visit="V" * 255)


def test_the_identifiers_of_the_largest_accepted_message_are_all_kept() -> None:
    pids = [f"PID|||{number}^^^A^MRN" for number in range(2, 100)]
    more = [line for pid in pids for line in (pid, "MRG|0" + pid[6:] + "||||V" + pid[6:], "PV1|1|I")]
    received = read(merge("A40", mrn="1", nhs_number="", old_mrn="10", MRG_5="V1", more=more))
    assert judge(received, Site().inbound).code == "AA"
    known = of(received).identifiers
    assert {("MRN", str(number)) for number in range(1, 100)} <= set(known)


@pytest.mark.parametrize(
    "fields",
    [
        {"PID_3": "~".join(f"{number}^^^A^MRN" for number in range(210_000))},
        {"MRG_1": "~".join(f"{number}^^^A^MRN" for number in range(210_000))},
        {"more": [f"PID|||{number}^^^A^MRN" for number in range(50_000)]},
        {
            "more": [
                "MRG|" + "~".join(f"{one}.{number}^^^A^MRN" for number in range(99)) for one in range(500)
            ]
        },
        {"more": ["PV1|||||||||||||||||||V" + str(number) for number in range(50_000)]},
    ],
)
def test_what_is_refused_for_its_size_has_a_bounded_number_of_identifiers(fields: dict[str, Any]) -> None:
    received = read(merge("A40", **fields))
    assert judge(received, Site().inbound).error == "207"
    assert 0 < len(of(received).identifiers) <= MOST_IDENTIFIERS


def test_a_nul_reaches_no_fact() -> None:
    known = of(read(adt("A01", MSH_3="PA\0S", MSH_10="C\\X00\\1", PID_3="M\\X00\\1^^^X^MRN", visit="V\0")))
    assert "\0" not in repr(known)
