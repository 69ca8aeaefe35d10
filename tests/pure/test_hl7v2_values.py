"""Times, identifiers and patient groups."""

from datetime import UTC, date, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhos_connector_api.hl7v2.datetimes import Precision, parse
from dhos_connector_api.hl7v2.groups import patient_groups
from dhos_connector_api.hl7v2.identifiers import (
    MRN,
    NHS_NUMBER,
    patient_identifiers,
)
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.hl7v2.segment import MOST_REPETITIONS
from dhos_connector_api.site.model import IdentifierTable
from tests.builders.hl7 import adt_message, merge, two_patients

LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("text", "precision", "iso", "date"),
    [
        ("1982", Precision.YEAR, None, None),
        ("198203", Precision.MONTH, None, None),
        ("19820305", Precision.DAY, "1982-03-05T00:00:00.000Z", "1982-03-05"),
        ("20170731", Precision.DAY, "2017-07-31T00:00:00.000+01:00", "2017-07-31"),
        ("2017073114", Precision.HOUR, "2017-07-31T14:00:00.000+01:00", "2017-07-31"),
        ("201707311413", Precision.MINUTE, "2017-07-31T14:13:00.000+01:00", "2017-07-31"),
        ("20170731141300", Precision.SECOND, "2017-07-31T14:13:00.000+01:00", "2017-07-31"),
        ("20170131141300.1", Precision.FRACTION, "2017-01-31T14:13:00.100Z", "2017-01-31"),
        ("20170731141300.1234567+0000", Precision.FRACTION, "2017-07-31T14:13:00.123Z", "2017-07-31"),
        ("201707311413-0330", Precision.MINUTE, "2017-07-31T14:13:00.000-03:30", "2017-07-31"),
        (" 20170731141300Z"[:-1], Precision.SECOND, "2017-07-31T14:13:00.000+01:00", "2017-07-31"),
        ("20240331013000", Precision.SECOND, "2024-03-31T02:30:00.000+01:00", "2024-03-31"),  # skipped
        ("20241027013000", Precision.SECOND, "2024-10-27T01:30:00.000+01:00", "2024-10-27"),  # twice
        ("18000101", Precision.DAY, "1800-01-01T00:00:00.000-00:02", "1800-01-01"),  # local mean time
        ("20240229", Precision.DAY, "2024-02-29T00:00:00.000Z", "2024-02-29"),
        # what is not HL7's form, but has one reading
        ("20170731141300Z", Precision.SECOND, "2017-07-31T14:13:00.000Z", "2017-07-31"),
        ("20170731141300 +01:00", Precision.SECOND, "2017-07-31T14:13:00.000+01:00", "2017-07-31"),
        ("20170731141300.1234567890123", Precision.FRACTION, "2017-07-31T14:13:00.123+01:00", "2017-07-31"),
        ("20170731141300,5Z", Precision.FRACTION, "2017-07-31T14:13:00.500Z", "2017-07-31"),
        ("20170731T141300", Precision.SECOND, "2017-07-31T14:13:00.000+01:00", "2017-07-31"),
        ("2017-07", Precision.MONTH, None, None),
        ("2017-07-31", Precision.DAY, "2017-07-31T00:00:00.000+01:00", "2017-07-31"),
        ("2017/07/31 14:13", Precision.MINUTE, "2017-07-31T14:13:00.000+01:00", "2017-07-31"),
        (
            "2017-07-31T14:13:00.1234567-03:30",
            Precision.FRACTION,
            "2017-07-31T14:13:00.123-03:30",
            "2017-07-31",
        ),
        ("2017-07-31t14:13:00z", Precision.SECOND, "2017-07-31T14:13:00.000Z", "2017-07-31"),
        ("2017-07-31 14:13:00.5+01", Precision.FRACTION, "2017-07-31T14:13:00.500+01:00", "2017-07-31"),
        ("20170731101500+01", Precision.SECOND, "2017-07-31T10:15:00.000+01:00", "2017-07-31"),
        ("20170731101500.5-03", Precision.FRACTION, "2017-07-31T10:15:00.500-03:00", "2017-07-31"),
        ("2017073110 +01", Precision.HOUR, "2017-07-31T10:00:00.000+01:00", "2017-07-31"),
        ("20170731-0330", Precision.DAY, "2017-07-31T00:00:00.000-03:30", "2017-07-31"),
        ("20170731Z", Precision.DAY, "2017-07-31T00:00:00.000Z", "2017-07-31"),
        ("1982+0100", Precision.YEAR, None, None),
        ("198203+0100", Precision.MONTH, None, None),
    ],
)
def test_times(text: str, precision: Precision, iso: str | None, date: str | None) -> None:
    found = parse(text, LONDON)
    assert found is not None
    assert (found.precision, found.iso(), found.date_iso()) == (precision, iso, date)
    assert found.value.tzinfo is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        '""',
        "198",
        "19823",
        "1982030",
        "19821301",
        "20230229",
        "2017073124",
        "201707311460",
        "20170731141360",
        *(
            "00000000",
            "20170731141300.",
            "2017073114.5",
            "31-07-2017",
            "201707-31",
            "2017-0731",
            "2017 -0731",
            "2017-07:31",
            "201707-3100",
            "201707-0100",
            "20170731+01",
            "1982+03",
            "2017-07-31+01:00",
            "2017-07-31T14:13:00+1",
            "07/31/2017",
            "2017-07/31",
            "2017-7-31",
            "2017-07-32",
            "2017-07-31T14:13:00.",
            "2017-07-31T14.5",
            "20170731T",
            "20170731141300ZZ",
            "20170731+2400",
            "20170731+0160",
            "x" * 9,
        ),
        *(
            "99991231235959-1200",
            "00010101+1300",
            "٢٠١٧٠٧٣١",
            "9" * 100_000,
            "20170731141300." + "1" * 100_000,
        ),
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert parse(text, LONDON) is None


