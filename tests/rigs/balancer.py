"""A load balancer for tests, and the clients behind it that send nothing twice."""

import http.client
import random
import select
import threading
from contextlib import closing

from tests.builders.api import WRITE, adapter
from tests.builders.hl7 import adt

_POST = {"Authorization": f"Bearer {adapter(WRITE)}", "Content-Type": "application/hl7-v2"}


class Balancer:
    """A load balancer: keeps connections, asks each service five times a second whether it is ready."""

    def __init__(self, ports: list[int], *, pause: float = 0.0) -> None:
        self.ports = ports
        self._pause = pause  # seconds, between two messages of a client
        self.ready = set(ports)
        self.over = threading.Event()
        self.answers: list[int] = []
        self.failures: list[str] = []

    def watch(self) -> None:
        """Ask until it is over; one that does not answer is not ready."""
        while not self.over.wait(0.2):
            for port in self.ports:
                (self.ready.add if is_ready(port) else self.ready.discard)(port)

    def pick(self) -> int:
        """Return the port of a service that is ready."""
        return random.choice(sorted(self.ready))

    def send(self) -> None:
        """Send one message after the other until it is over, to those that are ready; none is sent twice."""
        kept: dict[int, http.client.HTTPConnection] = {}
        while not self.over.wait(self._pause):
            port = self.pick()
            connection = _still_open(kept.pop(port, None)) or http.client.HTTPConnection("127.0.0.1", port)
            try:
                connection.request("POST", "/dhos/v1/message", adt(), _POST)
                answer = connection.getresponse()
                answer.read()
                self.answers.append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(type(error).__name__)
                connection.close()
                continue
            if connection.sock is not None:  # it was not told to close
                kept[port] = connection
        for connection in kept.values():
            connection.close()


def _still_open(connection: http.client.HTTPConnection | None) -> http.client.HTTPConnection | None:
    """Return it unless the other side has closed it, as any client looks before it uses one again."""
    if connection is not None and select.select([connection.sock], [], [], 0)[0]:
        connection.close()
        return None
    return connection


def is_ready(port: int) -> bool:
    """Return whether the service at that port says that it is ready."""
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
