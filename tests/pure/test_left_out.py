"""What an accepted HL7 message leaves out of its actions: where, why, and that nothing sent is quoted."""

from typing import Any

import pytest

from dhos_connector_api.actions.hl7.left_out import left_out
from dhos_connector_api.actions.left_out import MOST, LeftOut, as_json
from dhos_connector_api.hl7v2.read import Message, read
from dhos_connector_api.hl7v2.rules import Code, judge
from dhos_connector_api.site.model import ALL_ADT_TRIGGERS, Inbound, Site
from tests.builders.envelopes import LONDON, only
from tests.builders.hl7 import adt, adt_message, merge, message, two_patients

LENIENT = Site(inbound=Inbound(bad_dates="leave_out"))


def found(received: Message, site: Site = LENIENT) -> list[LeftOut]:
    assert judge(received, site.inbound).code is Code.AA
    return left_out(received, site, LONDON)


def places(received: Message, site: Site = LENIENT) -> list[tuple[str, str]]:
    return [(each.code, each.location) for each in found(received, site)]


@pytest.mark.parametrize("trigger", ["A01", "A02", "A03", "A08", "A13", "A60"])
def test_of_a_message_that_is_told_whole_there_is_nothing(trigger: str) -> None:
    assert found(adt_message(trigger)) == []


@pytest.mark.parametrize("trigger", ["A01", "A08", "A31", "A60"])
def test_nor_where_no_visit_was_sent(trigger: str) -> None:
    assert found(adt_message(trigger, PV1=None)) == []


@pytest.mark.parametrize("raw", [merge("A40"), two_patients("A24"), adt("A40", MRG_1="1^^^^MRN")])
def test_nor_of_a_merge_or_link(raw: bytes) -> None:
    assert found(read(raw)) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"PV1_44": ""}, [("101", "PV1^1^44")]),
        ({"PV1_44": "2024"}, [("102", "PV1^1^44"), ("101", "PV1^1^44")]),
        ({"PV1_44": "31/12/2024"}, [("102", "PV1^1^44"), ("101", "PV1^1^44")]),
        ({"PV1_44": "19000101"}, [("102", "PV1^1^44"), ("101", "PV1^1^44")]),
        ({"PV1_2": ""}, [("101", "PV1^1^2")]),
        ({"PV1_3": ""}, [("101", "PV1^1^3")]),
        ({"PV1_3": "^BAY1^BED2"}, [("101", "PV1^1^3"), ("101", "PV1^1^3")]),
        ({"PV1_6": "^^BED2"}, [("101", "PV1^1^6")]),
        ({"PV1_19": ""}, [("101", "PV1^1^19")]),
        ({"PV1_45": "tomorrow"}, [("102", "PV1^1^45")]),
        ({"PV1_45": "99991231"}, [("102", "PV1^1^45")]),
        ({"PID_7": "14050916"}, [("102", "PID^1^7")]),
        ({"PID_7": "someday"}, [("102", "PID^1^7")]),
        ({"PID_7": "1982"}, [("102", "PID^1^7")]),
        ({"PID_8": "X"}, [("103", "PID^1^8")]),
        ({"PID_29": "soon"}, [("102", "PID^1^29")]),
        ({"PID_29": "2024"}, [("102", "PID^1^29")]),
        ({"PID_30": "D"}, [("103", "PID^1^30")]),
        ({"PID_3": "1^^^^MRN~UNKNOWN^^^^MRN"}, [("102", "PID^1^3^2")]),
        ({"PID_3": "0000^^^^MRN~1^^^^MRN"}, [("102", "PID^1^3^1")]),
        ({"PID_3": "1^^^^MRN~1234567890^^^NHS^NHSNBR"}, [("102", "PID^1^3^2")]),
        ({"PID_3": "1^^^^MRN~1234567890^^^NHS"}, [("102", "PID^1^3^2")]),
        ({"PID_3": "1^^^^MRN~9999999999^^^NHS^NHSNBR"}, [("102", "PID^1^3^2")]),
        ({"PID_3": "1^^^^MRN~1234567890^^^NHS^NH"}, [("102", "PID^1^3^2")]),
        ({"PID_3": "1^^^^MRN~NOT KNOWN^^^^MRN"}, [("102", "PID^1^3^2")]),
        ({"PID_3": "", "PID_2": "1^^^^MRN~null"}, [("102", "PID^1^2^2")]),
        ({"MSH_7": "2024"}, [("102", "MSH^1^7")]),
        ({"EVN_2": "noon"}, [("102", "EVN^1^2")]),
        ({"EVN_6": "00010101"}, [("102", "EVN^1^6")]),
        ({"EVN_6": "21990101"}, [("102", "EVN^1^6")]),
        ({"PV1_45": "18991231"}, [("102", "PV1^1^45")]),
    ],
)
def test_what_is_left_out_is_named_by_place_and_code(
    fields: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    assert places(adt_message("A01", **fields)) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"PID_7": ""},
        {"PID_7": '""'},
        {"PID_8": "U"},
        {"PID_8": ""},
        {"PID_8": '""'},
        {"PID_29": '""'},
        {"PID_30": "y"},
        {"PID_30": "NO"},
        {"PV1_45": '""'},
        {"PV1_6": "WARD1"},
        {"PV1_44": "2024-03-01T10:15:00Z"},
        {"PID_3": "1^^^^MRN~078051120^^^USSSA^SS~^^^^MRN~"},  # of a type nobody asked for; empty ones
        {"PID_3": "1^^^^MRN~123456^^^NHS^MR"},  # taken as what its type says
        {"PID_3": "1^^^^MRN~1234567890^^^^NH"},  # of any nation: nobody said that it is the NHS's
        {"PID_3": "1^^^^MRN~1234567890^^^NHS^PPN"},  # the NHS numbers other things too
        {"PID_2": "UNKNOWN"},  # not read: PID-3 has what is needed
    ],
)
def test_what_says_nothing_or_is_told_is_not_left_out(fields: dict[str, str]) -> None:
    assert found(adt_message("A01", **fields)) == []


