"""The ACK table: each condition and its answer, and which one goes first."""

from dataclasses import replace
from typing import Any

import pytest

from dhos_connector_api.hl7v2.acknowledge import ERROR_NAMES
from dhos_connector_api.hl7v2.groups import TWO_PATIENTS
from dhos_connector_api.hl7v2.identifiers import patient_identifiers
from dhos_connector_api.hl7v2.read import MOST_LINES, read
from dhos_connector_api.hl7v2.rules import ACCEPTED, DUPLICATE, OWN_FAILURE, REPEATED, Code, Verdict, judge
from dhos_connector_api.site.model import ALL_ADT_TRIGGERS, IdentifierTable, Inbound
from dhos_connector_api.site.schema import parse
from tests.builders.hl7 import adt, merge, message, two_patients

MERGES = ["A18", "A30", "A34", "A35", "A36", "A39", "A40", "A41", "A42", "A47"]
CX = "{}^^^NOC-MRN^MRN"


def answer(raw: bytes, **inbound: Any) -> tuple[str, str | None, str | None]:
    verdict = judge(read(raw), replace(Inbound(), **inbound))
    return verdict.code, verdict.error, verdict.location


AA = ("AA", None, None)


@pytest.mark.parametrize("trigger", sorted(ALL_ADT_TRIGGERS - set(MERGES)))
def test_every_trigger_about_a_patient_is_accepted(trigger: str) -> None:
    assert answer(two_patients(trigger) if trigger in TWO_PATIENTS else adt(trigger)) == AA


@pytest.mark.parametrize(
    ("raw", "inbound", "entry"),
    [
        (adt("A20"), {}, "accepted"),
        (message("MSH|^~\\&|A|B|||20240101||ORU^R01|1|P|2.5"), {}, "accepted"),
        (adt("A01"), {"processing_ids": frozenset({"T"})}, "processing_ids"),
        (adt("A01"), {"versions": frozenset({"2.9"})}, "versions"),
        (adt("A01", birth="14050916"), {}, "bad_dates"),
        (
            adt("A01", encounter_class="R"),
            {"ignored_encounter_classes": frozenset({"R"})},
            "ignored_encounter_classes",
        ),
        (adt("A01", PID_3="1^^^^ZZ"), {}, "identifiers"),
        (
            merge("A40", PID_3="1^^^^MR", MRG_1="2^^^^ZZ"),
            {"identifiers": IdentifierTable(untyped_is_mrn=False)},
            "identifiers",
        ),
    ],
)
def test_what_a_site_can_change_is_refused_by_the_name_of_its_entry(
    raw: bytes, inbound: dict[str, Any], entry: str
) -> None:
    verdict = judge(read(raw), replace(Inbound(), **inbound))
    assert verdict.code in {"AE", "AR"}
    assert f"(site file, inbound.{entry})" in (verdict.text or "")
    assert hasattr(Inbound(), entry)


@pytest.mark.parametrize("trigger", sorted(TWO_PATIENTS))
def test_a_swap_or_link_of_one_patient_is_refused(trigger: str) -> None:
    assert answer(adt(trigger)) == ("AE", "100", "PID^2")


@pytest.mark.parametrize("trigger", MERGES)
def test_a_merge_needs_mrg(trigger: str) -> None:
    assert answer(merge(trigger)) == AA
    assert answer(adt(trigger)) == ("AE", "100", "MRG^1")


def test_every_group_of_a_merge_needs_its_mrg() -> None:
    second = ["PID|2||" + CX.format("22")]
    assert answer(merge("A40", more=second)) == ("AE", "100", "MRG^1")
    assert answer(merge("A40", more=[*second, "MRG|" + CX.format("23")])) == AA


@pytest.mark.parametrize("trigger", ["A17", "A24", "A37"])
def test_swap_link_and_unlink_name_two_patients(trigger: str) -> None:
    assert answer(two_patients(trigger)) == AA
    assert answer(adt(trigger)) == ("AE", "100", "PID^2")
    for further in (1, 2):
        more = [f"PID|||{CX.format(str(number))}" for number in range(1 + further)]
        assert answer(adt(trigger, more=more)) == ("AE", "100", "PID^3")


