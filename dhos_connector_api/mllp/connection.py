"""One MLLP connection: frames in, one at a time and in order; acknowledgements out; never a hang.

Whatever the peer or the database does, a connection waits for something that has a deadline.
"""

import asyncio
from secrets import token_hex
from typing import cast

from dhos_connector_api.hl7v2.framing import LINE_ENDS, Deframer, Dropped, Frame, Oddity
from dhos_connector_api.intake.arrival import Door
from dhos_connector_api.intake.door_names import DoorName, Way
from dhos_connector_api.mllp import tls
from dhos_connector_api.mllp.active_listener import TLS_FACTOR, ActiveListener
from dhos_connector_api.mllp.admission import objections
from dhos_connector_api.mllp.answering import Answer, ReceivedFrame
from dhos_connector_api.mllp.committer import Job

#: After so many oddities since its last whole frame, or bytes since then, a peer is no MLLP sender, or
#: a broken one.
MOST_ODDITIES = 100
MOST_STRAY = 4096
#: Bytes every connection may hold, however full the process is.
FAIR = 65_536
#: Seconds until a frame in hand must have been answered, behind all that waits before it. Where the
#: database says nothing at all, the peer is told so by the end of its connection.
LONGEST_IN_HAND = 120.0
#: Bytes a second that are stored of a batch that is sent again, where PostgreSQL is slow and far.
SLOWEST = 20_000
#: Seconds a peer has to take its last answer and to go, once we have said goodbye.
FAREWELL = 1.0
_NEVER = float("inf")


