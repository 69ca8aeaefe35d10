"""Reading: line ends, frames, character sets, delimiters, and fields down to the subcomponent."""

import tracemalloc

import pytest

from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2.read import DELETE, MOST_LINES, Defect, read, read_text
from dhos_connector_api.intake.control_ids import content_hash
from tests.builders.hl7 import adt, adt_message, message

HEADER = "MSH|^~\\&|A|B|C|D|20240101||ADT^A01|ID1|P|2.3"


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n", "\r\r\n", "\n\n", "\r\n \r\n", "\r\x0b"])
def test_line_ends(line_end: str) -> None:
    found = read(adt(PID_5="SMITH^JO", line_end=line_end))
    assert [segment.name for segment in found.segments()] == ["MSH", "EVN", "PID", "PV1"]
    assert found.first("PID").value(5, 2) == "JO"  # type: ignore[union-attr]
    assert not found.defects


def test_mixed_line_ends_and_indentation() -> None:
    found = read(f"\r\n  {HEADER}\n\r PID|1\rEVN|A01\r\n\r\nPV1|2".encode())
    assert [segment.line for segment in found.segments()][1:] == ["PID|1", "EVN|A01", "PV1|2"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\x0b", b"\x1c\r"),
        (b"\x0b", b"\x1c"),
        (b"\xef\xbb\xbf", b""),
        (b"\x0b\xef\xbb\xbf\r\n", b"\r\x1c\r\n"),
        (b" \t\r\n\x0b", b"\n\n"),
    ],
)
def test_what_stands_around_a_message(before: bytes, after: bytes) -> None:
    found = read(before + HEADER.encode() + after)
    assert found.text == HEADER
    assert found.version == "2.3"
    assert not found.defects


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"PID|1\rMSH|^~\\&|",
        b"hello",
        b"MSH",
        b"MSH\r|",
        b"FHS|^~\\&|\rBTS|1",
        b"\xff\xfe",
        b"\x00",
    ],
)
def test_no_msh_is_the_one_error(raw: bytes) -> None:
    with pytest.raises(UnreadableMessage):
        read(raw)


def test_msh_is_counted_as_hl7_counts() -> None:
    msh = read(HEADER.encode()).msh
    assert [msh.raw(number) for number in (1, 2, 3, 9, 12, 13, 99)] == [
        "|",
        "^~\\&",
        "A",
        "ADT^A01",
        "2.3",
        "",
        "",
    ]
    assert msh.value(1) == "|"
    assert msh.value(2) == "^~\\&"
    assert msh.value(9, 2) == "A01"


def test_repetitions_components_subcomponents() -> None:
    pid = adt_message(PID_3="1^^^A&1.2&ISO^MR~2~~3^x", PID_5="").first("PID")
    assert pid is not None
    assert pid.value(3, 4, 2) == "1.2"
    assert pid.value(3, repetition=2) == "2"
    assert pid.value(3, 2, repetition=4) == "x"
    assert pid.value(3, repetition=5) == ""
    assert pid.value(3, 9) == pid.value(3, 1, 2) == ""
    assert pid.repetitions(3) == ["1^^^A&1.2&ISO^MR", "2", "", "3^x"]
    assert [one.value(4) for one in pid.repeated(3)] == ["A", "", "", ""]
    assert pid.repeated(5) == []


def test_delete_reaches_every_part_of_what_is_deleted() -> None:
    pid = adt_message(PID_5='""', PID_11='X^""^Y', PID_3='A^^^""').first("PID")
    assert pid is not None
    assert pid.value(5) == pid.value(5, 2) == pid.value(5, 1, 2) == DELETE
    assert [pid.value(11, number) for number in (1, 2, 3)] == ["X", DELETE, "Y"]
    assert pid.repeated(3)[0].value(4, 2) == DELETE


@pytest.mark.parametrize("encoding", ["^~\\&", "^~\\&#", "*!?@", "^~\\", "^~", "^", "§¤¶¬"])
@pytest.mark.parametrize("field", ["|", "$", "%"])
def test_any_delimiters(field: str, encoding: str) -> None:
    marks = dict(zip("CRES", encoding, strict=False))
    component, repetition = marks["C"], marks.get("R", "")
    name = "O" + marks["E"] + "F" + marks["E"] + "X" if "E" in marks else "OX"
    line = field.join(["PID", "1", "", f"7{component * 3}A", "", f"{name}{component}Y"])
    found = read(
        HEADER.replace("^~\\&", encoding).replace("|", field).replace("^", component).encode()
        + b"\r"
        + line.encode()
    )
    pid = found.first("PID")
    assert pid is not None
    assert not found.defects
    assert found.delimiters.encoding == encoding
    assert found.delimiters.repetition == repetition
    assert pid.value(3, 4) == "A"
    assert pid.value(5) == (f"O{field}X" if "E" in marks else "OX")
    assert pid.value(5, 2) == "Y"


