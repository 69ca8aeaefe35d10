"""What people do with deliveries: retry one or many, cancel, look."""

from datetime import timedelta
from uuid import uuid4

import pytest

from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries import operate, search
from dhos_connector_api.deliveries.rules.outcome import Kind
from dhos_connector_api.deliveries.search import Wanted
from dhos_connector_api.errors import Conflict, NotFound
from tests.builders.delivery import Clock, Script, deliverer, failed, queue, shown, states, work


@pytest.fixture
def at() -> Clock:
    return Clock()


def dead(database: Database, at: Clock, number: int = 1, *, destination: str = "epr") -> None:
    """That many dead deliveries."""
    for _ in range(number):
        queue(database, at=at.now(), destination=destination)
        work(deliverer(database, Script([failed(Kind.PERMANENT)]), at, name=destination))


def test_a_dead_delivery_is_sent_again_with_its_schedule_begun_anew(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    work(deliverer(database, Script([failed(Kind.PERMANENT, ack_code="AE")]), at))
    at.pass_(3600)
    with database.transaction() as connection:
        operate.retry(connection, uuid, by="me", now=at.now())
    found = shown(database, uuid)
    assert (found["state"], found["settled_at"]) == ("waiting", None)
    assert found["due_at"] <= at.now()
    assert (found["message"]["state"], found["message"]["ack_status"]) == ("queued", None)
    assert found["message"]["modified_by"] == "me"
    epr = Script([failed()])
    work(deliverer(database, epr, at))
    found = shown(database, uuid)
    assert found["due_at"] == at.now() + timedelta(seconds=5)
    assert [each["number"] for each in found["history"]] == [1, 2]


def test_one_that_waits_is_sent_now_even_when_its_destination_is_held(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    work(deliverer(database, Script([failed(retry_after=500.0)]), at))
    with database.transaction() as connection:
        operate.retry(connection, uuid, by=None, now=at.now())
    assert work(deliverer(database, Script(), at)) == 1


def test_one_that_is_retried_goes_before_everything_that_is_due(database: Database, at: Clock) -> None:
    first, second = (queue(database, at=at.now()) for _ in range(2))
    at.pass_(1)
    epr = Script([failed(Kind.PERMANENT)])
    one = deliverer(database, epr, at)
    work(one)
    for _ in range(3):
        queue(database, at=at.now())
    at.pass_(3600)
    with database.transaction() as connection:
        operate.retry(connection, first, by=None, now=at.now())
    work(one)
    assert [each.delivery_uuid for each in epr.sent] == [first, first]
    assert shown(database, second)["state"] == "waiting"


def test_what_is_delivered_or_under_way_is_not_sent_again(database: Database, at: Clock) -> None:
    delivered = queue(database, at=at.now())
    one = deliverer(database, Script(), at)
    work(one)
    under_way = queue(database, at=at.now())
    one.claim(1)
    for uuid in (delivered, under_way):
        with pytest.raises(Conflict), database.transaction() as connection:
            operate.retry(connection, uuid, by=None, now=at.now())
    with pytest.raises(NotFound), database.transaction() as connection:
        operate.retry(connection, uuid4(), by=None, now=at.now())


def test_what_a_newer_one_has_replaced_is_not_sent_again(database: Database, at: Clock) -> None:
    first = queue(database, at=at.now(), series="set")
    work(deliverer(database, Script([failed(Kind.PERMANENT)]), at))
    second = queue(database, at=at.now(), series="set")
    with pytest.raises(Conflict), database.transaction() as connection:
        operate.retry(connection, first, by=None, now=at.now())
    work(deliverer(database, Script(), at))
    with pytest.raises(Conflict), database.transaction() as connection:
        operate.retry(connection, first, by=None, now=at.now())
    with database.transaction() as connection:
        retried = operate.retry_dead(
            connection, destination=None, since=None, seconds_apart=0, by=None, now=at.now()
        )
    assert retried == 0
    assert shown(database, second)["state"] == "delivered"


def test_what_a_newer_one_may_have_replaced_is_not_sent_again(database: Database, at: Clock) -> None:
    first = queue(database, at=at.now(), series="set")
    second = queue(database, at=at.now(), series="set")
    work(deliverer(database, Script([failed(Kind.AMBIGUOUS)]), at))  # the second: it may have arrived
    with database.transaction() as connection:
        operate.cancel(connection, second, by=None, now=at.now())
    with pytest.raises(Conflict), database.transaction() as connection:
        operate.retry(connection, first, by=None, now=at.now())


def test_a_superseded_one_is_sent_again_once_the_newer_is_cancelled(database: Database, at: Clock) -> None:
    first = queue(database, at=at.now(), series="set")
    second = queue(database, at=at.now(), series="set")
    with database.transaction() as connection:
        operate.cancel(connection, second, by="me", now=at.now())
        operate.retry(connection, first, by="me", now=at.now())
    assert (shown(database, first)["state"], shown(database, second)["state"]) == ("waiting", "cancelled")


def test_many_dead_ones_are_sent_again_spread_over_time(database: Database, at: Clock) -> None:
    dead(database, at)
    at.pass_(3600)
    since = at.now()
    dead(database, at, 4)
    dead(database, at, destination="mirth")
    with database.transaction() as connection:
        retried = operate.retry_dead(
            connection, destination="epr", since=since, seconds_apart=0.5, by="me", now=at.now()
        )
    assert retried == 4
    epr = Script()
    one = deliverer(database, epr, at)
    assert work(one, 64) == 1
    at.pass_(0.5)
    assert work(one, 64) == 1
    at.pass_(1)
    assert work(one, 64) == 2
    assert states(database) == {"dead": 2, "delivered": 4}


def test_a_delivery_is_cancelled_unless_it_is_under_way_or_over(database: Database, at: Clock) -> None:
    waiting = queue(database, at=at.now())
    for _ in range(2):  # the second time changes nothing
        with database.transaction() as connection:
            operate.cancel(connection, waiting, by="me", now=at.now())
    assert shown(database, waiting)["message"]["state"] == "cancelled"
    under_way = queue(database, at=at.now())
    one = deliverer(database, Script(), at)
    (claimed,) = one.claim(1)
    for _ in range(2):
        with pytest.raises(Conflict), database.transaction() as connection:
            operate.cancel(connection, under_way, by="me", now=at.now())
        one.attempt(claimed)
    with pytest.raises(NotFound), database.transaction() as connection:
        operate.cancel(connection, uuid4(), by="me", now=at.now())


def test_deliveries_are_found_by_state_destination_message_and_age(database: Database, at: Clock) -> None:
    old = queue(database, at=at.now())
    work(deliverer(database, Script([failed(Kind.PERMANENT)]), at))
    at.pass_(3600)
    new = queue(database, at=at.now())
    mirth = queue(database, at=at.now(), destination="mirth")

    def found(**wanted: object) -> list[object]:
        with database.statements() as connection:
            page = search.page(connection, Wanted(**wanted), limit=10, before=None)  # type: ignore[arg-type]
        return [row["uuid"] for row in page.rows]

    assert found() == sorted([old, new, mirth], reverse=True)
    assert found(state="dead") == [old]
    assert found(destination="mirth") == [mirth]
    assert found(message_uuid=shown(database, new)["message_uuid"]) == [new]
    assert found(created_before=at.now() - timedelta(minutes=30)) == [old]
    assert set(found(created_since=at.now() - timedelta(minutes=30))) == {new, mirth}


def test_pages_follow_each_other_without_gap_or_overlap(database: Database, at: Clock) -> None:
    wanted = {queue(database, at=at.now()) for _ in range(7)}
    seen, before = [], None
    while True:
        with database.statements() as connection:
            page = search.page(connection, Wanted(), limit=3, before=before)
        seen += [row["uuid"] for row in page.rows]
        before = page.next_before
        if before is None:
            break
    assert (set(seen), len(seen)) == (wanted, 7)


def test_what_waits_and_what_is_dead_is_counted_by_destination(database: Database, at: Clock) -> None:
    began = at.now()
    dead(database, at, 2)
    queue(database, at=began)
    at.pass_(10)
    one = deliverer(database, Script([failed() for _ in range(3)]), at)
    work(one)
    since = at.now()
    for failing_since in (None, None, since):
        with database.statements() as connection:
            (found,) = search.depths(connection)
        assert (found.destination, found.waiting, found.dead) == ("epr", 1, 2)
        assert (found.oldest, found.failing_since) == (began, failing_since)
        at.pass_(60)
        work(one)