class Connection(asyncio.Protocol):
    """A peer of a listener, which calls `overdue` once its clock has passed `deadline` (seconds)."""

    def __init__(self, active: ActiveListener, peer: str) -> None:
        self.deadline, self._why = _NEVER, ""
        self._active, self._peer = active, peer
        self._name = f"{active.listener.name}-{token_hex(4)}"  # makes the correlation ids of its frames
        self._deframer = Deframer(active.listener.largest_message)
        self._door = Door()
        self._transport: asyncio.Transport | None = None
        self._in_hand: Frame | None = None
        self._job: Job | None = None
        self._since = 0.0  # when its last byte was read
        self._frames = self._oddities = self._held = 0
        self._reading, self._writing = True, True  # False: paused
        self._peer_ended = self._draining = self._leaving = self._gone = False
        self._reason = "closed by the peer"

    @property
    def made(self) -> bool:
        """Return whether it is connected, with TLS where there is to be TLS."""
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=1, low=0)  # every answer not taken is known of
        names = tls.names(transport.get_extra_info("peercert"))
        listener = self._active.listener
        self._door = Door(
            name=DoorName(Way.MLLP, listener.name),
            objects=objections(listener, names),
            answers_unreadable=True,
        )
        self._active.open.add(self)
        self._wait_for_peer()

    def data_received(self, data: bytes) -> None:
        if self._leaving:
            return
        between = self._deframer.clean
        if between and not self._busy and not data.lstrip(LINE_ENDS):
            return  # they are no part of a frame, and give an idle peer no more time
        self._deframer.feed(data)
        if self._busy:
            self._read(on=False)
            self._count_held()
        else:
            if between:
                self._wait(self._active.listener.frame_timeout, "frame not completed in time")
            self._next()

    def eof_received(self) -> bool:
        """Note that the peer sends no more; the frame in hand and those behind it still get answers."""
        self._peer_ended = True
        if self._leaving or self._is_tls:
            return False
        if not self._busy:
            self._next()
        return True

    def pause_writing(self) -> None:
        self._writing = False
        if not self._leaving:
            self._wait_for_peer()

    def resume_writing(self) -> None:
        self._writing = True
        if self._in_hand is None and not self._leaving:
            self._wait_for_peer()
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        # Who ends in good order may want no answer (MSH-15, MSH-16), and sends nothing again.
        broken = exc is not None or self._leaving or self._active.capacity.held > self._active.capacity.most
        if exc is not None and not self._leaving:
            self._reason = "lost"
        self._leaving = True
        if (last := self._deframer.finish()) is not None:
            self._active.dropped(self._peer, last.why, last.size)
        if broken and self._job is not None and self._job.take() is not None:
            self._active.outcome("dropped: the sender has gone")
            self._in_hand = None
        self._gone = True
        self._count_held()
        self._active.open.discard(self)
        expected = self._reason in {"closed by the peer", "shutdown"}
        self._active.leave(self._peer, self._reason, expected=expected, frames=self._frames)

    def overdue(self) -> None:
        """End it: the deadline has passed."""
        self.abort(self._why)

    def abort(self, reason: str) -> None:
        """End it at once; what is not answered by now will not be."""
        if not self._leaving:
            self._reason, self._leaving = reason, True
        self.deadline = _NEVER
        if self._transport is not None:
            self._transport.abort()

    def drain(self) -> None:
        """Take nothing more, answer what is in hand, and leave."""
        self._draining = True
        if self._in_hand is None:
            self._leave("shutdown")

    @property
    def _busy(self) -> bool:
        return self._in_hand is not None or not self._writing

    @property
    def _is_tls(self) -> bool:
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is not None

    def _next(self) -> None:
        """Go on with what has arrived, up to the next whole frame."""
        while not (self._busy or self._leaving):
            event = self._deframer.take()
            if isinstance(event, Frame):
                self._take(event)
            elif event is not None:
                self._drop(event)
            else:
                self._wait_for_more()
                break
        self._count_held()

    def _take(self, frame: Frame) -> None:
        self._frames += 1
        self._oddities = 0
        self._in_hand, self._since = frame, self._active.now()
        self._wait(LONGEST_IN_HAND + frame.size / SLOWEST, "not stored in time")
        taken = ReceivedFrame(frame, self._active.listener, self._door, f"{self._name}-{self._frames}")
        self._job = self._active.submit(taken, self._answered)

    def _drop(self, dropped: Dropped) -> None:
        self._oddities += 1
        self._active.dropped(self._peer, dropped.why, dropped.size)
        junk = dropped.why is Oddity.OUTSIDE and dropped.size > MOST_STRAY
        if junk or self._oddities >= MOST_ODDITIES:
            self.abort("not an MLLP sender")

    def _wait_for_more(self) -> None:
        if self._deframer.stray > MOST_STRAY:
            self.abort("not an MLLP sender")
        elif self._peer_ended:
            self._leave(self._reason)
        else:
            if self._deframer.clean:
                self._wait_for_peer()
            self._read(on=True)

    def _answered(self, answer: Answer | None) -> None:
        active, self._in_hand, self._job = self._active, None, None
        if self._transport is None or self._transport.is_closing():
            active.outcome("not stored" if answer is None else "not answered: the sender has gone")
            self._count_held()
        elif answer is None:
            active.outcome("not stored")
            self.abort("not stored")
        else:
            self._wait_for_peer()
            if answer.content:
                self._transport.write(answer.content)
            active.acknowledged(answer.codes, active.now() - self._since)
            if self._draining:
                self._leave("shutdown")
            self._next()

    def _leave(self, reason: str) -> None:
        """End it in good order: unlike closing, that lets answers reach a peer that goes on sending."""
        if self._transport is None or self._leaving:
            return
        self._reason, self._leaving = reason, True
        self._wait(FAREWELL, reason)
        if self._peer_ended or self._is_tls:
            self._transport.close()
        else:
            self._read(on=True)
            self._transport.write_eof()

    def _wait_for_peer(self) -> None:
        listener = self._active.listener
        if not self._writing:
            self._wait(listener.write_timeout, "answers not taken in time")
        elif self._deframer.clean:
            self._wait(listener.idle_timeout, "idle for too long")
        else:
            self._wait(listener.frame_timeout, "frame not completed in time")

    def _wait(self, seconds: float, why: str) -> None:
        self.deadline, self._why = self._active.now() + seconds, why

    def _read(self, *, on: bool) -> None:
        if self._transport is None or self._reading is on:
            return
        self._reading = on
        if on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _count_held(self) -> None:
        """Keep the process's count of bytes; where they are too many, end a connection that holds much."""
        capacity = self._active.capacity
        waiting = 0 if self._gone else self._deframer.held
        held = waiting + (len(self._in_hand.content) if self._in_hand else 0)
        held *= TLS_FACTOR if self._active.listener.tls else 1
        capacity.held += held - self._held
        self._held = held
        if capacity.held > capacity.most and held > FAIR and not self._gone:
            self.abort("no room")