@pytest.mark.parametrize(
    "start",
    [
        "MSH||",
        "MSH|^^\\&|",
        "MSH^^~\\&^",
        "MSHA^~\\&A",
        "MSH|ABCD|",
        "MSH|^~\\&#!|",
        "MSH ^~\\& ",
        'MSH|^~"&|',
        "MSH|",
        "MSH|^~\\\x01|",
    ],
)
def test_delimiters_that_separate_nothing_are_a_defect_and_still_read(start: str) -> None:
    found = read((start + "X|Y|" * 20 + "\rPID|1||A^B").encode())
    assert Defect.DELIMITERS in found.defects
    assert isinstance(found.control_id, str)


@pytest.mark.parametrize(
    "raw",
    [
        adt() + adt(),
        adt() + b"\x1c\r\x0b" + adt(),
        adt() + b"\x1c" + b"PV2|1",
        adt() + b"MSH#^~\\&#X\r",
        adt().replace(b"PV1", b"\x0bMSH"),
    ],
)
def test_several_messages_are_seen(raw: bytes) -> None:
    assert Defect.SEVERAL_MESSAGES in read(raw).defects


@pytest.mark.parametrize(
    "raw",
    [
        message("FHS|^~\\&|A", "BHS|^~\\&|A", HEADER, "BTS|1", "FTS|1"),
        message("BHS|^~\\&|MSH", HEADER),
        message(HEADER, "BTS|1"),
    ],
)
def test_a_batch_is_seen_and_its_first_header_read(raw: bytes) -> None:
    found = read(raw)
    assert found.defects == {Defect.BATCH}
    assert found.control_id == "ID1"


@pytest.mark.parametrize(
    ("msh_9", "evn_1", "code"),
    [
        ("ADT^A01", "A03", "ADT_A01"),
        ("ADT", "A03", "ADT_A03"),
        ("ADT^", "A03", "ADT_A03"),
        ('ADT^""', "A03", "ADT_A03"),
        ("ADT", "", "ADT"),
        ("", "", ""),
        ("ADT^A01^ADT_A01", "", "ADT_A01"),
    ],
)
def test_the_trigger_is_in_msh_9_or_in_evn_1(msh_9: str, evn_1: str, code: str) -> None:
    assert adt_message(MSH_9=msh_9, EVN_1=evn_1).event_code == code


@pytest.mark.parametrize(
    ("sent", "read_as"), [("A^B", "A^B"), ("A~B", "A~B"), ("A\\F\\B", "A|B"), ('""', ""), ("", "")]
)
def test_msh_10_is_read_whole(sent: str, read_as: str) -> None:
    assert read(HEADER.replace("ID1", sent).encode()).control_id == read_as


def test_segments_of_one_name_and_absent_ones() -> None:
    found = adt_message(more=["NK1|1", "ZZZ|a", "NK1|2", "NK1"])
    assert [nk1.value(1) for nk1 in found.all("NK1")] == ["1", "2", ""]
    assert found.first("OBX") is None
    assert found.all("OBX") == ()
    assert [segment.name for segment in found.segments()][-4:] == ["NK1", "ZZZ", "NK1", "NK1"]


def test_text_that_is_decoded_already() -> None:
    found = read_text(
        f"\n{HEADER}\nPID|\x00É\n", charset="iso8859_1", defects=frozenset({Defect.INVALID_CHARACTERS})
    )
    assert found.first("PID").value(1) == "É"  # type: ignore[union-attr]
    assert found.charset == "iso8859_1"
    assert found.defects == {Defect.NUL, Defect.INVALID_CHARACTERS}
    with pytest.raises(UnreadableMessage):
        read_text("PID|1", charset="utf-8")


