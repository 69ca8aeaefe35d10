"""Where RabbitMQ listens, and how patient a connection to it is."""

import socket
import ssl
from dataclasses import dataclass, field

import pika

#: Seconds for the TCP connection alone, and for everything until the AMQP connection is open.
SOCKET_TIMEOUT = 3
OPEN_TIMEOUT = 5
#: Seconds without a sign of life until either side gives the connection up. More than a database
#: statement may take, since heartbeats are served between statements only.
HEARTBEAT = 20


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """One virtual host of one RabbitMQ server, and who we are there.

    `server_name` is what stands in its certificate, where that is not the host.
    """

    host: str
    port: int = 5672
    vhost: str = "/"
    username: str = "guest"
    password: str = field(default="guest", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    server_name: str | None = None

    def parameters(self, name: str) -> pika.ConnectionParameters:
        """Return pika's parameters; `name` is shown by RabbitMQ's list of connections."""
        return pika.ConnectionParameters(
            host=self.host,
            port=self.port,
            virtual_host=self.vhost,
            credentials=pika.PlainCredentials(self.username, self.password, erase_on_connect=True),
            socket_timeout=SOCKET_TIMEOUT,
            stack_timeout=OPEN_TIMEOUT,
            connection_attempts=1,
            heartbeat=HEARTBEAT,
            client_properties={"connection_name": name},
            ssl_options=pika.SSLOptions(self.tls, self.server_name or self.host) if self.tls else None,
            tcp_options=_tcp_options(),
        )


def _tcp_options() -> dict[str, int]:
    """Return keepalives that find a dead host within seconds, on systems that have them."""
    wanted = {"TCP_KEEPIDLE": 2, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3}
    return {name: value for name, value in wanted.items() if hasattr(socket, name)}
