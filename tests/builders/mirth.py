"""Mirth for tests: a running fake with a password of its own, and documents on their way to it."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import uuid4

import pytest

from dhos_connector_api import clock
from dhos_connector_api.deliveries.rules.outcome import DeliveryFailed, Outgoing
from dhos_connector_api.deliveries.transports.mirth import MirthTransport
from fakes.mirth import FakeMirth
from tests.builders.cda import cda

USER = "connector"
PASSWORD = secrets.token_hex(16)


@contextmanager
def running_mirth(user: str | None = USER) -> Iterator[FakeMirth]:
    """One that listens, until left; whoever followed it inside the hospital, or a redirect, fails there."""
    with FakeMirth(("127.0.0.1", 0), user, PASSWORD) as fake:
        yield fake
        assert fake.tripwire.hits == 0, "an address was connected to that is not the configured one"


def transport(
    mirth: FakeMirth, *, password: str = PASSWORD, now: Callable[[], datetime] = clock.now
) -> MirthTransport:
    """What delivers to it."""
    return MirthTransport(mirth.base, USER, password, now=now)


def outgoing(document: str | None = None, *, seconds: float = 10, request_id: str = "request-7") -> Outgoing:
    """A document to deliver, by default a new one."""
    body = (cda() if document is None else document).encode()
    return Outgoing(uuid4(), None, body, request_id, seconds)


def failure(send: MirthTransport, message: Outgoing | None = None) -> DeliveryFailed:
    """How a delivery fails."""
    with pytest.raises(DeliveryFailed) as caught:
        send(message or outgoing())
    return caught.value
