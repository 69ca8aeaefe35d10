"""Batches: taken apart, and answered in the same shape."""

import pytest

from dhos_connector_api.hl7v2.batch import Batch, File, answer, is_batch, is_too_large, split
from dhos_connector_api.hl7v2.files import split_messages
from dhos_connector_api.hl7v2.read import Defect, read
from tests.builders.hl7 import NOW

_FHS = b"FHS|^~\\&|EPR|RBH|TIE|DHOS|20260131||nightly||F1"
_BHS = b"BHS|^~\\&|EPR|RBH|TIE|DHOS|20260131||||B1"
_BOM = b"\xef\xbb\xbf"
_A, _B = b"MSH|^~\\&|A\rEVN|A01\r", b"MSH|^~\\&|B\rEVN|A01\r"


def _body(*lines: bytes, end: bytes = b"\r") -> bytes:
    return b"".join(line if line.endswith(b"\r") else line + end for line in lines)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            _body(_FHS, _BHS, _A, _B, b"BTS|2", b"FTS|1"),
            File(_FHS, (Batch(_BHS, (_A, _B), b"BTS|2"),), b"FTS|1"),
        ),
        (_body(_BHS, _A, b"BTS|1"), File(None, (Batch(_BHS, (_A,), b"BTS|1"),), None)),
        (_body(_BHS, _A), File(None, (Batch(_BHS, (_A,), None),), None)),
        (_body(_BHS, b"BTS|0"), File(None, (Batch(_BHS, (), b"BTS|0"),), None)),
        (_body(_A, _B), File(None, (Batch(None, (_A, _B), None),), None)),
        (_body(_FHS, _A, b"FTS|1"), File(_FHS, (Batch(None, (_A,), None),), b"FTS|1")),
        (
            _body(_FHS, _BHS, _A, b"BTS|1", _BHS, _B, b"BTS|1", b"FTS|2"),
            File(_FHS, (Batch(_BHS, (_A,), b"BTS|1"), Batch(_BHS, (_B,), b"BTS|1")), b"FTS|2"),
        ),
        (_body(_BHS, _A, _BHS, _B), File(None, (Batch(_BHS, (_A,), None), Batch(_BHS, (_B,), None)), None)),
        (b"\xef\xbb\xbf" + _body(_BHS, _A), File(None, (Batch(_BHS, (_A,), None),), None)),
        (_body(_BHS, _BOM + _A, _B), File(None, (Batch(_BHS, (_BOM + _A, _B), None),), None)),
        (_body(_FHS, _BOM + _BHS, _A, _BOM + _B), File(_FHS, (Batch(_BHS, (_A, _BOM + _B), None),), None)),
        (_body(_BOM + _A, _BOM + _B), File(None, (Batch(None, (_BOM + _A, _BOM + _B), None),), None)),
        (_body(_BHS, _A, _BOM + b"BTS|1"), File(None, (Batch(_BHS, (_A,), b"BTS|1"),), None)),
        (_body(_BHS, b"NTE|x", _A), File(None, (Batch(_BHS, (b"\rNTE|x\r", _A), None),), None)),
        (b"rubbish\r" + _A, File(None, (Batch(None, (b"rubbish\r", _A), None),), None)),
        (b"rubbish", File(None, (Batch(None, (b"rubbish",), None),), None)),
        (b"", File(None, (), None)),
    ],
)  # fmt: skip
def test_a_batch_is_taken_apart(raw: bytes, expected: File) -> None:
    assert split(raw) == expected


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r\n\r\n"])
def test_line_ends_may_be_any(end: bytes) -> None:
    raw = _body(_FHS, _BHS, _A, _B, b"BTS|2", b"FTS|1").replace(b"\r", end)
    file = split(raw)
    assert (file.header, file.trailer, len(file.messages)) == (_FHS, b"FTS|1", 2)
    assert file.messages[0] == _A.replace(b"\r", end)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"FHS|", True),
        (b"\r\n BHS|", True),
        (b"\xef\xbb\xbf\r\n BHS|", True),
        (b"\xef\xbb\xbfBHS|", True),
        (_A, False),
        (b"", False),
        (b"BTS|", False),
    ],
)
def test_a_batch_is_known_by_its_first_segment(raw: bytes, expected: bool) -> None:
    assert is_batch(raw) is expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"BHS|\r" + b"MSH|\r" * 10_000 + b"BTS|\r", False),
        (b"BHS|\r" + b"MSH|\r" * 10_001 + b"BTS|\r", True),
        (b"FHS|\r" + b"BHS|\rMSH|\rBTS|\r" * 10_000 + b"FTS|\r", False),
        (b"FHS|\r" + b"BHS|\r" * 30_002, True),
    ],
)
def test_how_much_there_is_is_known_before_it_is_taken_apart(raw: bytes, expected: bool) -> None:
    assert is_too_large(raw) is expected


def _answer(raw: bytes, *acks: bytes) -> list[bytes]:
    return answer(split(raw), acks, control_id="OURS", now=NOW).split(b"\r")


def test_the_answer_has_the_shape_of_the_batch() -> None:
    raw = _body(_FHS, _BHS, _A, b"BTS|1", _BHS, _B, b"BTS|1", b"FTS|2")
    assert _answer(raw, b"MSH|a\rMSA|AA\r", b"MSH|b\rMSA|AE\r") == [
        b"FHS|^~\\&|TIE|DHOS|EPR|RBH|20240318091503.250+0000||||OURS|F1",
        b"BHS|^~\\&|TIE|DHOS|EPR|RBH|20240318091503.250+0000||||OURS|B1",
        b"MSH|a",
        b"MSA|AA",
        b"BTS|1",
        b"BHS|^~\\&|TIE|DHOS|EPR|RBH|20240318091503.250+0000||||OURS|B1",
        b"MSH|b",
        b"MSA|AE",
        b"BTS|1",
        b"FTS|2",
        b"",
    ]


