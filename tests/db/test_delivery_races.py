"""Deliveries when things meet: workers, corrections, retries, leases and clocks, all at the same time."""

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries import operate
from dhos_connector_api.deliveries.rules.outcome import Accepted, Kind, Outgoing
from dhos_connector_api.errors import Conflict
from dhos_connector_api.site.model import DeliveryPolicy
from tests.builders.delivery import Clock, Script, deliverer, failed, outcomes, queue, shown, states, work
from tests.rigs.waiting import eventually

#: Everything is due at once, a lease never ends, and nothing dies.
PATIENT = DeliveryPolicy(schedule=(0.0,) * 1000, jitter=0, at_once=5, grace=10**8)
ENDS = {"delivered", "superseded", "cancelled"}


@pytest.fixture
def at() -> Clock:
    return Clock()


class Hospital:
    """Takes messages whose bodies name their series, each after some milliseconds, and remembers them.

    The part `fails` of them fails, half of these after they were taken.
    """

    def __init__(self, *, fails: float) -> None:
        self._fails = fails
        self._chance = random.Random(7)
        self._lock = threading.Lock()
        self._present = 0
        self.most_at_once = 0
        self.taken: dict[str, list[UUID]] = defaultdict(list)

    def __call__(self, outgoing: Outgoing) -> Accepted:
        with self._lock:
            self._present += 1
            self.most_at_once = max(self.most_at_once, self._present)
            mood, patience = self._chance.random(), self._chance.random() / 100
        threading.Event().wait(patience)
        with self._lock:
            self._present -= 1
            if mood >= self._fails / 2:
                self.taken[outgoing.body.decode()].append(outgoing.delivery_uuid)
        if mood < self._fails:
            raise failed(Kind.TRANSIENT if mood < self._fails / 2 else Kind.AMBIGUOUS)
        return Accepted(200, "AA", b"MSA|AA")


@contextmanager
def two_workers(database: Database, hospital: Hospital, at: Clock) -> Iterator[None]:
    """Two processes that deliver meanwhile, four attempts each; one that fails fails the test."""
    stop = threading.Event()

    def deliver() -> None:
        one = deliverer(database, hospital, at, policy=PATIENT)
        with ThreadPoolExecutor(4) as attempts:
            while not stop.is_set():
                for each in [attempts.submit(one.attempt, claimed) for claimed in one.claim(4)]:
                    each.result()
                at.pass_(0.1)

    with ThreadPoolExecutor(2) as processes:
        running = [processes.submit(deliver) for _ in range(2)]
        try:
            yield
        finally:
            stop.set()
        for each in running:
            each.result()


def all_ended(database: Database) -> bool:
    """Whether nothing waits or is under way."""
    return set(states(database)) <= ENDS


def test_corrections_under_load_arrive_in_their_order_and_the_newest_last(
    database: Database, at: Clock
) -> None:
    hospital = Hospital(fails=0.3)

    def correct(seed: int) -> None:
        chosen = random.Random(seed)
        for _ in range(25):
            series = f"set-{chosen.randrange(3)}"
            queue(database, at=at.now(), series=series, body=series.encode())

    with two_workers(database, hospital, at), ThreadPoolExecutor(16) as senders:
        for each in [senders.submit(correct, seed) for seed in range(16)]:
            each.result()
        eventually(lambda: all_ended(database))
    with database.statements() as connection:
        found = connection.execute(text("SELECT uuid, position, series, state FROM delivery")).all()
    position = {row.uuid: row.position for row in found}
    for series, taken in hospital.taken.items():
        order = [position[uuid] for uuid in taken]
        assert order == sorted(order)
        newest = max((row for row in found if row.series == series), key=lambda row: row.position)
        assert (taken[-1], newest.state) == (newest.uuid, "delivered")
    assert set(hospital.taken) == {"set-0", "set-1", "set-2"}


def test_what_is_cancelled_or_retried_while_it_is_claimed_is_taken_never_or_once(
    database: Database, at: Clock
) -> None:
    hospital = Hospital(fails=0)
    queued = [queue(database, at=at.now(), body=b"one") for _ in range(150)]

    def operated(action: Callable[..., None], uuid: UUID) -> bool:
        try:
            with database.transaction() as connection:
                action(connection, uuid, by=None, now=at.now())
        except Conflict:
            return False
        return True

    with two_workers(database, hospital, at), ThreadPoolExecutor(4) as people:
        cancelled = [(uuid, people.submit(operated, operate.cancel, uuid)) for uuid in queued[::-2]]
        retried = [people.submit(operated, operate.retry, uuid) for uuid in queued[-2::-2]]
        given_up = {uuid for uuid, each in cancelled if each.result()}
        assert all(isinstance(each.result(), bool) for each in retried)
        eventually(lambda: all_ended(database))
    assert sorted(hospital.taken["one"]) == sorted(set(queued) - given_up)
    assert hospital.most_at_once <= PATIENT.at_once


