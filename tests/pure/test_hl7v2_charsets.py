"""Character sets: MSH-18, byte order marks, what senders say and what they send."""

import pytest

from dhos_connector_api.hl7v2.read import Defect, read
from tests.builders.hl7 import adt


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


@pytest.mark.parametrize("default", ["cp1252", "8859/1", "iso8859_1"])
def test_the_sites_character_set_when_none_is_named_and_utf_8_does_not_fit(default: str) -> None:
    assert read(adt(family="É", codec="latin-1"), default_charset=default).first("PID").value(5) == "É"  # type: ignore[union-attr]
    assert read(adt(family="É"), default_charset=default).charset == "utf-8"


@pytest.mark.parametrize(
    ("charset", "raw_name"),
    [
        ("UNICODE UTF-8", b"\xc9"),
        ("ASCII", b"\xc3\xa9"),
        ("", b"\xff\xfe"),
        ("8859/1", b"\x81"),
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
