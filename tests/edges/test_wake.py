"""A commit wakes the relay of its own database, and only the one that holds the lease."""

import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.in_process import InProcess
from dhos_connector_api.broker.publisher import Publisher
from dhos_connector_api.clock import monotonic
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.outbox.wake import Bell, Waker
from dhos_connector_api.workers.lease import session_engine
from dhos_connector_api.workers.relay import RelayWorker
from tests.builders.outbox import put
from tests.rigs.waiting import throughout

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract socket names are Linux's")
pytest_plugins = ["tests.rigs.broker_fixtures"]


@pytest.fixture
def name() -> str:
    return f"127.0.0.1:5432/{uuid4()}"


@pytest.fixture
def waker(name: str) -> Iterator[Waker]:
    made = Waker(name)
    yield made
    made.close()


@pytest.fixture
def bell(name: str) -> Iterator[Bell]:
    made = Bell(name)
    yield made
    made.close()


def _is_rung(bell: Bell) -> bool:
    return bool(select.select([_bound(bell)], [], [], 0)[0])


def _bound(bell: Bell) -> socket.socket:
    bound = bell.bind()
    assert bound is not None
    return bound


def test_a_wake_rings_the_bell_until_it_is_drained(waker: Waker, bell: Bell) -> None:
    assert not _is_rung(bell)
    waker.wake()
    assert _is_rung(bell)
    bell.drain()
    assert not _is_rung(bell)


def test_wakes_in_quick_succession_are_one_byte(bell: Bell, name: str) -> None:
    waker = Waker(name, interval=60)
    bound = _bound(bell)
    for _ in range(5):
        waker.wake()
    waker.close()
    assert bound.recv(1) == b"1"
    assert not _is_rung(bell)


def test_a_relay_that_is_away_or_does_not_listen_costs_nothing(bell: Bell, name: str) -> None:
    waker = Waker(name, interval=0)
    waker.wake()
    _bound(bell)
    began = monotonic()
    for _ in range(1000):
        waker.wake()
    waker.close()
    assert monotonic() - began < 5, "a full queue blocks nobody"
    bell.drain()
    assert not _is_rung(bell)


def test_a_relay_of_another_database_hears_nothing(waker: Waker, name: str) -> None:
    other = Bell(f"{name}-other")
    try:
        _bound(other)
        waker.wake()
        throughout(lambda: not _is_rung(other), seconds=0.1)
    finally:
        other.close()


def test_the_next_relay_is_woken_once_the_first_has_let_go(waker: Waker, bell: Bell, name: str) -> None:
    _bound(bell)
    second = Bell(name)
    try:
        assert second.bind() is None, "one at a time"
        bell.close()
        _bound(second)
        waker.wake()
        assert _is_rung(second)
    finally:
        second.close()


def test_the_relay_that_holds_the_lease_wakes_early_and_a_standby_binds_nothing(
    address: DatabaseAddress, database: Database, name: str, waker: Waker
) -> None:
    bells = Bell(name), Bell(name)
    active, standby = (
        RelayWorker(session_engine(address.url()), lambda _: InProcess(), threading.Event(), bell)
        for bell in bells
    )
    try:
        for each in (active, standby):
            each.step()
        assert active.active and not standby.active
        standby.idle(0)
        active.idle(0)
        waker.wake()
        assert _seconds(lambda: active.idle(30)) < 15
        active.step()
        waker.wake()
        assert _seconds(lambda: active.idle(0.2)) >= 0.2, "woken for nothing: not again before the next poll"
        active.close()
        standby.step()
        standby.idle(0)
        assert bells[1].bind() is not None, "the name is free, and the new holder has it"
    finally:
        active.close()
        standby.close()


def test_what_was_published_wakes_the_relay_no_more(
    address: DatabaseAddress, database: Database, name: str, waker: Waker
) -> None:
    bell = Bell(name)
    active = RelayWorker(session_engine(address.url()), lambda _: InProcess(), threading.Event(), bell)
    try:
        active.step()
        active.idle(0)
        with database.transaction() as connection:
            put(connection)
        waker.wake()
        assert active.step()
        assert not active.step()
        assert _seconds(lambda: active.idle(0.2)) >= 0.2
        waker.wake()
        assert _seconds(lambda: active.idle(30)) < 15
    finally:
        active.close()


@pytest.mark.parametrize("connected", [False, True])
def test_a_publisher_that_is_idle_returns_when_the_bell_rings(
    shared_rabbitmq: BrokerAddress, waker: Waker, bell: Bell, connected: bool
) -> None:
    publisher = Publisher(shared_rabbitmq)
    try:
        if connected:
            assert publisher.ready()
        bound = _bound(bell)
        threading.Timer(0.05, waker.wake).start()
        assert _seconds(lambda: publisher.idle(30, bound)) < 15
        bell.drain()
        assert _seconds(lambda: publisher.idle(0.2, bound)) >= 0.2
    finally:
        publisher.close()


def _seconds(action: Callable[[], None]) -> float:
    began = monotonic()
    action()
    return monotonic() - began
