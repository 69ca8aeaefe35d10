"""Character sets: MSH-18, byte order marks, what senders say and what they send."""

import pytest

from dhos_connector_api.hl7v2.acknowledge import acknowledge
from dhos_connector_api.hl7v2.charsets import table_name
from dhos_connector_api.hl7v2.read import Defect, read
from dhos_connector_api.hl7v2.rules import ACCEPTED, judge
from dhos_connector_api.site.model import Site
from tests.builders.hl7 import NOW, adt


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("", "utf-8"),
        ("UNICODE UTF-8", "utf-8"),
        ("UNICODE", "utf-8"),
        ("8859/1", "iso8859_1"),
        ("8859/2", "iso8859_2"),
        ("8859/15", "iso8859_15"),
        ("ISO-8859-9", "iso8859_9"),
        ("ASCII~UNICODE UTF-8", "utf-8"),
        ("NONSENSE", "utf-8"),
        ("GB 18030-2000", "gb18030"),
        ("gb18030", "gb18030"),
    ],
)
def test_the_character_set_is_what_msh_18_says(charset: str, codec: str) -> None:
    found = read(adt(MSH_18=charset, family="MÜLLER", codec=codec))
    assert found.first("PID").value(5) == "MÜLLER"  # type: ignore[union-attr]
    assert found.charset == codec
    assert not found.defects


@pytest.mark.parametrize(
    ("number", "text"), [(5, "Иванов"), (6, "محمد"), (7, "Γιώργος"), (8, "שלום"), (11, "ไทย"), (13, "Ģ")]
)
def test_the_parts_of_8859(number: int, text: str) -> None:
    found = read(adt(MSH_18=f"8859/{number}", family=text, codec=f"iso8859_{number}"))
    assert found.first("PID").value(5) == text  # type: ignore[union-attr]


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_by_its_byte_order_mark(codec: str) -> None:
    found = read(("\ufeff" + adt(family="Ωmega", MSH_18="UNICODE UTF-16").decode()).encode(codec))
    assert found.first("PID").value(5) == "Ωmega"  # type: ignore[union-attr]
    assert found.charset == "utf-16"
    assert not found.defects


def test_windows_1252_under_the_name_of_8859_1() -> None:
    found = read(adt(MSH_18="8859/1", family="O’BRIEN–É", codec="cp1252"))
    assert found.first("PID").value(5) == "O’BRIEN–É"  # type: ignore[union-attr]
    assert found.charset == "cp1252"
    assert not found.defects


@pytest.mark.parametrize("byte", ["\x81", "\x8d", "\x9d"])
def test_8859_1_that_cannot_be_windows_1252_is_what_it_says(byte: str) -> None:
    for msh_18, default in (("8859/1", "utf-8"), ("ISO-8859-1", "utf-8"), ("", "8859/1")):
        found = read(adt(MSH_18=msh_18, family=f"É{byte}\x96", codec="latin-1"), default_charset=default)
        assert found.first("PID").value(5) == f"É{byte}\x96"  # type: ignore[union-attr]
        assert (found.charset, found.defects) == ("iso8859_1", frozenset())


@pytest.mark.parametrize("default", ["cp1252", "8859/1", "iso8859_1"])
def test_the_sites_character_set_when_none_is_named_and_utf_8_does_not_fit(default: str) -> None:
    assert read(adt(family="É", codec="latin-1"), default_charset=default).first("PID").value(5) == "É"  # type: ignore[union-attr]
    assert read(adt(family="É"), default_charset=default).charset == "utf-8"


@pytest.mark.parametrize(
    ("charset", "raw_name"),
    [
        ("UNICODE UTF-8", b"\xc9"),
        ("ASCII", b"\xe9"),
        ("US-ASCII", b"\xc3\xa9\xe9"),
        ("", b"\xff\xfe"),
        ("CP1252", b"\x81"),
        ("8859/7", b"\xff"),
    ],
)
def test_bytes_that_do_not_fit_are_a_defect_and_the_header_still_reads(charset: str, raw_name: bytes) -> None:
    found = read(adt(MSH_18=charset, family="@", control_id="KEPT").replace(b"@", raw_name))
    assert found.defects == {Defect.INVALID_CHARACTERS}
    assert found.control_id == "KEPT"


def test_an_unknown_site_character_set_is_no_crash() -> None:
    assert (
        Defect.INVALID_CHARACTERS in read(adt(family="É", codec="latin-1"), default_charset="rot13").defects
    )


def test_gb_18030_is_read_and_answered() -> None:
    raw = adt(MSH_18="GB 18030-2000", MSH_3="医院", family="王小明乱", codec="gb18030")
    found = read(raw)
    assert found.first("PID").value(5) == "王小明乱"  # type: ignore[union-attr]
    assert "医院".encode("gb18030") in acknowledge(found, ACCEPTED, control_id="1", now=NOW)
    assert table_name("gb18030") == "GB 18030-2000"


@pytest.mark.parametrize(
    "declared", ["8859/1", "8859/2", "8859/15", "ISO-8859-1", "CP1252", "8859/1~ASCII", "ASCII", "us-ascii"]
)
@pytest.mark.parametrize("family", ["MÜLLER", "O’BRIEN", "Łódź", "王小明"])
def test_utf_8_wins_over_a_character_set_of_one_byte_a_character(declared: str, family: str) -> None:
    found = read(adt(MSH_18=declared, family=family))
    assert found.first("PID").value(5) == family  # type: ignore[union-attr]
    assert found.charset == "utf-8"
    assert found.defects == {Defect.CHARSET_OVERRULED}
    assert judge(found, Site().inbound) == ACCEPTED