@pytest.mark.parametrize(
    "trigger", sorted(ALL_ADT_TRIGGERS & {"A01", "A04", "A11", "A13", "A28", "A31", "A52"})
)
@pytest.mark.parametrize("lacking", [(), (2,), (3,), (19,), (44,), (2, 44), (3, 19, 44)])
def test_there_is_an_encounter_or_the_reason_why_not(trigger: str, lacking: tuple[int, ...]) -> None:
    received = adt_message(trigger, **{f"PV1_{field}": "" for field in lacking})
    texts = [each.text for each in found(received) if "no process_encounter" in each.text]
    assert ("process_encounter" in only(received)) is (not texts)
    for text in texts:
        assert all(f"PV1-{field}" in text for field in lacking)


@pytest.mark.parametrize(
    ("places", "location"),
    [(("PID-18", "PV1-19"), "PV1^1"), (("PV1-50", "ZBE-1"), "PV1^1^50"), (("ZBE-1",), "PV1^1")],
)
def test_an_encounter_without_an_id_says_where_the_site_looks_for_it(
    places: tuple[str, ...], location: str
) -> None:
    site = Site(inbound=Inbound(encounter_ids=places))
    (entry,) = found(adt_message("A01", PV1_19=""), site)
    assert (entry.location, entry.text) == (location, f"no process_encounter: it needs {' or '.join(places)}")
    assert found(adt_message("A01", PV1_19="", PID_18="A", PV1_50="B", ZBE_1="C"), site) == []


def test_where_no_encounter_is_sent_none_is_left_out() -> None:
    assert found(adt_message("A31", PV1=None)) == []
    assert found(adt_message("A60", PV1_44="", PV1_19="")) == []  # event alone


def test_the_event_of_a_cancelled_discharge_has_no_discharge() -> None:
    assert places(adt_message("A13", discharged="20240101")) == [("207", "PV1^1^45")]
    assert places(adt_message("A25", discharged="20240101")) == [("207", "PV1^1^45")]
    assert places(adt_message("A03", discharged="20240101")) == []


def test_a_second_pv1_of_a_patient_is_told_of() -> None:
    assert places(adt_message(more=["PV1|2|I|W2"])) == [("100", "PV1^2")]


def test_the_second_patient_is_named_as_such() -> None:
    second = ["PID|2||22^^^^MRN~0^^^^MRN||B^B||1405", "MRG|21^^^^MRN~NONE^^^^MRN", "PV1|2|I"]
    received = read(merge("A40", PID_3="1^^^^MRN", more=second))
    assert places(received) == [
        ("102", "PID^2^3^2"),
        ("102", "PID^2^7"),
        ("102", "MRG^2^1^2"),
        ("101", "PV1^1^44"),
    ]


def test_a_prior_identifier_that_became_nothing_is_told_of() -> None:
    assert places(read(merge("A40", PID_3="1^^^^MRN", MRG_1="2^^^^MRN~3^^^X^ZZ"))) == [("103", "MRG^1^1")]
    assert places(adt_message("A35", PID_3="1^^^^MRN", MRG_1="3^^^X^ZZ")) == [("103", "MRG^1^1")]


