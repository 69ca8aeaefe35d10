"""A thousand deliveries through an EPR and a Mirth that misbehave: a ledger says what becomes of each.

The queue's clock is the test's; sockets are real. CONNECTOR_DELIVERIES_EACH says how many deliveries
each behaviour of each fake gets.
"""

import os
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.site.model import DeliveryPolicy
from tests.builders.delivery import Clock, deliverer
from tests.rigs.delivery_ledger import RETRY_AFTER, Entry, Hospital, entries, epr, mirth

pytestmark = pytest.mark.slow
EACH = int(os.environ.get("CONNECTOR_DELIVERIES_EACH", "100"))
MIXED = 300
THREADS = 32
#: How a plan of the mixture ends: what goes on like this for ever is given up in the end.
LAST = ("accept", "accept", "500", "lost")
POLICY = DeliveryPolicy(schedule=(5, 30, 120, 600), jitter=0.5, at_once=THREADS)
#: What chance gives at every attempt, and so how long each pause is.
CHANCE = 0.5
PAUSES = [seconds * (1 + POLICY.jitter * CHANCE) for seconds in POLICY.schedule]

_watching: set[Any] | None = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching is None:
        return
    if event == "socket.connect":
        _watching.add(arguments[1][:2])
    elif event in ("socket.sendto", "socket.sendmsg"):
        _watching.add(event)


@cache
def _begin_to_note() -> None:
    sys.addaudithook(_note)


@contextmanager
def connections() -> Iterator[set[Any]]:
    """The addresses that Python connects to meanwhile. A hook cannot be taken away, only be made idle."""
    global _watching  # noqa: PLW0603
    _begin_to_note()
    seen: set[Any] = set()
    _watching = seen
    try:
        yield seen
    finally:
        _watching = None


def deliver_all(database: Database, hospital: Hospital, at: Clock) -> None:
    """Deliver until nothing waits; the clock goes on only when nothing is due or under way."""
    one = deliverer(database, hospital.send, at, policy=POLICY, name=hospital.name, chance=CHANCE)
    under_way: set[Future[None]] = set()
    with ThreadPoolExecutor(THREADS) as attempts:
        while True:
            claims = one.claim(THREADS - len(under_way))
            under_way |= {attempts.submit(one.attempt, claimed) for claimed in claims}
            if under_way:
                under_way = some_ended(under_way, left=THREADS // 2 if claims else 0)
                continue
            check_due(database, at)
            moment = next_moment(database)
            if moment is None:
                return
            assert moment > at.at
            at.at = moment


def some_ended(under_way: set[Future[None]], *, left: int) -> set[Future[None]]:
    """Wait until no more than so many are under way."""
    while len(under_way) > left:
        ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        for each in ended:
            each.result()
    return under_way


def next_moment(database: Database) -> datetime | None:
    """When something can be sent again; None: nothing waits."""
    query = (
        "SELECT greatest(min(due_at), max(held_until)) FROM delivery, delivery_destination"
        " WHERE state = 'waiting'"
    )
    with database.statements() as connection:
        found: datetime | None = connection.execute(text(query)).scalar_one()
    return found


def check_due(database: Database, at: Clock) -> None:
    """What was attempted just now and waits again is due when the schedule says."""
    query = text(
        "SELECT failures, due_at - started_at, http_status FROM delivery"
        " JOIN delivery_attempt ON delivery_uuid = uuid AND number = attempts"
        " WHERE state = 'waiting' AND started_at = :now"
    )
    with database.statements() as connection:
        for failures, pause, status in connection.execute(query, {"now": at.at}):
            assert pause == timedelta(seconds=wanted(failures, status))


def wanted(failures: int, status: int | str | None) -> float:
    """Seconds between an attempt and the next."""
    return max(PAUSES[failures - 1], RETRY_AFTER if str(status) == "429" else 0.0)


def check(entry: Entry, met: list[str], hospital: Hospital) -> None:
    """Whether a delivery came to what it had to come to, meeting these behaviours."""
    meanings = [hospital.meanings[behaviour] for behaviour in met]
    assert entry.outcomes == [each.outcome for each in meanings]
    assert entry.requests == [(behaviour, entry.correlation_id) for behaviour in met]
    assert entry.taken == sum(each.taken for each in meanings)
    delivered = meanings[-1].outcome == "delivered"
    assert (entry.state, entry.message_state) == (
        ("delivered", "delivered") if delivered else ("dead", "dead")
    )
    assert entry.is_processed is delivered
    doubtful = [each for each in meanings if each.outcome == "ambiguous"]
    assert entry.ambiguous == len(doubtful)
    assert entry.taken - delivered <= len(doubtful)  # no copy arrived that is not marked
    for number, (began, again) in enumerate(zip(entry.started, entry.started[1:], strict=False), 1):
        assert again - began >= timedelta(seconds=wanted(number, met[number - 1]))


def check_all(database: Database, hospital: Hospital, plans: list[list[str]]) -> None:
    """Queue, deliver and check a message for each of the plans."""
    at = Clock()
    hospital.queue(database, plans, at.now())
    with connections() as seen:
        deliver_all(database, hospital, at)
    found = entries(database, hospital)
    assert len(found) == len(plans)
    for uuid, entry in found.items():
        check(entry, hospital.met(uuid, len(PAUSES) + 1), hospital)
    assert sum(entry.taken for entry in found.values()) == len(hospital.fake.taken)
    address = urlsplit(hospital.fake.url)
    assert seen == {(address.hostname, address.port)}
    assert hospital.fake.tripwire.hits == 0


Opened = Callable[[], AbstractContextManager[Hospital]]


@pytest.mark.parametrize("opened", [epr, mirth])
def test_of_each_behaviour_many_come_to_what_they_have_to(database: Database, opened: Opened) -> None:
    with opened() as hospital:
        plans = [[behaviour, "accept"] for behaviour in hospital.meanings for _ in range(EACH)]
        random.Random(3).shuffle(plans)
        check_all(database, hospital, plans)


@pytest.mark.parametrize("opened", [epr, mirth])
def test_those_that_meet_a_mixture_come_to_what_they_have_to(database: Database, opened: Opened) -> None:
    chosen = random.Random(4)
    with opened() as hospital:
        behaviours = sorted(hospital.meanings)
        lengths = chosen.choices(range(5), k=MIXED)
        plans = [[*chosen.choices(behaviours, k=each), chosen.choice(LAST)] for each in lengths]
        check_all(database, hospital, plans)
