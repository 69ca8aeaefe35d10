"""One connection, on a wire in memory: every way a peer may behave, and fifty thousand streams."""

import gc
import weakref
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from random import Random

import pytest

from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2.framing import framed
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.mllp.answering import Answer, ReceivedFrame
from dhos_connector_api.mllp.connection import LONGEST_IN_HAND, MOST_ODDITIES, MOST_STRAY
from tests.builders.hl7 import adt
from tests.builders.mllp import Line, Memory, listener, msa

#: Streams in all, of five seeds; in every run, and in `make test-slow`.
_FEW, _STREAMS = 10_000, 50_000


def test_a_message_is_answered_when_it_is_stored_and_not_before() -> None:
    line, raw = Line(), adt(control_id="C1")
    line.send(framed(raw))
    assert line.acks == []
    line.answer()
    assert [msa(ack) for ack in line.acks] == [("AA", "C1")]
    assert line.memory.stored == [raw]


def test_pipelined_messages_are_answered_one_by_one_and_in_order() -> None:
    line = Line()
    raws = [adt() for _ in range(5)]
    line.send(b"".join(map(framed, raws)))
    assert len(line.waiting) == 1
    line.answer()
    assert [msa(ack)[1] for ack in line.acks] == [read(raw).control_id for raw in raws]


def test_a_sender_that_sends_on_is_not_read_while_a_message_is_in_hand() -> None:
    line = Line()
    line.send(framed(adt()))
    was_reading = line.wire.reading
    line.send(framed(adt()))
    is_reading = line.wire.reading
    line.answer()
    assert (was_reading, is_reading, line.wire.reading) == (True, False, True)
    assert len(line.acks) == 2


def test_when_storing_fails_the_connection_ends_without_an_acknowledgement() -> None:
    line = Line(memory=Memory(fails=True))
    line.send(framed(adt()) + framed(adt()))
    line.answer()
    assert line.acks == []
    assert line.wire.aborted
    assert not line.waiting


def test_a_peer_that_ends_its_stream_still_gets_its_answers() -> None:
    line = Line()
    line.send(framed(adt()) + framed(adt()) + b"\x0bMSH|half")
    assert line.connection.eof_received()
    line.answer()
    assert len(line.acks) == 2
    assert line.wire.closed


def test_a_peer_that_has_gone_is_not_answered() -> None:
    line = Line()
    line.send(framed(adt()))
    (job,) = line.waiting
    in_hand = job.take()
    assert in_hand is not None
    line.gone()
    assert line.capacity.held == len(in_hand.taken.frame.content), "a thread holds it still"
    line.wire.abort()
    in_hand.done(line.memory.answer([in_hand.taken])[0])
    assert line.acks == []
    assert line.capacity.held == 0


def test_a_frame_nobody_has_begun_with_goes_with_a_connection_that_breaks() -> None:
    line = Line()
    line.send(framed(adt()))
    line.gone(ConnectionResetError())
    assert line.capacity.held == 0
    line.answer()
    assert line.memory.stored == []


def test_a_frame_of_a_peer_that_ends_in_good_order_is_stored_for_it_may_want_no_answer() -> None:
    line, raw = Line(), adt(MSH_15="NE", MSH_16="NE")
    line.send(framed(raw))
    line.gone()
    line.wire.abort()
    line.answer()
    assert line.memory.stored == [raw]
    assert line.capacity.held == 0


def test_nothing_of_a_peer_that_has_gone_stays_in_the_queue() -> None:
    line = Line()
    line.send(framed(adt()))
    line.send(b"\x0bMSH|" + b"x" * 1000)
    line.gone(ConnectionResetError())
    gone = weakref.ref(line.connection)
    del line.connection
    gc.collect()
    assert gone() is None
    assert len(line.waiting) == 1


