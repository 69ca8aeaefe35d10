"""RabbitMQ for a run: a virtual host of its own, the exchange, and a queue bound as a consumer's is."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pika
import pika.exceptions

from benchmarks.waiting import becomes

_EXCHANGE = "dhos"
_KEY = "dhos.24891000000101"
QUEUE = "benchmark"


@dataclass(frozen=True, slots=True)
class Broker:
    """Where RabbitMQ listens, and the virtual host of this run."""

    host: str
    port: int
    vhost: str
    username: str
    password: str
    pids: frozenset[int]  # RabbitMQ's process; empty when the node is on another machine

    @classmethod
    @contextmanager
    def own(cls) -> Iterator["Broker"]:
        """The broker of the environment, with a new virtual host; exchange and queue are declared."""
        if not shutil.which("rabbitmqctl"):
            raise SystemExit("rabbitmqctl is missing: the benchmarks need RabbitMQ on this machine")
        host = os.environ.get("RABBITMQ_HOST", "127.0.0.1")
        here = host in ("127.0.0.1", "::1", "localhost")
        broker = cls(
            host=host,
            port=int(os.environ.get("RABBITMQ_PORT", "5672")),
            vhost=f"connector-bench-{secrets.token_hex(4)}",
            username=os.environ.get("RABBITMQ_USERNAME", "guest"),
            password=os.environ.get("RABBITMQ_PASSWORD", "guest"),
            pids=frozenset([int(_control("-q", "eval", "os:getpid().").strip().strip('"'))] if here else []),
        )
        _control("add_vhost", broker.vhost)
        try:
            _control("set_permissions", "-p", broker.vhost, broker.username, ".*", ".*", ".*")
            broker.declare()
            yield broker
        finally:
            _control("delete_vhost", broker.vhost)

    @property
    def environment(self) -> dict[str, str]:
        """The Connector's settings for this broker."""
        return {
            "RABBITMQ_HOST": self.host,
            "RABBITMQ_PORT": str(self.port),
            "RABBITMQ_VHOST": self.vhost,
            "RABBITMQ_USERNAME": self.username,
            "RABBITMQ_PASSWORD": self.password,
        }

    def connect(self) -> pika.BlockingConnection:
        """A connection to the virtual host."""
        credentials = pika.PlainCredentials(self.username, self.password)
        return pika.BlockingConnection(
            pika.ConnectionParameters(self.host, self.port, self.vhost, credentials)
        )

    def declare(self) -> None:
        """The exchange as every service declares it, and a durable queue bound to its key."""
        with self.connect() as connection:
            channel = connection.channel()
            channel.exchange_declare(_EXCHANGE, "topic", durable=True)
            channel.queue_declare(QUEUE, durable=True)
            channel.queue_bind(QUEUE, _EXCHANGE, _KEY)

    def wait_for_queue(self, name: str, *, seconds: float) -> None:
        """Return once that queue is there, which somebody else declares. Ends the run where nobody does."""
        if not becomes(lambda: self._has(name), within=seconds):
            raise SystemExit(f"nobody has made the queue {name}")

    def _has(self, name: str) -> bool:
        with self.connect() as connection:
            try:
                connection.channel().queue_declare(name, passive=True)
            except pika.exceptions.ChannelClosedByBroker:
                return False
        return True

    def purge(self) -> int:
        """Empty the queue. Returns how many messages were in it."""
        with self.connect() as connection:
            return int(connection.channel().queue_purge(QUEUE).method.message_count)

    def version(self) -> str:
        """The version of the server."""
        return _control("-q", "version").strip()


def _control(*arguments: str) -> str:
    done = subprocess.run(["rabbitmqctl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"rabbitmqctl {arguments[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