@pytest.mark.parametrize("declared", ["", "UNICODE UTF-8", "8859/1~UNICODE UTF-8", "NONSENSE"])
def test_utf_8_that_is_no_surprise_is_not_remarked_on(declared: str) -> None:
    found = read(adt(MSH_18=declared, family="MÜLLER"))
    assert found.charset == "utf-8"
    assert not found.defects


def test_ascii_and_8859_itself_are_not_overruled() -> None:
    assert not read(adt(MSH_18="8859/1")).defects
    assert not read(adt(MSH_18="8859/1", family="MÜLLER Ã", codec="latin-1")).defects


@pytest.mark.parametrize(
    ("declared", "named"),
    [
        ("GB 2312", "The character set GB 2312 is not known here"),
        ("KS X 1001~BIG-5", "The character set KS X 1001 is not known here"),
        ("CNS 11643-1992", "The character set CNS 11643-1992 is not known here"),
        ("ISO IR159", "The character set ISO IR159 is not known here"),
        ("JAS2020", "The character set JAS2020 is not known here"),
        ("x-sjis", "The character set x-sjis is not known here"),
        ("UNICODE UTF-32", "The character set UNICODE UTF-32 is not known here"),
        ("windows-1251", "The character set windows-1251 is not known here"),
        ("KOI8-R", "The character set KOI8-R is not known here"),
        ("ISO-2022-JP", "The character set ISO-2022-JP is not known here"),
        ("TESTER TOM 19820305", "The character set named is not known here"),
        ("TESTER", "The character set named is not known here"),
        ("19820305", "The character set named is not known here"),
        ("9434765919", "The character set named is not known here"),
        ("CP TESTER", "The character set named is not known here"),
        ("GB 19820305", "The character set named is not known here"),
        ("ISO" + " " * 18, "The character set named is not known here"),
        ("ISO 1É", "The character set named is not known here"),
        ("X" * 40, "The character set named is not known here"),
        ("Umläut", "The character set named is not known here"),
        ("A\tB", "The character set named is not known here"),
        ("8859/7~GB 2312", "The bytes do not fit"),
        ("ASCII", "The bytes do not fit"),
        ('""', "The bytes do not fit"),
        ("", "The bytes do not fit"),
    ],
)
def test_an_unknown_character_set_is_blamed_by_name(declared: str, named: str) -> None:
    raw = adt(MSH_18=declared, family="@", codec="latin-1").replace(b"@", b"\x81\xff")
    verdict = judge(read(raw), Site().inbound)
    assert (verdict.code, verdict.error, verdict.location) == ("AE", "102", "MSH^1^18")
    assert (verdict.text or "").startswith(named)


def test_an_unknown_character_set_is_never_read_as_the_sites() -> None:
    raw = adt(MSH_18="KOI8-R", family="Ж", codec="koi8-r")
    assert Defect.INVALID_CHARACTERS in read(raw, default_charset="8859/5").defects
    assert not read(adt(MSH_18="KOI8-R"), default_charset="8859/5").defects


@pytest.mark.parametrize(
    ("door", "msh_18", "codec", "read_as"),
    [
        ("iso-8859-2", "", "iso8859_2", "Łódź"),
        ("ISO-8859-2", '""', "iso8859_2", "Łódź"),
        ("windows-1252", "8859/2", "iso8859_2", "Łódź"),
        ("iso-8859-2", "UNICODE UTF-8", "utf-8", "Łódź"),
        ("iso-8859-1", "", "utf-8", "Łódź"),
        (None, "", "utf-8", "Łódź"),
    ],
)
def test_the_doors_character_set_governs_where_msh_18_is_empty(
    door: str | None, msh_18: str, codec: str, read_as: str
) -> None:
    raw = adt(MSH_18=msh_18, family="Łódź", codec=codec)
    found = read(raw, default_charset="cp1252", door_charset=door)
    assert found.first("PID").value(5) == read_as  # type: ignore[union-attr]


def test_an_unknown_character_set_of_the_door_is_blamed_by_name_too() -> None:
    raw = adt(family="É", codec="latin-1")
    verdict = judge(read(raw, default_charset="8859/1", door_charset="x-sjis"), Site().inbound)
    assert (verdict.text or "").startswith("The character set x-sjis is not known here")


def test_cut_utf_16_and_lone_surrogates_leave_text_that_can_be_stored() -> None:
    whole = ("\ufeff" + adt(family="X").decode()).encode("utf-16-le")
    for raw in (whole + b"\x00", whole.replace(b"X\x00", b"\x00\xd8")):
        found = read(raw)
        assert Defect.INVALID_CHARACTERS in found.defects
        assert found.text.encode("utf-8")


def test_nul_is_a_defect_and_left_out() -> None:
    found = read(adt(family="SM\x00ITH"))
    assert found.defects == {Defect.NUL}
    assert "\x00" not in found.text
    assert read("MSH|^~\\&|A".encode("utf-16-le")).defects == {Defect.NUL}  # UTF-16 without its mark


def test_msh_18_is_found_where_the_header_goes_on_in_the_next_line() -> None:
    raw = adt(MSH_8="one\ntwo", MSH_18="8859/1", family="Müller", codec="latin-1")
    assert read(raw).declared == ("8859/1",)
    assert read(raw).charset == read(adt(MSH_18="8859/1", family="Müller", codec="latin-1")).charset