def test_a_peer_whose_message_is_never_stored_is_told_so_in_the_end() -> None:
    line = Line()
    line.send(framed(adt()))
    line.later(LONGEST_IN_HAND)
    assert not line.wire.aborted
    line.later(1)
    assert line.wire.aborted


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (b"", 600),
        (b"\r\n", 600),
        (b"\x0b", 15),
        (b"\x0bMSH|", 15),
        (b"GET / HTTP/1.1\r\n", 15),
        (b"\x0bA\x1c", 15),
    ],
)
def test_whatever_does_not_come_has_a_deadline(sent: bytes, seconds: float) -> None:
    line = Line()
    if sent:
        line.send(sent)
    line.later(seconds - 1)
    assert not line.wire.closed
    line.later(1)
    assert line.wire.aborted
    assert line.acks == []


def test_a_frame_that_trickles_in_has_one_deadline_for_all_of_it() -> None:
    line = Line()
    for _ in range(14):
        line.send(b"\x0b" if line.now == 0 else b"x")
        line.later(1)
    assert not line.wire.closed
    line.send(b"x")
    line.later(1)
    assert line.wire.aborted


def test_answers_that_are_not_taken_end_the_connection_and_stop_its_messages() -> None:
    line = Line()
    line.send(framed(adt()) + framed(adt()))
    line.connection.pause_writing()
    line.answer()
    assert len(line.acks) == 1
    assert not line.waiting
    line.later(5)
    assert line.wire.aborted


def test_answers_that_are_taken_late_let_it_go_on() -> None:
    line = Line()
    line.send(framed(adt()) + framed(adt()))
    line.connection.pause_writing()
    line.answer()
    line.later(4)
    line.connection.resume_writing()
    line.answer()
    line.later(4)
    assert len(line.acks) == 2
    assert not line.wire.closed


def test_draining_answers_what_is_in_hand_and_takes_nothing_more() -> None:
    line = Line()
    line.send(framed(adt()) + framed(adt()))
    line.connection.drain()
    line.answer()
    assert len(line.acks) == 1
    assert line.wire.ended
    line.send(framed(adt()))
    line.answer()
    assert len(line.acks) == 1
    line.later(1)
    assert line.wire.closed


def test_draining_lets_an_idle_peer_go_at_once() -> None:
    line = Line()
    line.connection.drain()
    assert line.wire.ended


def test_line_ends_alone_do_not_keep_an_idle_peer() -> None:
    line = Line()
    for _ in range(599):
        line.send(b"\r\n")
        line.later(1)
    assert not line.wire.closed
    line.send(b"\r\n")
    line.later(1)
    assert line.wire.aborted


def test_a_frame_gives_an_idle_peer_its_time_anew() -> None:
    line = Line()
    line.later(599)
    line.send(b"\r\n" + framed(adt()) + b"\r\n")
    line.send(b"\r\n")
    line.answer()
    line.later(599)
    assert not line.wire.closed
    line.later(1)
    assert line.wire.aborted


def test_a_sender_whose_frames_are_whole_may_be_odd_between_them_for_ever() -> None:
    line = Line()
    for _ in range(2 * MOST_ODDITIES):
        line.send(framed(adt()) + b" ")
        line.answer()
    assert not line.wire.closed
    assert len(line.acks) == 2 * MOST_ODDITIES


@pytest.mark.parametrize(
    "sent",
    [
        b"x" * (MOST_STRAY + 1),
        b"x" * (MOST_STRAY + 1) + framed(adt()),
        framed(adt()) + b"x" * (MOST_STRAY + 1) + framed(adt()),
        b"\x0b" * (MOST_ODDITIES + 1),
        framed(adt()) + b"\x0b" * (MOST_ODDITIES + 1) + framed(adt()),
    ],
    ids=["stray", "stray, then a frame", "a frame and stray", "broken", "a frame and broken"],
)
def test_who_does_not_speak_mllp_is_not_listened_to(sent: bytes) -> None:
    line = Line()
    line.send(sent)
    line.answer()
    assert line.wire.aborted
    assert len(line.acks) == sent.startswith(b"\x0bMSH")
    line.send(framed(adt()))
    assert not line.waiting


def test_where_there_is_no_room_whoever_holds_much_has_to_go() -> None:
    line = Line(most_held=200_000)
    line.send(b"\x0b" + b"x" * 150_000)
    assert not line.wire.closed
    line.send(b"x" * 60_000)
    assert line.wire.aborted
    line.gone()
    assert line.capacity.held == 0


