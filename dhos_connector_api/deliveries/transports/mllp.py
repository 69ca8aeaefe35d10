"""HL7 v2 messages over MLLP: one connection that stays open, and one message on it at a time.

There is no connecting again and again in here: an attempt that gets no connection fails, and the
delivery's schedule and its destination's health say when the next one is made.
"""

import logging
import threading
from collections import deque
from contextlib import suppress

from dhos_connector_api import clock
from dhos_connector_api.deliveries.metrics import DELIVERY_ANSWERS_DISCARDED, DELIVERY_CONNECTIONS
from dhos_connector_api.deliveries.rules.acknowledgement import control_id_of, judge
from dhos_connector_api.deliveries.rules.outcome import (
    LARGEST_ANSWER,
    Accepted,
    DeliveryFailed,
    Kind,
    Outgoing,
)
from dhos_connector_api.deliveries.transports.mllp_line import Line, Receiver
from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2 import modes
from dhos_connector_api.hl7v2.framing import END, START, Deframer, Dropped, Frame, framed
from dhos_connector_api.hl7v2.modes import Wanted
from dhos_connector_api.hl7v2.read import read

_log = logging.getLogger(__name__)

#: Messages whose late acknowledgements are known as such.
_REMEMBERED = 1000
#: Messages of one connection, whose control ids are all known; then there is a new connection.
MOST_ON_A_LINE = 3000


class MllpTransport:
    """Sends to one receiver, whose `destination` is its name in metrics. Threads may share one: they wait."""

    def __init__(self, destination: str, receiver: Receiver) -> None:
        self._destination = destination
        self._receiver = receiver
        self._line: Line | None = None
        self._answers = Deframer(LARGEST_ANSWER)
        self._sent: deque[str] = deque(maxlen=_REMEMBERED)
        self._on_line: set[str | None] = set()  # control ids sent on this connection
        self._unanswered = False  # something went over it that wanted no answer
        self._in_use = threading.Lock()

    def __call__(self, outgoing: Outgoing) -> Accepted:
        """Send one message, connecting first where need be, in `outgoing.seconds` altogether.

        Raises DeliveryFailed unless it was acknowledged with AA or CA under its own control id. One
        whose MSH-15 and MSH-16 want no acknowledgement (NE) is accepted when it has been written; one
        that wants none where it is taken (ER) is not sent, for silence says nothing for certain.
        """
        until = clock.monotonic() + outgoing.seconds
        if START in outgoing.body or END in outgoing.body:
            text = "not sent: it holds bytes that are MLLP's own"
            raise DeliveryFailed(Kind.PERMANENT, text, contacted=False)
        asked = _asked(outgoing.body)
        if asked != modes.NOTHING and modes.silent_when_taken(asked):
            text = "not sent: by MSH-15 and MSH-16 it is not answered where it is taken"
            raise DeliveryFailed(Kind.PERMANENT, text, contacted=False)
        if not self._in_use.acquire(timeout=outgoing.seconds):
            text = "not sent: the connection was in use all the time"
            raise DeliveryFailed(Kind.TRANSIENT, text, contacted=False)
        try:
            if asked == modes.NOTHING:
                return self._hand_over(self._ready(until), outgoing, until)
            if outgoing.control_id in self._on_line:
                self._hang_up()  # a second answer to the first could pass for the answer to this
            return self._exchange(self._ready(until), outgoing, until)
        except DeliveryFailed as failed:
            if failed.kind is not Kind.PERMANENT:  # a refusal leaves the connection in order
                self._hang_up()
            raise
        finally:
            self._in_use.release()

    def close(self) -> None:
        """Hang up; the next message connects again."""
        with self._in_use:
            self._hang_up()

    def _ready(self, until: float) -> Line:
        """A connection that stands between two frames. Raises DeliveryFailed, TRANSIENT."""
        used_up = len(self._on_line) >= MOST_ON_A_LINE
        if self._line is not None and not used_up and self._stands(self._line):
            return self._line
        self._hang_up()
        try:
            self._line = Line(self._receiver, until)
        except (OSError, ValueError) as error:
            raise DeliveryFailed(Kind.TRANSIENT, f"no connection ({type(error).__name__})") from None
        DELIVERY_CONNECTIONS.labels(self._destination).inc()
        _log.info("connected", extra={"destination": self._destination})
        return self._line

    def _stands(self, line: Line) -> bool:
        """Return whether the connection is still open: one that ended while idle leaves nothing in doubt.

        What has arrived meanwhile answers nothing that is open.
        """
        size = 0
        try:
            while (data := line.arrived()) is not None:
                size += len(data)
                if not data or size > LARGEST_ANSWER:
                    return False
                self._answers.feed(data)
        except OSError:
            return False
        while (event := self._answers.take()) is not None:
            self._discard(event)
        return self._answers.clean

    def _hand_over(self, line: Line, outgoing: Outgoing, until: float) -> Accepted:
        """Write a message that wants no answer. Raises DeliveryFailed, AMBIGUOUS."""
        self._unanswered = True
        try:
            self._write(line, outgoing, until)
        except (OSError, ValueError) as error:
            raise _left_open(error) from None
        return Accepted()

    def _exchange(self, line: Line, outgoing: Outgoing, until: float) -> Accepted:
        """Write the message and wait for its acknowledgement. Raises DeliveryFailed."""
        try:
            # Who refuses a message before it has all of it hangs up on the rest, and may have said why.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._write(line, outgoing, until)
            ack = self._answer(line, outgoing.control_id, until)
        except (OSError, ValueError) as error:
            raise _left_open(error) from None
        return judge(ack, outgoing.control_id)

    def _write(self, line: Line, outgoing: Outgoing, until: float) -> None:
        if outgoing.control_id:
            self._sent.append(outgoing.control_id)
            self._on_line.add(outgoing.control_id)
        line.write(framed(outgoing.body), until)

    def _answer(self, line: Line, control_id: str | None, until: float) -> bytes:
        """The frame that answers the message.

        One that names no message is meant for it too, unless something went before that got no answer.
        Raises OSError when none comes in time, ValueError when too much does.
        """
        size = 0
        meant = {control_id} if self._unanswered else {control_id, ""}
        while True:
            event = self._answers.take()
            if isinstance(event, Frame) and _is_whole(event) and control_id_of(event.content) in meant:
                return event.content
            if event is not None:
                self._discard(event)
                continue
            data = line.read(until)
            size += len(data)
            if not data:
                raise ConnectionError
            if size > LARGEST_ANSWER:
                raise ValueError
            self._answers.feed(data)

    def _discard(self, event: Frame | Dropped) -> None:
        why = "junk"
        if isinstance(event, Frame):
            why = "late" if control_id_of(event.content) in self._sent else "unknown"
        DELIVERY_ANSWERS_DISCARDED.labels(self._destination, why).inc()
        _log.warning("an answer was discarded", extra={"destination": self._destination, "why": why})

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line, self._answers = None, Deframer(LARGEST_ANSWER)
        self._on_line, self._unanswered = set(), False


def _is_whole(frame: Frame) -> bool:
    """Return whether nothing in it tells of a part of another answer."""
    return START not in frame.content


def _asked(body: bytes) -> Wanted:
    """Return what MSH-15 and MSH-16 ask for; the header alone is read."""
    try:
        return modes.wanted(read(body.partition(b"\r")[0]))
    except UnreadableMessage:
        return modes.ORIGINAL


def _left_open(error: Exception) -> DeliveryFailed:
    return DeliveryFailed(Kind.AMBIGUOUS, f"sent, but not answered ({type(error).__name__})")