@pytest.mark.parametrize("trigger", ["A01", "A08", "A31", "A34", "A45"])
def test_two_pid_where_one_belongs(trigger: str) -> None:
    assert answer(two_patients(trigger, MRG_1=CX.format("9"))) == ("AE", "100", "PID^2")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (adt(MSH_9="ORU^R01"), ("AR", "200", "MSH^1^9^1^1")),
        (adt(MSH_9=""), ("AR", "200", "MSH^1^9^1^1")),
        (adt(MSH_9='""^A01'), ("AR", "200", "MSH^1^9^1^1")),
        (adt("A20"), ("AR", "201", "MSH^1^9^1^2")),
        (adt("A99"), ("AR", "201", "MSH^1^9^1^2")),
        (adt(MSH_9="ADT", EVN=None), ("AR", "201", "MSH^1^9^1^2")),
        (adt(MSH_9="ADT"), AA),
        (adt() + adt(), ("AR", "207", "MSH^2")),
        (b"BHS|^~\\&|A\r" + adt(), ("AR", "207", None)),
        (adt().replace(b"^~\\&", b"^^\\&"), ("AE", "102", "MSH^1^2")),
        (adt(PID=None), ("AE", "100", "PID^1")),
        (adt(PID_3=""), ("AE", "101", "PID^1^3")),
        (adt(PID_3="123"), AA),
        (adt(PID_3="UNKNOWN"), ("AE", "101", "PID^1^3")),
        (adt(PID_3="9434765918^^^NHS^NH"), ("AE", "101", "PID^1^3")),
        (adt(PID_3='""^^^NOC^MRN'), ("AE", "101", "PID^1^3")),
        (adt(PID_3="1^^^X^SS"), ("AE", "101", "PID^1^3")),
        (adt(mrn=""), AA),
        (adt(nhs_number=""), AA),
        (adt(control_id=""), ("AE", "101", "MSH^1^10")),
        (adt(control_id="  "), ("AE", "101", "MSH^1^10")),
        (adt(control_id='""'), ("AE", "101", "MSH^1^10")),
        (adt(control_id="9" * 199), AA),
        (adt(control_id="9" * 200), ("AE", "102", "MSH^1")),
        (adt(MSH_3="9" * 5000), ("AE", "102", "MSH^1")),
        (adt("A02", PV1=None), ("AE", "101", "PV1^1^3")),
        (adt("A02", ward="", bay="", bed=""), ("AE", "101", "PV1^1^3")),
        (adt("A02", PV1_3='""'), ("AE", "101", "PV1^1^3")),
        (adt("A02"), AA),
        (adt("A01", PV1_3=""), AA),
        (adt("A31", PV1=None), AA),
        (adt(admitted=""), AA),
        (adt(MSH_18="UNICODE UTF-8", family="É", codec="latin-1"), ("AE", "102", "MSH^1^18")),
        (adt(family="A\x00B"), ("AE", "102", None)),
        (adt(birth="19820230"), ("AE", "102", "PID^1^7")),
        (adt(birth="unknown"), ("AE", "102", "PID^1^7")),
        (adt(birth="1982"), AA),
        (adt(birth="198203"), AA),
        (adt(birth=""), AA),
        (adt(birth='""'), AA),
        (adt(birth="198203051412^D"), AA),
        (adt(encounter_class="PREADMIT"), ("AE", "207", "PV1^1^2")),
        (adt(encounter_class="waitlist"), ("AE", "207", "PV1^1^2")),
        (adt(encounter_class=""), AA),
    ],
)
def test_the_table(raw: bytes, expected: tuple[str, str | None, str | None]) -> None:
    assert answer(raw) == expected


def test_what_the_site_accepts() -> None:
    assert answer(adt(), processing_ids=frozenset("P")) == AA
    assert answer(adt(MSH_11="P^T"), processing_ids=frozenset("P")) == AA
    assert answer(adt(MSH_11="T"), processing_ids=frozenset("P")) == ("AR", "202", "MSH^1^11")
    assert answer(adt(version="2.5.1"), versions=frozenset({"2.3"})) == ("AR", "203", "MSH^1^12")
    assert answer(adt(MSH_12="2.3^GBR"), versions=frozenset({"2.3"})) == AA
    assert answer(adt("A08"), accepted={"ADT": frozenset({"A01"})}) == ("AR", "201", "MSH^1^9^1^2")
    assert answer(adt(encounter_class="PREADMIT"), ignored_encounter_classes=frozenset()) == AA


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_message_has_so_many_segments_and_no_more(end: str) -> None:
    raw = adt(PV1=None).replace(b"\r", end.encode())
    left = MOST_LINES - raw.count(end.encode())
    notes = f"NTE|{end}".encode()
    assert answer(raw + notes * left) == AA
    assert answer(raw + notes * (left + 1)) == ("AE", "207", None)
    assert answer(raw + notes * (left + 1), accepted={}) == ("AR", "200", "MSH^1^9^1^1")


def test_other_message_types_have_structures_of_their_own() -> None:
    accepted = {"MFN": frozenset({"M02"}), "SIU": frozenset({"S12"})}
    header = "MSH|^~\\&|A|B|C|D|20240101||MFN^M02|1|P|2.5"
    assert answer(message(header, "MFI|STF"), accepted=accepted) == AA
    assert answer(adt(MSH_9="SIU^S12", PID_3=""), accepted=accepted) == ("AE", "101", "PID^1^3")


