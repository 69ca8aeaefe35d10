"""The deframer: every way in which bytes may come, as a table, and split at every place."""

from itertools import pairwise
from random import Random

import pytest

from dhos_connector_api.hl7v2.framing import HEAD, Deframer, Dropped, Frame, Oddity, framed

Event = Frame | Dropped
LARGEST = 40


def _frame(content: bytes, size: int | None = None) -> Frame:
    return Frame(content, len(content) if size is None else size)


def _read(pieces: list[bytes], largest: int = LARGEST) -> list[Event]:
    """Everything the deframer says about a stream that comes in these pieces and then ends."""
    deframer, events = Deframer(largest), list[Event]()
    for piece in pieces:
        deframer.feed(piece)
        while (event := deframer.take()) is not None:
            events.append(event)
        assert deframer.held <= largest + max(largest, 16) + len(piece)
    last = deframer.finish()
    return [*events, last] if last else events


_MANY = b"x" * 100
STARTS = (b"\x0b", b"\x0bMSH", b"\x0bMSH|", b"\x0b\r\n\xef\xbb\xbfFHS ", b"\x0b \rBHS", b"\x1c\r\x0bMS")
STREAMS: dict[str, tuple[bytes, list[Event]]] = {
    "nothing": (b"", []),
    "one frame": (b"\x0bMSH\x1c\r", [_frame(b"MSH")]),
    "an empty frame": (b"\x0b\x1c\r", [_frame(b"")]),
    "two frames": (b"\x0bA\x1c\r\x0bB\x1c\r", [_frame(b"A"), _frame(b"B")]),
    "line ends between frames": (b"\r\n\x0bA\x1c\r\n\r\x0bB\x1c\r\r\n", [_frame(b"A"), _frame(b"B")]),
    "segments": (b"\x0bMSH|\rPID|\r\x1c\r", [_frame(b"MSH|\rPID|\r")]),
    "bytes before a frame": (b"GET /\x0bA\x1c\r", [Dropped(Oddity.OUTSIDE, 5), _frame(b"A")]),
    "bytes behind a frame": (b"\x0bA\x1c\rxyz", [_frame(b"A"), Dropped(Oddity.OUTSIDE, 3)]),
    "bytes alone": (b"hello", [Dropped(Oddity.OUTSIDE, 5)]),
    "a stray end": (b"\x1c\r\x0bA\x1c\r", [Dropped(Oddity.OUTSIDE, 1), _frame(b"A")]),
    "two ends": (b"\x0bA\x1c\r\x1c\r", [_frame(b"A"), Dropped(Oddity.OUTSIDE, 1)]),
    "cut short": (b"\x0bMSH|", [Dropped(Oddity.PARTIAL, 4)]),
    "cut after the start": (b"\x0b", [Dropped(Oddity.PARTIAL, 0)]),
    "cut within the end": (b"\x0bA\x1c", [Dropped(Oddity.NO_CARRIAGE_RETURN, 2)]),
    "a start inside": (b"\x0bMSH|\x0bMSH|\x1c\r", [Dropped(Oddity.RESTARTED, 4), _frame(b"MSH|")]),
    "a start before a batch": (b"\x0bA\x0bBHS|\x1c\r", [Dropped(Oddity.RESTARTED, 1), _frame(b"BHS|")]),
    "a start before blanks and a mark": (
        b"\x0bMSH|\x0b\r\n \xef\xbb\xbfFHS|\x1c\r",
        [Dropped(Oddity.RESTARTED, 4), _frame(b"\r\n \xef\xbb\xbfFHS|")],
    ),
    "a start as content": (b"\x0bMSH|\x0bA\x1c\r", [_frame(b"MSH|\x0bA")]),
    "starts as content": (b"\x0bMSH|\x0b\x0bMS\x0b\x1c\r", [_frame(b"MSH|\x0b\x0bMS\x0b")]),
    "a start before text": (b"\x0bMSH|\x0bMSH is text\x1c\r", [_frame(b"MSH|\x0bMSH is text")]),
    "a start before a word": (b"\x0bMSH|\x0b BHSA|\x1c\r", [_frame(b"MSH|\x0b BHSA|")]),
    "a start before a name": (b"\x0bMSH|\x0bFHS\x1c\r", [_frame(b"MSH|\x0bFHS")]),
    "a start before any mark": (b"\x0bA\x0bMSH#\x1c\r", [Dropped(Oddity.RESTARTED, 1), _frame(b"MSH#")]),
    "a start at the end": (b"\x0bMSH|\x0b\x1c\r\x0bA\x1c\r", [_frame(b"MSH|\x0b"), _frame(b"A")]),
    "cut behind a start": (b"\x0bMSH|\x0bM", [Dropped(Oddity.PARTIAL, 6)]),
    "a start twice": (b"\x0b\x0bA\x1c\r", [Dropped(Oddity.RESTARTED, 0), _frame(b"A")]),
    "an end without its carriage return, then a frame": (
        b"\x0bA\x1c\x0bB\x1c\r",
        [Dropped(Oddity.UNENDED, 2), _frame(b"B")],
    ),
    "an end with a line feed": (b"\x0bA\x1c\nB\x1c\r", [_frame(b"A\x1c\nB")]),
    "a block end as content": (b"\x0bA\x1cB\x1c\r", [_frame(b"A\x1cB")]),
    "two block ends": (b"\x0bA\x1c\x1c\r", [_frame(b"A\x1c")]),
    "as long as allowed": (b"\x0b" + b"x" * LARGEST + b"\x1c\r", [_frame(b"x" * LARGEST)]),
    "one byte too long": (b"\x0b" + b"x" * 41 + b"\x1c\r", [_frame(b"x" * 40, 41)]),
    "much too long": (b"\x0b" + _MANY + b"\x1c\r\x0bA\x1c\r", [_frame(b"x" * 40, 100), _frame(b"A")]),
    "too long, with a block end": (b"\x0b" + _MANY + b"\x1cx\x1c\r", [_frame(b"x" * 40, 102)]),
    "too long and cut": (b"\x0b" + _MANY, [Dropped(Oddity.PARTIAL, 100)]),
    "too long, cut within the end": (b"\x0b" + _MANY + b"\x1c", [Dropped(Oddity.NO_CARRIAGE_RETURN, 101)]),
    "too long, and a start inside": (
        b"\x0b" + _MANY + b"\x0bMSH|\x1c\r",
        [Dropped(Oddity.RESTARTED, 100), _frame(b"MSH|")],
    ),
    "too long, and a start as content": (
        b"\x0b" + _MANY + b"\x0b" + _MANY + b"\x1c\r\x0bA\x1c\r",
        [_frame(b"x" * 40, 201), _frame(b"A")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_as_the_table_says_however_it_is_split(name: str) -> None:
    stream, expected = STREAMS[name]
    assert _read([stream]) == expected
    assert _read([stream[at : at + 1] for at in range(len(stream))]) == expected
    for at in range(len(stream)):
        assert _read([stream[:at], stream[at:]]) == expected


def test_streams_of_any_bytes_are_read_alike_however_they_are_split() -> None:
    random = Random(4)
    for _ in range(3000):
        parts = random.choices((*STARTS, b"\x1c", b"\r", b"\n", b"A"), k=random.randrange(60))
        stream = b"".join(parts)
        cuts = sorted(random.choices(range(len(stream) + 1), k=random.randrange(8)))
        pieces = [stream[first:last] for first, last in pairwise([0, *cuts, len(stream)])]
        assert _read(pieces, 10) == _read([stream], 10)


def test_a_frame_that_is_too_long_never_lies_in_memory() -> None:
    deframer = Deframer(5_000_000)
    deframer.feed(b"\x0b")
    for _ in range(2000):
        deframer.feed(b"x" * 65_536)
        assert deframer.take() is None
        assert deframer.held <= 5_000_000 + HEAD + 65_536
    deframer.feed(b"\x1c\r")
    assert deframer.take() == Frame(b"x" * HEAD, 2000 * 65_536)
    assert deframer.held == 0
    assert deframer.clean


def test_it_says_whether_the_stream_stands_between_frames() -> None:
    deframer = Deframer(LARGEST)
    assert deframer.clean
    for piece, clean in ((b"\r\n", True), (b"x", False), (b"\x0b", False), (b"A\x1c", False), (b"\r", True)):
        deframer.feed(piece)
        while deframer.take() is not None:
            pass
        assert deframer.clean is clean


def test_framing_and_reading_back() -> None:
    assert _read([framed(b"MSH|")]) == [_frame(b"MSH|")]


@pytest.mark.parametrize("piece", [b"\x0b" * 60_000, b"x\x0b \r\n" * 12_000, b"\x0bMS" * 20_000])
def test_megabytes_of_starts_are_read_in_one_go(piece: bytes) -> None:
    """Each would take hours if a step were quadratic; the run's own time limit is the assertion."""
    deframer = Deframer(10_000_000)
    deframer.feed(b"\x0bx")
    for _ in range(100):
        deframer.feed(piece)
        assert deframer.take() is None
    deframer.feed(b"\x1c\r")
    assert isinstance(deframer.take(), Frame)
