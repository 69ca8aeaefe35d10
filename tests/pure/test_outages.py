"""What the log says of a server that is away: once, once a minute, and when it is back."""

import logging
from dataclasses import replace

import pytest

from dhos_connector_api.broker.unroutable import Unroutable
from dhos_connector_api.causes import Cause, Fault
from dhos_connector_api.db.metrics import DATABASE_WRITABLE
from dhos_connector_api.outages import Outage

FAULT = Fault("PostgreSQL", "db.test", 5432, Cause.REFUSED)


class Clock:
    """Seconds, set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock, caplog: pytest.LogCaptureFixture) -> Outage:
    caplog.set_level(logging.INFO)
    return Outage("PostgreSQL", DATABASE_WRITABLE, clock)


def test_an_outage_is_told_once_then_once_a_minute_and_when_it_ends(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1300):
        outage.failed(FAULT)
        clock.now += 0.1
    assert [record.message for record in caplog.records] == ["PostgreSQL cannot be used"] * 3
    last = vars(caplog.records[-1])
    assert (last["host"], last["port"], last["cause"]) == ("db.test", 5432, "refused")
    assert last["failures"] > 1200
    outage.succeeded()
    outage.succeeded()
    assert [record.message for record in caplog.records[3:]] == ["PostgreSQL can be used again"]
    assert vars(caplog.records[-1])["failures"] == 1300


def test_another_cause_is_told_at_once(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    for cause in (Cause.REFUSED, Cause.STARTING, Cause.REFUSED, Cause.STARTING):
        outage.failed(replace(FAULT, cause=cause))
    assert [vars(record)["cause"] for record in caplog.records] == ["refused", "starting or stopping"]


def test_a_server_that_comes_and_goes_does_not_flood_the_log(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        outage.failed(FAULT)
        clock.now += 0.1
        outage.succeeded()
    assert len(caplog.records) == 2


def test_the_gauge_follows(outage: Outage, clock: Clock) -> None:
    def shown() -> float:
        return float(DATABASE_WRITABLE._value.get())

    outage.succeeded()
    assert shown() == 1
    outage.failed(FAULT)
    assert shown() == 0
    outage.succeeded()
    assert shown() == 1


def test_an_unroutable_key_is_named_once_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    unroutable = Unroutable(clock)
    for second in range(90):
        clock.now = 1000.0 + second
        for key in ("dhos.a", "dhos.b"):
            unroutable.note(key)
    told = [(vars(record)["routing_key"], vars(record)["returned"]) for record in caplog.records]
    assert told == [("dhos.a", 1), ("dhos.b", 1), ("dhos.a", 60), ("dhos.b", 60)]
    assert {record.levelname for record in caplog.records} == {"WARNING"}
