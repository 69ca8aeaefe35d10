"""One AMQP connection with its one channel, driven by hand: it moves only while `run` is called.

pika's SelectConnection works with callbacks. Here they only note what happened and end `run`, so
that whoever holds a `Link` can be written from top to bottom.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.exceptions import AMQPError, ChannelClosedByBroker

from dhos_connector_api import clock
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.metrics import BROKER_BLOCKED

log = logging.getLogger(__name__)

#: Seconds an orderly goodbye may take before the TCP connection is simply cut.
GOODBYE = 2
_JOINED = 65_536  # bytes
_TURN = 0.25  # seconds `run_until` lets pass between two looks


class _Connection(SelectConnection):  # type: ignore[misc]
    """Hands a small message's frames to the socket in one piece: pika makes one system call of each.

    A large one is left as it is: joining it, and cutting off what has been sent, would copy all of it.
    """

    def _output_marshaled_frames(self, marshaled_frames: Sequence[bytes]) -> None:
        small = sum(map(len, marshaled_frames)) <= _JOINED
        super()._output_marshaled_frames([b"".join(marshaled_frames)] if small else marshaled_frames)


class Link:
    """A connection to RabbitMQ that is opening, open or lost. It is never opened again.

    `blocked` follows connection.blocked and connection.unblocked. `closing_code` is the AMQP reply
    code with which RabbitMQ closed the channel, if it did, `reason` why the connection was lost.
    """

    def __init__(self, address: BrokerAddress, name: str, loop: IOLoop) -> None:
        self._loop = loop
        self._running = False
        self.channel: Any = None
        self.lost = False
        self.blocked = False
        self.closing_code: int | None = None
        self.reason: BaseException | None = None
        self._connection: Any = _Connection(
            address.parameters(name),
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_lost,
            on_close_callback=self._on_lost,
            custom_ioloop=loop,
        )
        self._connection.add_on_connection_blocked_callback(self._on_blocked)
        self._connection.add_on_connection_unblocked_callback(self._on_unblocked)

    @property
    def open(self) -> bool:
        """True while the connection and its channel are open."""
        return not self.lost and self.channel is not None and bool(self.channel.is_open)

    def run(self, seconds: float) -> None:
        """Serve the connection until something happened, or for that long."""
        run_loop(self._loop, seconds, self._set_running)

    def run_until(self, done: Callable[[], bool], keep_waiting: Callable[[], bool]) -> bool:
        """Serve the connection; return True once `done`, False when it was lost or `keep_waiting` said no."""
        while not done():
            if self.lost:
                return False
            self.run(_TURN)
            if not done() and not keep_waiting():
                return False
        return True

    def interrupt(self, *_: Any) -> None:
        """Make the `run` under way return; for callbacks."""
        if self._running:
            self._loop.stop()

    def cut(self) -> None:
        """Close the TCP connection at once: nothing that is still buffered goes out."""
        if not self._connection.is_closed:
            # pika has no public way to leave without the AMQP goodbye, which waits for the broker.
            self._connection._terminate_stream(AMQPError("cut"))  # noqa: SLF001
        self._mark_lost()
        self.run(0)

    def close(self) -> None:
        """Close the connection, and wait for the broker to agree; bounded by GOODBYE seconds."""
        until = clock.monotonic() + GOODBYE
        if self.open:
            self._connection.close()
        while not self._connection.is_closed and clock.monotonic() < until:
            self.run(_TURN)
        self.cut()

    def _set_running(self, running: bool) -> None:
        self._running = running

    def _on_open(self, _connection: Any) -> None:
        self._connection.channel(on_open_callback=self._on_channel_open)

    def _on_channel_open(self, channel: Any) -> None:
        self.channel = channel
        channel.add_on_close_callback(self._on_channel_closed)
        self.interrupt()

    def _on_channel_closed(self, _channel: Any, reason: BaseException) -> None:
        if isinstance(reason, ChannelClosedByBroker):
            self.closing_code = reason.reply_code
            self.reason = reason
            log.warning("RabbitMQ closed the channel", extra={"amqp_code": self.closing_code})
        self._mark_lost()

    def _on_lost(self, _connection: Any, reason: object) -> None:
        if isinstance(reason, BaseException):
            self.reason = self.reason or reason
        self._mark_lost()

    def _mark_lost(self) -> None:
        self.lost = True
        self._on_unblocked()
        self.interrupt()

    def _on_blocked(self, *_: Any) -> None:
        self.blocked = True
        BROKER_BLOCKED.set(1)
        log.warning("RabbitMQ takes no more messages for now (connection.blocked)")
        self.interrupt()

    def _on_unblocked(self, *_: Any) -> None:
        if self.blocked:
            self.blocked = False
            log.info("RabbitMQ takes messages again or the connection is gone")
        BROKER_BLOCKED.set(0)
        self.interrupt()


def run_loop(loop: IOLoop, seconds: float, running: Callable[[bool], None] = lambda _: None) -> None:
    """Run pika's loop for that long, or until a callback stops it."""
    timer = loop.call_later(seconds, loop.stop)
    running(True)
    try:
        loop.start()
    finally:
        running(False)
        loop.remove_timeout(timer)


def properties(message_id: str, correlation_id: str, timestamp: int) -> pika.BasicProperties:
    """Return the contract's message properties: persistent, `application/text`, POSIX seconds."""
    return pika.BasicProperties(
        content_type="application/text",
        delivery_mode=pika.DeliveryMode.Persistent.value,
        message_id=message_id,
        correlation_id=correlation_id,
        timestamp=timestamp,
    )