@given(st.text("0123456789+-.:TZ/ \r", max_size=30))
def test_no_text_makes_it_fail(text: str) -> None:
    for zone in (UTC, LONDON, ZoneInfo("Pacific/Kiritimati"), timezone(timedelta(hours=-12))):
        if found := parse(text, zone):
            found.iso()
            digits = "".join(filter(str.isdigit, text))
            assert found.date_iso() in {None, f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"}


def identifiers(pid_3: str, sent: str = "20240315120000", **table: object) -> list[tuple[str, str]]:
    received = adt_message(PID_3=pid_3, MSH_7=sent)
    pid = received.first("PID")
    assert pid is not None
    found = patient_identifiers(pid, IdentifierTable(**table), received.sent_on)  # type: ignore[arg-type]
    assert found.mrn == next((one.value for one in found.all if one.type == MRN), None)
    assert found.nhs_number == next((one.value for one in found.all if one.type == NHS_NUMBER), None)
    return [(one.type, one.value) for one in found.all]


@pytest.mark.parametrize(
    ("pid_3", "expected"),
    [
        ("1^^^NOC-MRN^MRN~9990000018^^^NHS^NHSNBR", [(NHS_NUMBER, "9990000018"), (MRN, "1")]),
        ("9990000018^^^nhs~1^^^X^pi", [(NHS_NUMBER, "9990000018"), (MRN, "1")]),
        ("999 000 0018^^^^NHSNBR", [(NHS_NUMBER, "9990000018")]),
        ("9990000018^^^2&NHS&L^XX", [(NHS_NUMBER, "9990000018")]),
        ("9990000018^^^&2.16.840.1.113883.2.1.4.1&ISO", [(NHS_NUMBER, "9990000018")]),
        ("1^^^^MR^^^20200101~2^^^^MR", [(MRN, "2"), (MRN, "1")]),
        ('1^^^^MR^^^""~2^^^^MR', [(MRN, "1"), (MRN, "2")]),
        ("1^^^^MR^^20200101", [(MRN, "1")]),
        ("1", [(MRN, "1")]),
        ("1^^^A^CMRN~2", [("", "1"), (MRN, "2")]),
        ('""', []),
        ('""^^^^MR~ ^^^^MR~~5^^^^MR', [(MRN, "5")]),
        ("9" * 201 + "^^^^MR", []),
        ("", []),
    ],
)
def test_identifiers(pid_3: str, expected: list[tuple[str, str]]) -> None:
    assert identifiers(pid_3) == expected


def test_the_assigning_authority_goes_before_the_type() -> None:
    both = "1^^^OTHER^MR~2^^^Noc^XX"
    assert identifiers(both, mrn_authorities=frozenset({"NOC"})) == [(MRN, "2"), (MRN, "1")]
    expired = "1^^^OTHER^MR~2^^^NOC^MR^^^20200101"
    assert identifiers(expired, mrn_authorities=frozenset({"NOC"})) == [(MRN, "1"), (MRN, "2")]


@pytest.mark.parametrize(
    ("pid_3", "expected"),
    [
        ("1~2", [(MRN, "1"), (MRN, "2")]),
        ("1~2^^^^MR", [("", "1"), (MRN, "2")]),
        ("9990000018^^^NHS~2", [(NHS_NUMBER, "9990000018"), (MRN, "2")]),
        ("1^^^RTH", [(MRN, "1")]),
        ("1^^^RTH^PN", [("", "1")]),
    ],
)
def test_an_untyped_repetition_is_the_mrn_where_no_typed_one_stands_beside_it(
    pid_3: str, expected: list[tuple[str, str]]
) -> None:
    assert identifiers(pid_3) == expected
    without = identifiers(pid_3, untyped_is_mrn=False)
    assert without == [(kind if kind == NHS_NUMBER or "^MR" in pid_3 else "", one) for kind, one in expected]


@pytest.mark.parametrize("untyped", [True, False])
def test_of_untyped_repetitions_the_first_where_the_site_says_so(untyped: bool) -> None:
    def found(pid_3: str) -> list[tuple[str, str]]:
        return identifiers(pid_3, mrn_first_repetition=True, untyped_is_mrn=untyped)

    assert found("1~2") == [(MRN, "1"), ("", "2")]
    assert found("1~2^^^^MR") == [("", "1"), (MRN, "2")]
    assert found("078051120^^^USSSA^SS~55501") == [("", "078051120"), (MRN, "55501")]
    assert found("") == []


@pytest.mark.parametrize(
    ("pid_3", "expected"),
    [
        ("1001^^^MRN", [(MRN, "1001")]),
        ("1001^^^mr", [(MRN, "1001")]),
        ("9990000018^^^NHSNBR", [(NHS_NUMBER, "9990000018")]),
        ("1001^^^MR^SS", [("", "1001")]),
    ],
)
def test_a_type_code_in_the_place_of_the_authority_counts_where_there_is_no_other(
    pid_3: str, expected: list[tuple[str, str]]
) -> None:
    assert identifiers(pid_3, untyped_is_mrn=False) == expected


@pytest.mark.parametrize(
    ("cx", "expected"),
    [
        ("9434765919^^^NHS^NH", [(NHS_NUMBER, "9434765919")]),
        ("943 476 5919^^^NHS^NH", [(NHS_NUMBER, "9434765919")]),
        ("943-476-5919^^^NHS", [(NHS_NUMBER, "9434765919")]),
        ("943\u00a0476\u00a05919^^^NHS^MR", [(NHS_NUMBER, "9434765919")]),
        ("\u200b9434765919\t^^^^NHSNMBR", [(NHS_NUMBER, "9434765919")]),
        ("\u0669\u0664\u0663\u0664\u0667\u0666\u0665\u0669\u0661\u0669^^^NHS", [(NHS_NUMBER, "9434765919")]),
        ("9434765918^^^NHS^NH", [("", "9434765918")]),
        ("943476591^^^^NHS", [("", "943476591")]),
        ("123456^^^NHS^MR", [(MRN, "123456")]),
        ("123456^^^NHS", [("", "123456")]),
        ("123456^^^NHSNBR", [("", "123456")]),
        ("9434765918^^^nhsnbr&1.2.3&ISO", [("", "9434765918")]),
        ("123456^^^NHSNBR~7", [("", "123456"), (MRN, "7")]),
        ("9434765919^^^SPINE^NH", [("", "9434765919")]),
        ("UNKNOWN^^^NHS^NH", []),
        ("0000000000^^^NHS^NH", []),
        ("1111111111^^^NHS^NH", [("", "1111111111")]),
        ("999 999 9999^^^NHS^NH", [("", "9999999999")]),
        ("222-222-2222^^^^NHSNBR", [("", "222-222-2222")]),
        ("1111111111^^^RTH^MR", [(MRN, "1111111111")]),
    ],
)
def test_an_nhs_number_has_a_right_check_digit_whatever_its_spelling(
    cx: str, expected: list[tuple[str, str]]
) -> None:
    assert identifiers(cx) == expected


@pytest.mark.parametrize(
    "value",
    [
        *("null", "UNKNOWN", "Unknown", "0", "00000", "000-000", "N/A", "-", "\u200b"),
        *("NA", "na", "NIL", "NOT KNOWN", "Not known", "XXXX", "x", "xx xx"),
    ],
)
@pytest.mark.parametrize("field", ["^^^RTH^MR", "", "^^^NHS^NHS"])
def test_what_says_that_nothing_is_known_is_no_identifier(value: str, field: str) -> None:
    assert identifiers(f"{value}{field}~7^^^RTH^MR") == [(MRN, "7")]


@pytest.mark.parametrize(
    ("spelt", "kept"),
    [(" M 10\u00a001 ", "M1001"), ("M1\u200b001", "M1001"), ("0-10", "0-10"), ("NA1", "NA1"), ("XX7", "XX7")],
)
def test_an_mrn_is_kept_without_blanks_of_any_kind(spelt: str, kept: str) -> None:
    assert identifiers(f"{spelt}^^^RTH^MR") == [(MRN, kept)]


@pytest.mark.parametrize(
    ("pid_2", "pid_3", "expected"),
    [
        ("1001^^^RTH^MR", "", [(MRN, "1001")]),
        ("1001", "", [(MRN, "1001")]),
        ("1001^^^RTH^MR", "UNKNOWN^^^RTH^MR", [(MRN, "1001")]),
        ("1001^^^RTH^MR", "78^^^USSSA^SS", [("", "78"), (MRN, "1001")]),
        ("1001^^^RTH^MR", "9434765919^^^NHS", [(NHS_NUMBER, "9434765919"), (MRN, "1001")]),
        ("1001", "78^^^USSSA^SS", [("", "78")]),
        ("1001^^^RTH^MR", "2002^^^RTH^MR", [(MRN, "2002")]),
        ("1001^^^RTH^MR", "2002", [(MRN, "2002")]),
        ("9434765919^^^NHS", "2002^^^RTH^MR", [(NHS_NUMBER, "9434765919"), (MRN, "2002")]),
    ],
)
def test_a_pid_2_counts_where_pid_3_has_none(pid_2: str, pid_3: str, expected: list[tuple[str, str]]) -> None:
    pid = adt_message(PID_2=pid_2, PID_3=pid_3).first("PID")
    assert pid is not None
    found = patient_identifiers(pid, IdentifierTable())
    assert [(one.type, one.value) for one in found.all] == expected


def test_identifiers_given_up() -> None:
    mrg = read(merge(old_mrn="OLD7")).first("MRG")
    assert mrg is not None
    assert patient_identifiers(mrg, IdentifierTable()).mrn == "OLD7"


@pytest.mark.parametrize(
    ("expires", "sent", "expired"),
    [
        ("20240314", "20240315", True),
        ("20240315", "20240315235959", False),  # the last day it is valid
        ("20240316", "20240315", False),
        ("202402", "20240315", True),
        ("202403", "20240315", False),
        ("2023", "20240315", True),
        ("2024-03-14", "20240315", True),
        ("2024-03-15", "2024-03-15T10:00:00Z", False),
        ("2024", "20240315", False),
        ("20240314235959+0000", "20240315", True),
        (" 20240314", "20240315", True),
        ("20240230", "20240315", False),
        ("yes", "20240315", False),
        ('""', "20240315", False),
        ("20200101", "", False),
        ("20200101", '""', False),
        ("20200101", "202403", False),
        ("20200101", "now", False),
    ],
)
def test_an_identifier_that_had_expired_when_the_message_was_sent_comes_last(
    expires: str, sent: str, expired: bool
) -> None:
    both = [(MRN, "1"), (MRN, "2")]
    found = identifiers(f"1^^^^MR^^^{expires}~2^^^^MR", sent)
    assert found == (both[::-1] if expired else both)


def test_a_segment_read_again_by_another_table_or_day_is_read_anew() -> None:
    pid = adt_message(PID_3="1^^^A^MR^^^20240314~2^^^B^XX").first("PID")
    assert pid is not None
    own = IdentifierTable(mrn_authorities=frozenset({"B"}))
    assert patient_identifiers(pid, IdentifierTable()).mrn == "1"
    assert patient_identifiers(pid, own).mrn == "2"
    assert patient_identifiers(pid, IdentifierTable(), date(2024, 3, 15)).all[0].value == "2"


def test_repetitions_are_read_as_far_as_a_message_may_bring_them() -> None:
    assert len(identifiers("~".join(["1^^^A^MR"] * 100_000))) == MOST_REPETITIONS


def groups(raw: bytes) -> list[tuple[str, str | None, str | None]]:
    found = patient_groups(read(raw))
    return [
        (g.pid.value(1), g.mrg.value(1) if g.mrg else None, g.pv1.value(1) if g.pv1 else None) for g in found
    ]


def test_patient_groups() -> None:
    header = merge(
        "A40", PID_1="1", old_mrn="a", more=["PV1|x", "PID|2", "PD1|1", "MRG|b", "PID|3", "MRG|c", "PV1|y"]
    )
    assert groups(header) == [("1", "a", "x"), ("2", "b", None), ("3", "c", "y")]
    assert groups(two_patients(PID_1="1")) == [("1", None, "1"), ("1", None, "1")]
    assert groups(merge("A45", PID_1="1", old_mrn="a", more=["PV1|x", "MRG|b", "PV1|y"])) == [
        ("1", "a", "x"),
        ("1", "b", "y"),
    ]


def test_one_patient_has_one_group_in_whatever_order_the_segments_come() -> None:
    raw = merge("A18", PID=None, old_mrn="a", more=["PV1|x", "PID|1", "PV1|y"])
    assert groups(raw) == [("1", "a", "x")]
    assert groups(merge("A18", PID=None)) == []
