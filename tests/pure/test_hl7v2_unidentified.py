"""What AE 101 says: types and authorities that were there, those the site takes, and never a value."""

from typing import Any

import pytest

from dhos_connector_api.hl7v2.read import Message, read
from dhos_connector_api.hl7v2.rules import judge
from dhos_connector_api.site.model import IdentifierTable, Inbound
from tests.builders.hl7 import adt_message, merge


def said(received: Message, **table: Any) -> str:
    verdict = judge(received, Inbound(identifiers=IdentifierTable(**table)))
    assert (verdict.code, verdict.error) == ("AE", "101")
    return verdict.text or ""


def test_an_empty_pid_3_is_another_thing_than_one_that_is_not_known() -> None:
    for empty in ("", '""', "^^^RTH^MR", "~"):
        assert said(adt_message(PID_3=empty)) == "PID-3 is empty: the patient has no identifier."
    assert "empty" not in said(adt_message(PID_3="7^^^RTH^PN"))


def test_types_and_authorities_that_were_there_are_told_and_those_the_site_takes() -> None:
    text = said(adt_message(PID_3="4711^^^RTH^PN~078051120^^^&2.16.840.1.113883.4.1&ISO^SS~4711^^^RTH^PN"))
    assert "There: type PN, authority RTH; type SS, authority 2.16.840.1.113883.4.1." in text
    assert "NHS number by authority NHS" in text
    assert "MRN by type HN, MEDREC, MR, MRN, PI or no type where no MRN that has one stands beside it" in text
    assert "inbound.identifiers" in text


def test_what_the_site_takes_is_what_its_file_says() -> None:
    text = said(
        adt_message(PID_3="4711^^^RTH"),
        mrn_types=frozenset({"HOSP"}),
        mrn_authorities=frozenset({"RBH"}),
        untyped_is_mrn=False,
    )
    assert "There: no type, authority RTH." in text
    assert "MRN by authority RBH or type HOSP (" in text


def test_a_value_that_is_none_and_a_wrong_check_digit_are_told() -> None:
    assert "type MR, authority RTH, no usable value" in said(adt_message(PID_3="UNKNOWN^^^RTH^MR"))
    text = said(adt_message(PID_3="9434765918^^^NHS^NH"))
    assert "type NH, authority NHS, no NHS number by its digits" in text


@pytest.mark.parametrize(
    "pid_3",
    [
        "4711^^^4711^PN",
        "x4711^^^X4711^PN",
        "4711^^^M4711^PN",
        "4711^^^RTH^4711",
        "4711^^^SMITH-1982-0305-4711^PN",
        "4711^^^12.03.4711^PN",
        "4711^^^" + "R4711" * 9 + "^PN",
    ],
)
def test_no_value_is_ever_told_wherever_it_stands(pid_3: str) -> None:
    text = said(adt_message(PID_3=pid_3))
    assert "4711" not in text
    assert "not shown" in text


@pytest.mark.parametrize(
    ("pid_3", "hidden"),
    [
        ("1 High St^^OXFORD^OXON^OX1 1AA", "OX"),
        ("1 High St^^OXFORD^W1A1AA^ZZ", "W1A1AA"),
        ("SMITH^JOHN^^MARY ANN^X", "MARY"),
        ("SMITH^JOHN^^MARY-ANNABELLE^X", "ANNABELLE"),
        ("SMITH^JOHN^^X^MARY ANN", "MARY"),
        ("SMITH^JOHN^^JUNIOR^DOCTOR", "JUNIOR"),
    ],
)
def test_of_a_name_or_an_address_in_the_wrong_field_nothing_is_told(pid_3: str, hidden: str) -> None:
    of_merge = read(merge("A40", PID_3="1^^^RTH^MR~1^^^^X", MRG_1=pid_3))
    for text in (said(adt_message(PID_3=pid_3)), said(of_merge, untyped_is_mrn=False)):
        assert "There: no identifier by its parts (CX.2, CX.3), not shown." in text
        assert hidden not in text


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("PID_5", "Otter^Sara"),
        ("PID_5", "VAN DER OTTER^Sara"),
        ("PID_4", "OTTER^SARA"),
        ("PID_6", "otter"),
        ("PID_9", "x^Otter"),
        ("PID_11", "1 Otter Lane^^OXFORD"),
    ],
)
@pytest.mark.parametrize("pid_3", ["7^^^Otter^PN", "7^^^^OTTER", "7^^^OTTER-1^PN", "7^^^DR.OTTER^PN"])
def test_a_word_of_a_persons_name_or_address_is_not_told_wherever_it_stands(
    field: str, written: str, pid_3: str
) -> None:
    text = said(adt_message(PID_3=pid_3, **{field: written}))
    assert "OTTER" not in text.upper()
    assert "not shown" in text


def test_nor_one_of_either_name_in_a_merge() -> None:
    for name in ({"MRG_7": "Otter^Sara"}, {"PID_5": "Otter^Sara"}):
        received = read(merge("A40", PID_3="1^^^RTH^MR", MRG_1="7^^^OTTER^PN", **name))
        assert "There: type PN, authority not shown." in said(received, untyped_is_mrn=False)


def test_a_region_in_an_address_hides_no_authority_that_begins_with_it() -> None:
    text = said(adt_message(PID_3="7^^^ON_HN^JHN", PID_11="1 High St^^TORONTO^ON"))
    assert "There: type JHN, authority ON_HN." in text


@pytest.mark.parametrize("pid_3", ["UNKNOWN^^^RTH^MR", "UNKNOWN^1^M11^RTH^MR"])
def test_a_title_hides_no_code_of_the_sites(pid_3: str) -> None:
    text = said(adt_message(PID_3=pid_3, PID_5="Otter^Tom^^^MR"))
    assert "There: type MR, authority RTH, no usable value." in text


def test_what_has_no_type_beside_an_mrn_that_has_one_is_not_said_to_be_taken() -> None:
    refused = read(merge("A40", PID_3="77^^^OTH^MR~1001^^^RTH", MRG_1="1002^^^RTH"))
    text = said(refused)
    assert "There: no type, authority RTH. Taken: " in text
    assert "or no type where no MRN that has one stands beside it (site file" in text
    assert "or no type where no MRN" in said(adt_message(PID_3="7^^^RTH^PN"), mrn_first_repetition=True)
    assert "no type where" not in said(adt_message(PID_3="7^^^RTH^PN"), untyped_is_mrn=False)


def test_a_merge_says_what_its_mrg_held() -> None:
    empty, unknown = (read(merge("A40", PID_3="1^^^RTH^MR", MRG_1=mrg)) for mrg in ("", "4711^^^USSSA^SS"))
    assert said(empty) == "MRG-1 is empty: a merge needs the identifier that is given up."
    text = said(unknown)
    assert text.startswith("MRG-1 has no identifier that can be paired with one of PID-3.")
    assert "type SS, authority USSSA" in text
    assert "4711" not in text


def test_the_text_is_of_a_bounded_length() -> None:
    many = "~".join(f"{number}^^^AUTHORITY-{chr(65 + number % 26)}^PN" for number in range(100))
    codes = frozenset(f"CODE{letter}" for letter in "ABCDEFGHIJKLMNOP")
    text = said(adt_message(PID_3=many), mrn_types=codes, mrn_authorities=codes)
    assert "others" in text
    assert len(text) < 600


def test_the_patient_that_is_not_identified_is_named() -> None:
    received = read(merge("A40", PID_3="1^^^RTH^MR", more=["PID|2||7^^^RTH^PN", "MRG|2^^^RTH^MR"]))
    assert judge(received, Inbound()).location == "PID^2^3"
