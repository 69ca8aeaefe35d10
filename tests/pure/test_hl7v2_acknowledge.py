"""The acknowledgement: its layout by version, who stands where, and what hostile senders cannot do to it."""

from datetime import datetime, timedelta, timezone

import hl7
import pytest

from dhos_connector_api.hl7v2.acknowledge import acknowledge, frameable, refuse_unreadable
from dhos_connector_api.hl7v2.framing import Deframer, Frame, framed
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.hl7v2.rules import ACCEPTED, DUPLICATE, OWN_FAILURE, Code, Verdict, judge
from dhos_connector_api.site.model import Site
from tests.builders.hl7 import NOW, adt, merge


def ack(raw: bytes, verdict: Verdict | None = None, now: datetime = NOW) -> bytes:
    message = read(raw)
    return acknowledge(message, verdict or judge(message, Site().inbound), control_id="OURS", now=now)


def lines(raw: bytes, verdict: Verdict | None = None) -> list[str]:
    return ack(raw, verdict).decode().split("\r")


def test_an_accepted_message_gets_msh_and_msa() -> None:
    raw = adt(
        version="2.5", control_id="C1", MSH_3="SRC^1.2.3^ISO", MSH_4="FAC&x", MSH_11="P^T", MSH_12="2.5^GBR"
    )
    assert lines(raw, ACCEPTED) == [
        "MSH|^~\\&|TIE|DHOS|SRC^1.2.3^ISO|FAC&x|20240318091503.250+0000||ACK^A01^ACK|OURS|P^T|2.5^GBR",
        "MSA|AA|C1",
        "",
    ]


def test_the_time_has_its_offset() -> None:
    now = NOW.astimezone(timezone(timedelta(hours=1)))
    assert b"|20240318101503.250+0100|" in ack(adt(), now=now)


@pytest.mark.parametrize(
    ("version", "kind", "error"),
    [
        ("2.1", "ACK", "ERR|PID^1^3^101"),
        ("2.2", "ACK", "ERR|PID^1^3^101"),
        ("2.3", "ACK", "ERR|PID^1^3^101"),
        ("2.3.1", "ACK^A01^ACK", "ERR|PID^1^3^101&Required field missing&HL70357"),
        ("2.4", "ACK^A01^ACK", "ERR|PID^1^3^101&Required field missing&HL70357"),
        ("2.5", "ACK^A01^ACK", "ERR||PID^1^3|101^Required field missing^HL70357|E||||"),
        ("2.8.2", "ACK^A01^ACK", "ERR||PID^1^3|101^Required field missing^HL70357|E||||"),
        ("", "ACK^A01^ACK", "ERR||PID^1^3|101^Required field missing^HL70357|E||||"),
        ("rubbish", "ACK^A01^ACK", "ERR||PID^1^3|101^Required field missing^HL70357|E||||"),
        ("9" * 5000, "ACK^A01^ACK", "ERR||PID^1^3|101^Required field missing^HL70357|E||||"),
    ],
)
def test_the_layout_is_that_of_the_senders_version(version: str, kind: str, error: str) -> None:
    msh, msa, err, _ = lines(adt(MSH_12=version, control_id="C1", PID_3=""))
    text = "PID-3 is empty: the patient has no identifier."
    assert msh.split("|")[8] == kind
    new = error.endswith("|")
    assert msa == ("MSA|AE|C1" if new else f"MSA|AE|C1|{text}")
    assert err == (error + text if new else error)


def test_a_verdict_without_place_or_with_a_segment_alone() -> None:
    assert lines(adt(version="2.5"), OWN_FAILURE)[2].startswith(
        "ERR|||207^Application internal error^HL70357|E|"
    )
    assert lines(adt(version="2.4"), OWN_FAILURE)[2] == "ERR|^^^207&Application internal error&HL70357"
    assert lines(adt(version="2.4", PID=None))[2].startswith("ERR|PID^1^^100&")
    assert lines(adt(version="2.5"), DUPLICATE)[2].startswith("ERR||MSH^1^10|205^")


