"""Publishes batches of envelopes to RabbitMQ and returns what became of each.

A batch goes out at once and its confirms come back together. Nothing is tried twice here: whoever
calls decides what to publish again, under the same message_id.
"""

import logging
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pika.adapters.select_connection import IOLoop
from pika.exceptions import AMQPError, ChannelWrongStateError, ConnectionWrongStateError

from dhos_connector_api import clock
from dhos_connector_api.actions.envelope import Envelope, Outcome
from dhos_connector_api.broker import faults, topology
from dhos_connector_api.broker.address import OPEN_TIMEOUT, BrokerAddress
from dhos_connector_api.broker.confirms import Confirms
from dhos_connector_api.broker.link import Link, properties, run_loop
from dhos_connector_api.broker.metrics import BROKER_CONNECTED
from dhos_connector_api.broker.unroutable import Unroutable
from dhos_connector_api.outages import Outage

log = logging.getLogger(__name__)

#: Seconds between two attempts to connect: doubled after each failure.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0
#: Seconds without any answer to a batch until it is given up, while RabbitMQ is not blocked. Generous: what
#: is given up is published again, and the queues that did take it get a copy.
CONFIRM_TIMEOUT = 120.0
#: RabbitMQ closes the channel with it when a message cannot be taken as it is (too large).
_PRECONDITION_FAILED = 406
_CANNOT_ENCODE = (AMQPError, ValueError, TypeError, OverflowError)