@pytest.mark.parametrize(
    ("trailers", "expected"),
    [
        ((b"BTS|1", b"FTS|1"), (b"BTS|1", b"FTS|1")),
        ((b"BTS|0001", b"FTS| 1 "), (b"BTS|1", b"FTS|1")),
        ((b"BTS", b"FTS"), (b"BTS|1", b"FTS|1")),
        (
            (b"BTS|2", b"FTS|0"),
            (b"BTS|1|BTS-1 is wrong, 1 messages came", b"FTS|1|FTS-1 is wrong, 1 batches came"),
        ),
        ((b"BTS|one", b"FTS|1"), (b"BTS|1|BTS-1 is wrong, 1 messages came", b"FTS|1")),
        ((), (b"BTS|1|BTS is missing, 1 messages came", b"FTS|1|FTS is missing, 1 batches came")),
    ],
)  # fmt: skip
def test_counts_are_checked_and_a_wrong_one_is_said(
    trailers: tuple[bytes, ...], expected: tuple[bytes, bytes]
) -> None:
    lines = _answer(_body(_FHS, _BHS, _A, *trailers), b"MSH|a\r")
    assert tuple(lines[-3:-1]) == expected


def test_an_empty_batch_is_counted_too() -> None:
    assert _answer(_body(_BHS, b"BTS|0"))[-2] == b"BTS|0"
    assert _answer(_body(_BHS, b"BTS|"))[-2] == b"BTS|0"
    assert b"wrong" in _answer(_body(_BHS, b"BTS|1"))[-2]


def test_the_headers_come_back_in_their_own_delimiters_and_bytes() -> None:
    raw = _body("BHS#^~\\&#ÄPR#R\xffH#TIE#DHOS#2026####B#".encode("latin-1"), _A, b"BTS#1")
    lines = _answer(raw, b"MSH|a\r")
    assert lines[0].split(b"#")[4:6] == ["ÄPR".encode("latin-1"), b"R\xffH"]
    assert lines[0].endswith(b"#OURS#B")
    assert lines[-2] == b"BTS#1"


@pytest.mark.parametrize(
    "header", [b"BHS", b"BHS|", b"BHS|||", b"BHSAAAAA", b"BHS|\x0b\x01|A\x0bB\x01|", b"BHS||a|b"]
)
def test_any_header_is_answered_without_control_characters(header: bytes) -> None:
    lines = _answer(_body(header, _A, b"BTS|7"), b"MSH|a\r")
    assert not any(byte < 32 for line in lines for byte in line)
    assert lines[0][:3] == b"BHS"
    assert b"wrong" in lines[-2] or b"missing" in lines[-2]


@pytest.mark.parametrize("text", [b"MSH the ward", b"MSHA", b"BTS 12 mg", b"see", b"FTSx"])
def test_text_within_a_message_does_not_take_a_batch_apart(text: bytes) -> None:
    message = _A + b"NTE|1||first\r" + text + b"\r"
    raw = _body(_BHS, message, _B, b"BTS|2")
    assert split(raw) == File(None, (Batch(_BHS, (message, _B), b"BTS|2"),), None)


def test_a_header_and_a_trailer_may_go_on_in_another_line() -> None:
    raw = _body(_FHS + b"|a\nnote", _BHS, _A, b"BTS|1|one\nmessage", b"FTS|1")
    file = split(raw)
    assert file == File(_FHS + b"|a\nnote", (Batch(_BHS, (_A,), b"BTS|1|one\nmessage"),), b"FTS|1")
    lines = _answer(raw, b"MSH|a\r")
    assert (len(lines), lines[-3:-1]) == (6, [b"BTS|1", b"FTS|1"])


@pytest.mark.parametrize("text", [b"MSH the ward", b"MSHA"])
def test_text_within_a_message_does_not_take_a_file_apart(text: bytes) -> None:
    first = _A + b"NTE|1||see\n" + text + b"\r"
    assert split_messages(first + _B) == [first, _B]


@pytest.mark.parametrize("before", [b"", b" ", b"\t", _BOM, b"\x0b", b"\x0b" + _BOM, _BOM + b" "])
@pytest.mark.parametrize("end", [b"\r", b"\n", b"\x1c\r"])
def test_a_message_begins_in_a_file_and_a_batch_where_one_begins_for_the_reader(
    before: bytes, end: bytes
) -> None:
    raw = _A.rstrip(b"\r") + end + before + _B
    assert Defect.SEVERAL_MESSAGES in read(raw).defects
    assert [message[-len(_B) :] for message in split_messages(raw)] == [_A[-len(_B) :], _B]
    assert len(split(raw).messages) == 2


@pytest.mark.parametrize("text", [b"MSH the ward", b" MSHA", b"MSH\tx", _BOM + b"MSH is text", b"\x0bMSH 1"])
def test_what_is_text_for_the_reader_is_text_in_a_file_and_a_batch(text: bytes) -> None:
    raw = _A + b"NTE|1||see\r" + text + b"\r"
    assert not read(raw).defects
    assert split_messages(raw) == [raw]
    assert len(split(raw).messages) == 1