PRECEDENCE: list[tuple[dict[str, Any], str, str]] = [
    ({"MSH_9": "ORU^A20"}, "AR", "200"),
    ({"MSH_9": "ADT^A20"}, "AR", "201"),
    ({"MSH_11": "T"}, "AR", "202"),
    ({"MSH_12": "9"}, "AR", "203"),
    ({"more": ["NTE|\x00"]}, "AE", "102"),
    ({"MSH_10": ""}, "AE", "101"),
    ({"PID": None}, "AE", "100"),
    ({"PID_3": ""}, "AE", "101"),
    ({"PID_7": "x"}, "AE", "102"),
    ({"PV1_2": "RECURRING"}, "AE", "207"),
]


@pytest.mark.parametrize("first", range(len(PRECEDENCE)))
def test_the_first_objection_of_the_table_decides(first: int) -> None:
    """A message with this fault and all that come later in the table."""
    faults: dict[str, Any] = {}
    for fault, _, _ in reversed(PRECEDENCE[first:]):
        if "PID" in fault:
            faults = {name: value for name, value in faults.items() if not name.startswith("PID_")}
        faults |= fault
    site = {"processing_ids": frozenset("P"), "versions": frozenset({"2.3"})}
    assert answer(adt(**faults), **site)[:2] == PRECEDENCE[first][1:]


def test_verdicts_of_the_intake_are_of_the_table() -> None:
    assert Verdict(Code.AA) == ACCEPTED
    assert [(v.code, v.error) for v in (DUPLICATE, REPEATED, OWN_FAILURE)] == [
        ("AR", "205"),
        ("AR", "205"),
        ("AE", "207"),
    ]
    assert {DUPLICATE.error, OWN_FAILURE.error} <= set(ERROR_NAMES)


def test_what_one_message_may_bring_is_bounded() -> None:
    assert answer(merge(more=["MRG|OLD^^^A^MRN"] * 301)) == ("AE", "207", None)
    assert answer(adt(PID_5="X" * 70_000)) == ("AE", "207", None)
    assert answer(merge(more=["MRG|OLD^^^A^MRN"] * 100)) == AA


@pytest.mark.parametrize("field", ["PID_3", "PID_13", "MRG_1"])
def test_the_repetitions_of_a_field_are_bounded(field: str) -> None:
    assert answer(merge(**{field: "~".join(["1^^^A^MRN"] * 100)})) == AA
    assert answer(merge(**{field: "~".join(["1^^^A^MRN"] * 101)})) == ("AE", "207", None)
    assert answer(merge(**{field: "~".join(["1^^^A^MRN"] * 300_000)})) == ("AE", "207", None)


def test_the_repetitions_of_a_message_are_bounded() -> None:
    mrg = "MRG|" + "~".join(["1^^^A^MRN"] * 99)
    assert answer(merge(mrn="1", nhs_number="", more=[mrg] * 10)) == AA
    assert answer(merge(mrn="1", nhs_number="", more=[mrg] * 11)) == ("AE", "207", None)


def test_a_pid_that_groups_share_counts_for_each() -> None:
    assert answer(merge(PID_5="X" * 60_000, more=["MRG|OLD^^^A^MRN"] * 7)) == AA
    assert answer(merge(PID_5="X" * 60_000, more=["MRG|OLD^^^A^MRN"] * 8)) == ("AE", "207", None)


def test_a_senders_own_code_does_not_pass_for_ours() -> None:
    table = IdentifierTable(mrn_types=frozenset({"HOSP"}))
    (pid,) = read(adt(PID_3="1^^^X^MRN~2^^^X^HOSP")).all("PID")
    assert patient_identifiers(pid, table).mrn == "2"


@pytest.mark.parametrize("kind", ["ORU^R01", "ORU^R30", "ORU^Z01"])
def test_a_star_takes_every_trigger_of_its_type(kind: str) -> None:
    accepted = parse({"inbound": {"accepted": {"ORU": ["*"], "MDM": ["T02"]}}}).inbound.accepted
    assert answer(adt(MSH_9=kind), accepted=accepted) == AA
    assert answer(adt(MSH_9="MDM^T01"), accepted=accepted) == ("AR", "201", "MSH^1^9^1^2")
    assert answer(adt("A01"), accepted=accepted) == ("AR", "200", "MSH^1^9^1^1")


def test_a_star_of_adt_takes_a_trigger_of_the_sites_own_beside_it() -> None:
    accepted = parse({"inbound": {"accepted": {"ADT": ["*", "Z99"]}}}).inbound.accepted
    assert answer(adt("Z99"), accepted=accepted) == answer(adt("A01"), accepted=accepted) == AA
    assert answer(adt("Z98"), accepted=accepted) == ("AR", "201", "MSH^1^9^1^2")