class Publisher:
    """A connection to RabbitMQ that is opened when needed and opened again when lost.

    Where it cannot be opened at `address`, the `others` are tried in turn, and then again from the first.

    Not thread-safe. While a batch is under way, `keep_waiting` is asked several times a second; once
    it says no the connection is cut and what has no answer yet is UNKNOWN. It is asked between two
    addresses as well, each of which may take seconds: once it says no, the next is not tried.
    """

    def __init__(
        self,
        address: BrokerAddress,
        others: Sequence[BrokerAddress] = (),
        *,
        name: str = "dhos-connector-api",
        keep_waiting: Callable[[], bool] = lambda: True,
        confirm_timeout: float = CONFIRM_TIMEOUT,
        outage: Outage = faults.OUTAGE,
    ) -> None:
        self._addresses = deque((address, *others))
        self._name = name
        self._keep_waiting = keep_waiting
        self._confirm_timeout = confirm_timeout
        self._heard = 0.0
        self._was_in_vain = False
        self._loop = IOLoop()
        self._link: Link | None = None
        self._next_tag = 1
        self._pause = FIRST_PAUSE
        self._not_before = 0.0
        self._confirms: Confirms | None = None
        self._unroutable = Unroutable()
        self._outage = outage

    @property
    def connected(self) -> bool:
        """True while there is a connection with an open channel."""
        return self._link is not None and self._link.open

    @property
    def blocked(self) -> bool:
        """True while RabbitMQ refuses to take more (it is short of memory or disk)."""
        return self._link is not None and self._link.blocked

    def ready(self) -> bool:
        """Return True when a batch can go out now. Connects if need be, not too often after failures."""
        if not self.connected:
            self._connect()
        return self.connected and not self.blocked

    def publish(self, batch: Sequence[Envelope]) -> list[Outcome]:
        """Publish the batch in its order and wait for every answer; return one outcome an envelope.

        Blocks while RabbitMQ is blocked. A channel that RabbitMQ closed over a message leaves what
        has no answer UNKNOWN, or, where the batch was that one message, IMPOSSIBLE. Where RabbitMQ is
        there and says nothing for CONFIRM_TIMEOUT, the rest is UNANSWERED.
        """
        ready = self.ready()
        link = self._link
        if not ready or link is None:
            return [Outcome.UNKNOWN] * len(batch)
        confirms = self._confirms = Confirms(len(batch), self._next_tag)
        self._heard = clock.monotonic()
        self._send(link, batch, confirms)
        answered = link.run_until(lambda: confirms.complete, self._may_answer)
        self._next_tag, self._confirms = confirms.next_tag, None
        if answered:
            self._note_answers(True)
            return confirms.outcomes()
        missing = self._missing(link, len(batch))
        self.drop()
        outcomes = confirms.outcomes(missing)
        self._note_answers(any(outcome is not Outcome.UNKNOWN for outcome in outcomes))
        return outcomes

    def _note_answers(self, answered: bool) -> None:
        """Note whether RabbitMQ answered for anything; connections lost in vain come less and less often."""
        if answered:
            self._pause = FIRST_PAUSE
        elif self._was_in_vain:
            self._pause_before_next()
        self._was_in_vain = not answered

    def _missing(self, link: Link, size: int) -> Outcome:
        """Return what became of a message without an answer, in a batch of that size."""
        if not link.lost:
            return Outcome.UNANSWERED if self._is_late() else Outcome.UNKNOWN
        too_large = size == 1 and link.closing_code == _PRECONDITION_FAILED
        return Outcome.IMPOSSIBLE if too_large else Outcome.UNKNOWN

    def _may_answer(self) -> bool:
        if self.blocked:
            self._heard = clock.monotonic()
        return self._keep_waiting() and not self._is_late()

    def _is_late(self) -> bool:
        return clock.monotonic() - self._heard > self._confirm_timeout

    def idle(self, seconds: float, bell: socket.socket | None = None) -> None:
        """Wait that long, or until `bell` is readable; serve heartbeats and RabbitMQ meanwhile."""
        rung: list[int] = []

        def on_bell(descriptor: int, _events: int) -> None:
            rung.append(descriptor)
            self._loop.stop()

        if bell is not None:
            self._loop.add_handler(bell.fileno(), on_bell, self._loop.READ)
        try:
            self._idle(clock.monotonic() + seconds, rung)
        finally:
            if bell is not None:
                self._loop.remove_handler(bell.fileno())

    def _idle(self, until: float, rung: Sequence[int]) -> None:
        while not rung and (left := until - clock.monotonic()) > 0:
            if self._link is not None and not self._link.lost:
                self._link.run(left)
            else:
                run_loop(self._loop, left)

    def drop(self) -> None:
        """Cut the connection this instant; nothing that is still buffered goes out."""
        if self._link is not None:
            link, self._link = self._link, None
            link.cut()
        BROKER_CONNECTED.set(0)

    def close(self) -> None:
        """Close the connection in good order. The publisher cannot be used afterwards."""
        if self._link is not None:
            link, self._link = self._link, None
            link.close()
        BROKER_CONNECTED.set(0)
        self._loop.close()

    def _connect(self) -> None:
        now = clock.monotonic()
        if now < self._not_before:
            return
        for _ in range(len(self._addresses)):
            if self._open(topology.declare) or (self._refused() and self._open(topology.check)):
                self._not_before = 0.0
                log.info("connected to RabbitMQ", extra={"host": self._addresses[0].host})
                self._outage.succeeded()
                BROKER_CONNECTED.set(1)
                return
            reason = self._link.reason if self._link is not None else None
            self.drop()
            fault = faults.fault_of(reason or TimeoutError(), self._addresses[0])
            self._addresses.rotate(-1)
            if len(self._addresses) > 1 and not self._keep_waiting():
                break
        self._outage.failed(fault)
        self._pause_before_next()

    def _pause_before_next(self) -> None:
        """Wait before the next connection, longer each time until RabbitMQ answers for a message."""
        self._not_before = clock.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _refused(self) -> bool:
        """RabbitMQ would not have our topology: something exists with other arguments."""
        refused = self._link is not None and self._link.closing_code is not None
        if refused:
            log.error("exchanges or queues on RabbitMQ differ from the contract; publishing all the same")
        return refused

    def _open(self, set_up: Callable[[Any, topology.Done], None]) -> bool:
        """Open a new connection, set the topology up, switch confirms on. False if any of it failed."""
        self.drop()
        link = self._link = Link(self._addresses[0], self._name, self._loop)
        deadline = clock.monotonic() + OPEN_TIMEOUT + 1
        answered: list[Any] = []

        def in_time() -> bool:
            return clock.monotonic() < deadline

        def answer(frame: Any) -> None:
            answered.append(frame)
            link.interrupt()

        if not link.run_until(lambda: link.open, in_time):
            return False
        set_up(link.channel, answer)
        if not link.run_until(lambda: bool(answered), in_time):
            return False
        answered.clear()
        link.channel.add_on_return_callback(self._on_return)
        link.channel.confirm_delivery(self._on_answer, answer)
        self._next_tag = 1
        return link.run_until(lambda: bool(answered), in_time)

    def _send(self, link: Link, batch: Sequence[Envelope], confirms: Confirms) -> None:
        timestamp = int(clock.now().timestamp())
        for place, envelope in enumerate(batch):
            message_id = str(envelope.id)
            try:
                link.channel.basic_publish(
                    topology.EXCHANGE,
                    envelope.routing_key,
                    envelope.body,
                    properties(message_id, envelope.correlation_id, timestamp),
                    mandatory=True,
                )
            except (ChannelWrongStateError, ConnectionWrongStateError):
                return  # lost: what follows was not sent and stays without an answer
            except _CANNOT_ENCODE:  # raised before a single byte is buffered
                confirms.note_impossible(place)
            else:
                confirms.note_sent(place, message_id)

    def _on_return(self, _channel: Any, method: Any, header: Any, _body: bytes) -> None:
        self._unroutable.note(method.routing_key)
        if self._confirms is not None:
            self._confirms.note_returned(header.message_id)

    def _on_answer(self, frame: Any) -> None:
        self._heard = clock.monotonic()
        if self._confirms is None:
            return
        method = frame.method
        self._confirms.note_answer(
            method.delivery_tag, multiple=method.multiple, confirmed=method.NAME == "Basic.Ack"
        )
        if self._confirms.complete and self._link is not None:
            self._link.interrupt()