@pytest.mark.parametrize("mrg_1", ["2^^^^MRN~3", "3~2^^^^MRN", "2^^^RTH^MR~3^^^OTHER"])
@pytest.mark.parametrize("trigger", ["A34", "A40", "A47"])
def test_a_prior_identifier_without_a_type_beside_an_mrn_is_told_of(trigger: str, mrg_1: str) -> None:
    assert places(read(merge(trigger, PID_3="1^^^^MRN", MRG_1=mrg_1))) == [("103", "MRG^1^1")]
    assert places(read(merge(trigger, PID_3="1^^^RTH^MR", MRG_1="2^^^RTH^MR~3^^^RTH"))) == []


def test_an_encounter_that_is_too_long_to_be_found_is_told_of() -> None:
    assert places(adt_message(PV1_19="V" * 256)) == [("102", "PV1^1")]
    assert places(adt_message(PV1_19="V" * 255)) == []


def test_other_types_are_looked_at_as_far_as_they_are_told() -> None:
    site = Site(inbound=Inbound(accepted={"ORU": frozenset({"*"})}, bad_dates="leave_out"))
    received = adt_message(MSH_9="ORU^R01", PV1_44="", PID_7="x", PID_8="X", EVN_2="noon", PV1_45="x")
    assert places(received, site) == [("102", "EVN^1^2"), ("102", "PV1^1^45")]


def test_the_first_are_kept_of_many_each_once() -> None:
    received = adt_message(PID_3="~".join(["1^^^^MRN", *["0^^^^MRN"] * 60]))
    assert len(found(received)) == MOST
    same = LeftOut("102", "PID^1^7", "why")
    assert as_json([same] * 3) == '[{"code": "102", "location": "PID^1^7", "text": "why"}]'
    assert as_json([]) is None


HIDDEN = "CANARY77"
CODES = {"100", "101", "102", "103", "207"}  # of table 0357


@pytest.mark.parametrize(
    "field", [*(f"PID_{n}" for n in (3, 7, 8, 29, 30)), *(f"PV1_{n}" for n in (6, 44, 45)), "EVN_2", "EVN_6"]
)
def test_no_value_is_quoted_and_every_code_is_of_the_table(field: str) -> None:
    value = {"PID_3": f"1^^^^MRN~{HIDDEN}^^^NHS^NHSNBR", "PV1_6": f"^{HIDDEN}"}.get(field, HIDDEN)
    entries = found(adt_message(**{field: value}))
    assert entries
    assert all(HIDDEN not in part for each in entries for part in each)
    assert all(each.code in CODES for each in entries)


def test_a_message_of_nobody_is_looked_at_too() -> None:
    site = Site(inbound=Inbound(accepted={"ORU": frozenset({"*"})}))
    raw = message("MSH|^~\\&|A|B|C|D|2024||ORU^R01|1|P|2.5", "PV1|1|I" + "|" * 43 + "x")
    expected: list[Any] = [("102", "MSH^1^7"), ("102", "PV1^1^45")]
    assert places(read(raw), site) == expected


@pytest.mark.parametrize(
    ("trigger", "field", "place"),
    [
        ("A35", 3, "PID-18"),
        ("A36", 3, "PID-18"),
        ("A41", 3, "PID-18"),
        ("A44", 3, "PID-18"),
        ("A42", 5, "PV1-19"),
        ("A45", 5, "PV1-19"),
        ("A50", 5, "PV1-19"),
    ],
)
def test_an_account_or_visit_that_is_given_up_is_left_out_where_the_site_does_not_read_it(
    trigger: str, field: int, place: str
) -> None:
    received = read(merge(trigger, **{f"MRG_{field}": "OLD"}))
    for places, lost in ((("PV1-50",), True), ((place,), False), ((place, "ZBE-1"), False)):
        entries = found(received, Site(inbound=Inbound(encounter_ids=places, bad_dates="leave_out")))
        told = [each for each in entries if each.location.startswith("MRG")]
        assert bool(told) is lost
        for entry in told:
            assert (entry.location, place in entry.text, "OLD" in entry.text) == (
                f"MRG^1^{field}",
                True,
                False,
            )


def test_the_account_beside_a_merge_of_patients_is_not_missed() -> None:
    assert found(read(merge("A40", MRG_3="ACCT", MRG_5="V1"))) == []