def test_a_message_that_is_too_long_is_answered_and_only_its_head_is_kept() -> None:
    line = Line(listener(largest_message=1000))
    raw = adt(control_id="LONG") + b"NTE|" + b"x" * 5000 + b"\r"
    line.send(framed(raw))
    (job,) = line.waiting
    in_hand = job.take()
    assert in_hand is not None
    taken = in_hand.taken
    assert (taken.frame.whole, taken.frame.size) == (False, len(raw))
    assert raw.startswith(taken.frame.content)
    in_hand.done(line.memory.answer([taken])[0])
    assert msa(line.acks[0])[1] == "LONG"


_numbers = count(1)


def _small() -> tuple[str, bytes]:
    control_id = f"S{next(_numbers)}"
    return control_id, f"MSH|^~\\&|A|B|C|D|2026||ADT^A01|{control_id}|P|2.5\rEVN|A01\rPID|1||7\r".encode()


#: Bytes a message of these streams may have; a small one has less than half.
_LARGEST = 200


def _stream(random: Random) -> tuple[bytes, list[str], set[str]]:
    """Whole, damaged, over-long and cut frames with stray bytes; the ids of the sound and of the cut ones."""
    parts: list[bytes] = []
    sound: list[str] = []
    cut: set[str] = set()
    for _ in range(random.randrange(1, 5)):
        control_id, raw = _small()
        kind = random.randrange(8)
        if random.randrange(5) == 0:
            note = bytes(random.choices(b"x|\x1c\r\x00", k=_LARGEST + random.randrange(300)))
            raw += b"NTE|" + note.replace(b"\x1c\r", b"\x1c|")
        if kind == 0:
            cut.add(control_id)
            parts.append(framed(raw)[: random.randrange(len(raw) + 2)])
            continue  # a new frame, or the end of the stream, follows
        if kind == 1:
            at = random.randrange(len(raw))
            raw = raw[:at] + bytes([random.randrange(256)]) + raw[at:]
        else:
            sound.append(control_id)
        parts.append(framed(raw))
        if kind == 2:
            parts.append(bytes(random.choices(b"\r\n\x00A|\x1c\xff", k=random.randrange(1, 9))))
    return b"".join(parts), sound, cut


class _Measuring(Memory):
    """One that is handed no frame cut short, but where it is too long."""

    def answer(self, group: Sequence[ReceivedFrame]) -> list[Answer | None]:
        assert all(taken.frame.whole is (taken.frame.size <= _LARGEST) for taken in group)
        return super().answer(group)


def _pieces(stream: bytes, random: Random) -> Iterator[bytes]:
    cuts = sorted(random.choices(range(len(stream) + 1), k=random.randrange(6)))
    return (stream[first:last] for first, last in pairwise([0, *cuts, len(stream)]) if first < last)


@pytest.mark.parametrize("streams", [_FEW, pytest.param(_STREAMS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", range(5))
def test_streams_split_joined_cut_and_damaged_get_the_right_acknowledgements(seed: int, streams: int) -> None:
    random = Random(seed)
    for _ in range(streams // 5):
        line = Line(listener(largest_message=_LARGEST), memory=_Measuring())
        stream, sound, cut = _stream(random)
        for piece in _pieces(stream, random):
            if line.wire.closed:
                break
            line.send(piece)
            if random.random() < 0.7:
                line.answer()
        line.connection.eof_received()
        line.answer()
        answered = [msa(ack) for ack in line.acks]
        assert [control_id for _, control_id in answered] == [_control_id(raw) for raw in line.memory.stored]
        assert cut.isdisjoint(control_id for code, control_id in answered if code == "AA"), (
            "a part of a message was acknowledged"
        )
        assert [control_id for _, control_id in answered if control_id in sound] == sound
        assert line.wire.closed


def _control_id(raw: bytes) -> str:
    try:
        return read(raw).control_id
    except UnreadableMessage:
        return ""