@pytest.mark.parametrize(
    "raw",
    [
        HEADER.encode() + b"\rPID" + b"|" * 3_000_000,
        HEADER.encode() + b"\rPID|||" + b"\\" * 3_000_001,
        HEADER.encode() + b"\rPID|||" + b"~" * 1_000_000,
        HEADER.encode() + b"\rPID|||" + b"^&" * 1_000_000,
        HEADER.encode() + b"\rPID|||" + b"\\X41\\" * 500_000,
        HEADER.encode() + b"\rPID|||\\X" + b"41" * 1_500_000,
        HEADER.encode() + b"\r\n" * 1_500_000,
        HEADER.encode() + b"\rA" * 1_500_000,
        b"\x0b" * 3_000_000 + HEADER.encode(),
        b"MSH" * 1_000_000,
        b"MSH|" + b"^~\\&" * 700_000,
        b"MSH|^~\\&" + b"|" * 17 + b"~" * 3_000_000,
        HEADER.replace("2.3", "9." * 1_000_000).encode(),
        HEADER.replace("ID1", "\\E\\" * 1_000_000).encode(),
    ],
    ids=lambda raw: repr(raw[:12]) + repr(raw[-8:]),
)
def test_megabytes_of_anything_are_read_in_one_go(raw: bytes) -> None:
    """Each would take hours if any step were quadratic; the run's own time limit is the assertion."""
    found = read(raw)
    for segment in found.segments()[:3]:
        for field in (1, 3, 10, 12):
            segment.value(field)
            segment.text(field)
    assert found.control_id is not None


def test_a_million_segments_are_not_taken_apart() -> None:
    raw = adt() + b"NTE|\r" * 1_000_000
    tracemalloc.start()
    read(raw)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5 * len(raw)


def test_what_is_beyond_the_segments_that_are_read_is_still_part_of_the_message() -> None:
    several = b"NTE|\r" * MOST_LINES
    first, second = (read(adt(control_id="C1") + several + last) for last in (b"NTE|1\r", b"NTE|2\r"))
    assert first.defects == second.defects == {Defect.TOO_MANY_LINES}
    assert first.lines != second.lines
    assert len(first.lines) == MOST_LINES + 1
    assert first.text.endswith("NTE|1")
    assert first.segments()[-1].line.endswith("NTE|1")


def test_blank_lines_are_no_segments_but_there_may_not_be_any_number_of_them() -> None:
    assert not read(adt() + b"\r" * MOST_LINES).defects
    assert read(adt() + b"\r" * MOST_LINES + b"NTE|\r").defects == {Defect.TOO_MANY_LINES}


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n"])
def test_a_line_that_begins_no_segment_continues_the_one_before_it(line_end: str) -> None:
    address = f"1 Mill Lane{line_end}{line_end}  Oxford|YES{line_end}Pid|x{line_end}YES{line_end}PIDX|y"
    found = read(adt(line_end=line_end, more=[f"NTE|1||{address}", "NTE|2||b"]))
    first, second = found.all("NTE")
    assert first.value(3) == "1 Mill Lane\n\n  Oxford"
    assert first.value(4) == "YES\nPid"
    assert (first.raw(5), first.raw(6), second.value(3)) == ("x\nYES\nPIDX", "y", "b")
    assert [segment.name for segment in found.segments()][-2:] == ["NTE", "NTE"]
    assert not found.defects


@pytest.mark.parametrize("field", ["PID_11", "PV1_3", "MSH_4", "EVN_5"])
def test_a_line_break_is_kept_in_any_field(field: str) -> None:
    name, number = field.split("_")
    found = read(adt(**{field: "one\nTwo|"}))
    assert found.first(name).value(int(number)) == "one\nTwo"  # type: ignore[union-attr]
    assert found.first("PID").value(3)  # type: ignore[union-attr]


@pytest.mark.parametrize("line", ["NK1", "ZAB", "ZAB|", "  NK1|2", "A1B|", "123|x"])
def test_what_begins_a_segment_continues_none(line: str) -> None:
    found = read(adt(more=["NTE|1||text", line]))
    assert found.first("NTE").value(3) == "text"  # type: ignore[union-attr]
    assert found.first(line.strip()[:3]) is not None


@pytest.mark.parametrize("line", ["MSH the ward", "MSHA", "BTS 12 mg", "FHSx|"])
def test_text_that_begins_as_a_header_does_is_text(line: str) -> None:
    found = read(adt(more=["NTE|1||see", line]))
    assert not found.defects
    assert found.first("NTE").raw(3) == f"see\n{line}".split("|")[0]  # type: ignore[union-attr]


@pytest.mark.parametrize("line", ["MSH#^~\\&#A", "MSH|^~\\&|A", "MSH", "MSH:", "BTS", "FHS#^~\\&#"])
def test_a_second_header_is_never_taken_for_text(line: str) -> None:
    assert read(adt(more=["NTE|1||see", line])).defects & {Defect.SEVERAL_MESSAGES, Defect.BATCH}


def test_a_repeat_is_the_same_whichever_line_end_its_text_has() -> None:
    raw = adt(more=["NTE|1||one\ntwo"])
    assert content_hash(read(raw)) == content_hash(read(raw.replace(b"\r", b"\r\n").replace(b"e\n", b"e\r")))
    assert content_hash(read(raw)) != content_hash(read(raw.replace(b"\n", b" ")))