@pytest.mark.parametrize("trigger", ["A40", "A34", "A18"])
def test_a_merge_into_itself_says_so_where_the_version_has_room_for_it(trigger: str) -> None:
    def said(version: str, mrg_1: str) -> list[str]:
        raw = merge(trigger, version=version, control_id="C1", PID_3="1^^^RTH^MR", MRG_1=mrg_1)
        return lines(raw)[1:-1]

    text = "The prior identifiers are those of the patient already: nothing is merged."
    for old in ("2.2", "2.3", "2.4"):
        assert said(old, "1") == [f"MSA|AA|C1|{text}"]
    for new in ("2.5", "2.5.1", "2.8.2", ""):
        assert said(new, "1") == ["MSA|AA|C1", f"ERR|||0^Message accepted^HL70357|I||||{text}"]
        assert said(new, "2") == ["MSA|AA|C1"]


def test_the_trigger_from_evn_and_none_at_all() -> None:
    assert "|ACK^A03^ACK|" in lines(adt("A03", MSH_9="ADT", version="2.5"))[0]
    assert "|ACK|OURS|" in lines(adt(MSH_9="ADT", EVN=None, version="2.5"))[0]


def test_an_empty_control_id() -> None:
    assert lines(adt(control_id="", version="2.5"))[1] == "MSA|AE"


def test_the_senders_own_delimiters() -> None:
    raw = b"MSH#*!?@%#S*1#F#R#G#20240101##ADT*A01*X#A?S?B#P#2.5#\rPID#1\r"
    msh, msa, err, _ = lines(raw)
    assert msh == "MSH#*!?@%#R#G#S*1#F#20240318091503.250+0000##ACK*A01*ACK#OURS#P#2.5"
    assert msa == "MSA#AE#A?S?B"
    assert err.startswith("ERR##PID*1*3#101*Required field missing*HL70357#E####")


def test_left_out_delimiters_are_made_up_so_that_text_can_be_escaped() -> None:
    msh, msa, *_ = lines(b"MSH|^|S & T^x|F|R|G|||ADT^A01|1&2~3\\|P|2.5\r")
    assert msh.startswith("MSH|^~\\&|R|G|S \\T\\ T^x|F|")
    assert msa == "MSA|AE|1\\T\\2\\R\\3\\E\\"


@pytest.mark.parametrize("start", ["MSH||", "MSH|^^\\&|", "MSHA^~\\&A", "MSH|ABCD|", "MSH|^~\\&#!|"])
def test_unusable_delimiters_are_answered_with_the_standard_ones(start: str) -> None:
    separator = start[3]
    raw = start + separator.join(["S", "F", "R", "G", "", "", "X@", "ID-9", "P", "2.5"])
    msh, msa, err, _ = lines(raw.encode())
    assert msh.startswith("MSH|^~\\&|R|G|S|F|2024")
    assert msa == "MSA|AE|ID-9"
    assert err.startswith("ERR||MSH^1^2|102^")


@pytest.mark.parametrize("control", ["\x0b", "\x1c", "\x1d", "\x7f", "\t"])
def test_control_characters_are_escaped(control: str) -> None:
    raw = adt(control_id=f"A{control}B^C", MSH_3=f"S{control}^x", MSH_9=f"ADT^A01{control}", version="2.5")
    if control == "\x1c":
        raw = raw.replace(b"\x1c", b"\\X1C\\")
    answer = ack(raw)
    assert control.encode() not in answer
    assert read(answer).all("MSA")[0].text(2) == f"A{control}B^C"