def test_whoever_queues_a_correction_waits_for_nobody_who_claims(database: Database, at: Clock) -> None:
    first = queue(database, at=at.now(), series="set")
    with database.transaction() as claiming:
        claiming.execute(text("SELECT FROM delivery WHERE uuid = :uuid FOR UPDATE"), {"uuid": first})
        second = queue(database, at=at.now(), series="set")
    assert shown(database, first)["state"] == "waiting"
    epr = Script()
    assert work(deliverer(database, epr, at), 4) == 1
    assert [each.delivery_uuid for each in epr.sent] == [second]
    assert shown(database, first)["superseded_by"] == second


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    """A thread for what happens at the same time."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def begun(aside: ThreadPoolExecutor, database: Database, action: Callable[[], object]) -> Future[object]:
    """`action`, begun in the other thread; it has ended by now, or waits for a lock."""
    query = text(
        "SELECT EXISTS (SELECT FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )

    def waits() -> bool:
        with database.statements() as connection:
            return bool(connection.execute(query).scalar_one())

    running = aside.submit(action)
    eventually(lambda: running.done() or waits())
    return running


def test_an_older_one_that_is_retried_does_not_follow_a_newer_one(
    database: Database, at: Clock, aside: ThreadPoolExecutor
) -> None:
    first = queue(database, at=at.now(), series="set")
    work(deliverer(database, Script([failed(Kind.PERMANENT)]), at))
    epr = Script()

    def correct() -> None:
        queue(database, at=at.now(), series="set")
        work(deliverer(database, epr, at), 4)

    with database.transaction() as retrying:
        operate.retry(retrying, first, by=None, now=at.now())
        corrected = begun(aside, database, correct)
    corrected.result()
    at.pass_(60)
    work(deliverer(database, epr, at), 4)
    assert first not in [each.delivery_uuid for each in epr.sent]
    assert states(database) == {"delivered": 1, "superseded": 1}


def test_one_that_settles_holds_nothing_while_it_waits_for_one_that_takes_over(
    database: Database, at: Clock, aside: ThreadPoolExecutor
) -> None:
    uuid = queue(database, at=at.now())
    one = deliverer(database, Script(), at)
    (claimed,) = one.claim(1)
    with database.transaction() as taking_over:
        taking_over.execute(text("SELECT FROM delivery FOR UPDATE"))
        settled = begun(aside, database, lambda: one.attempt(claimed))
        taking_over.execute(text("SELECT FROM delivery_attempt FOR UPDATE NOWAIT"))
    settled.result()
    assert shown(database, uuid)["state"] == "delivered"


@pytest.mark.parametrize("since", ["dead", "cancelled", "superseded"])
def test_what_was_taken_after_all_is_delivered_whatever_was_decided_since(
    database: Database, at: Clock, since: str
) -> None:
    uuid = queue(database, at=at.now(), series="set")
    other = deliverer(database, Script([failed(Kind.PERMANENT)]), at)

    def stands_still(_: Outgoing) -> Accepted:
        at.pass_(60)
        if since == "superseded":
            queue(database, at=at.now(), series="set")
        work(other)
        if since == "cancelled":
            with database.transaction() as connection:
                operate.cancel(connection, uuid, by=None, now=at.now())
        assert shown(database, uuid)["state"] == since
        return Accepted(200, "AA", b"MSA|AA")

    work(deliverer(database, stands_still, at))
    found = shown(database, uuid)
    assert (found["state"], found["superseded_by"], found["ambiguous"]) == ("delivered", None, 1)
    assert (found["message"]["state"], found["message"]["is_processed"]) == ("delivered", True)


def test_a_process_that_stood_still_since_it_claimed_sends_nothing(database: Database, at: Clock) -> None:
    uuid, epr = queue(database, at=at.now()), Script()
    policy = DeliveryPolicy(timeout=10, grace=20)
    one = deliverer(database, epr, at, policy=policy)
    (claimed,) = one.claim(1)
    at.pass_(20.001)  # the lease lasts 30 s, and an attempt may take 10 s of it
    one.attempt(claimed)
    assert (epr.sent, outcomes(database, uuid)) == ([], ["transient"])
    at.pass_(60)
    (claimed,) = one.claim(1)
    at.pass_(20)
    one.attempt(claimed)
    assert shown(database, uuid)["state"] == "delivered"


def test_a_clock_that_is_set_back_holds_no_destination_for_longer_than_was_asked(
    database: Database, at: Clock
) -> None:
    late = queue(database, at=at.now())
    work(deliverer(database, Script([failed(retry_after=500.0)]), at))
    at.pass_(-86400)
    new = queue(database, at=at.now())
    one = deliverer(database, Script(), at)
    assert work(one, 4) == 1
    assert shown(database, new)["state"] == "delivered"
    assert shown(database, late)["state"] == "waiting"
    at.pass_(86400 + 500)
    assert work(one, 4) == 1