def test_no_part_of_the_message_becomes_a_segment() -> None:
    hostile = "X\\X0D\\MSA\\F\\AA\\X0A\\ERR"
    raw = adt(control_id=hostile, MSH_3=hostile, MSH_11=hostile, MSH_9="ADT^A\\X0D\\MSA", version="2.5")
    for case in (raw, raw.replace(b"\\", b"?"), raw.replace(b"^~\\&", b"^~\\")):
        assert [segment.name for segment in read(ack(case)).segments()] == ["MSH", "MSA", "ERR"]


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("8859/1", "latin-1"),
        ("8859/1", "cp1252"),
        ("UNICODE UTF-8", "utf-8"),
        ("", "utf-8"),
        ("8859/5", "iso8859_5"),
    ],
)
def test_the_answer_is_in_the_senders_character_set(charset: str, codec: str) -> None:
    name = {"cp1252": "“TRÜST”", "iso8859_5": "ТРАСТ"}.get(codec, "TRÜST")
    answer = ack(adt(MSH_4=name, MSH_18=charset, codec=codec)).decode(codec)
    assert f"|{name}|" in answer
    assert (answer.split("\r")[0] + "|").split("|")[17:18] == ([charset] if charset else [])


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_answered_in_utf_16_with_its_mark(codec: str) -> None:
    answer = ack(("\ufeff" + adt(MSH_4="Ω", control_id="Ж").decode()).encode(codec))
    assert answer[:2] in {b"\xff\xfe", b"\xfe\xff"}
    assert "MSA|AA|Ж\r" in answer.decode("utf-16")


def test_bytes_that_fit_no_character_set_are_echoed_as_they_came() -> None:
    answer = ack(adt(control_id="@").replace(b"@", b"\xe9\xff"))
    assert b"\rMSA|AE|\xe9\xff|" in answer


def test_python_hl7_reads_the_answer_too() -> None:
    answer = hl7.parse(ack(adt(control_id="C7", PID_3="", version="2.5")).decode())
    assert str(answer["MSA"][0][2]) == "C7"
    assert str(answer["ERR"][0][3][0][0]) == "101"
    assert str(answer["MSH"][0][9]) == "ACK^A01^ACK"


@pytest.mark.parametrize("field", [3, 10, 18])
def test_megabytes_in_the_header_are_answered_in_one_go(field: int) -> None:
    for text in ("^&~" * 300_000, "\\X0D\\" * 200_000, "\x01" * 500_000, "\\" * 900_001):
        raw = adt(**{f"MSH_{field}": text})
        assert read(ack(raw)).all("MSA")[0].text(2) == read(raw).msh.text(10)


def test_delimiters_in_doubtful_characters_are_not_echoed() -> None:
    refused = read(b"MSH|^~\xd7\xa7|PAS|RTH|TIE|DHOS|2\xef")
    ack = read(acknowledge(refused, judge(refused, Site().inbound), control_id="1", now=NOW))
    assert ack.delimiters.encoding == "^~\\&"
    assert not ack.defects - refused.defects


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("control_id", ["C1", "\u0d1c1", "\u1c0d", "\u0b0b", "€\U0001f600"])
def test_in_utf_8_an_answer_to_utf_16_fits_a_frame_and_says_so(codec: str, control_id: str) -> None:
    mark = "\ufeff".encode(codec)
    answer = ack(mark + adt(control_id=control_id, MSH_18="UNICODE UTF-16", codec=codec))
    sent = frameable(answer)
    deframer = Deframer(10_000)
    deframer.feed(framed(sent))
    assert deframer.take() == Frame(sent, len(sent))
    assert deframer.clean
    found = read(sent)
    assert (found.charset, found.msh.value(18)) == ("utf-8", "UNICODE UTF-8")
    assert (msa := found.first("MSA"))
    assert msa.text(2) == control_id
    assert [line.split("|")[0] for line in found.lines] == ["MSH", "MSA"]


@pytest.mark.parametrize(
    "answer",
    [
        ack(adt(control_id="É", codec="latin-1", MSH_18="8859/1")),
        ack(adt(control_id="Ж")),
        ack(adt().replace(b"|", b"#")),
        refuse_unreadable(Code.AR, control_id="1", now=NOW),
    ],
)
def test_every_other_answer_fits_a_frame_as_it_stands(answer: bytes) -> None:
    assert frameable(answer) is answer
