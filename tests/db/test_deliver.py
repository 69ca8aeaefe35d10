"""Delivering: claimed, sent with no transaction open, settled; tried again by the schedule, then dead."""

from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.db.within_bytes import Bound
from dhos_connector_api.deliveries.rules.outcome import Accepted, Kind, Outgoing
from dhos_connector_api.deliveries.store import LOST
from dhos_connector_api.messages import store as messages
from dhos_connector_api.site.model import DeliveryPolicy
from tests.builders.delivery import Clock, Script, deliverer, failed, outcomes, queue, shown, states, work


@pytest.fixture
def at() -> Clock:
    return Clock()


def test_what_is_taken_is_delivered_and_the_message_says_so(database: Database, at: Clock) -> None:
    uuid, epr = queue(database, at=at.now()), Script([Accepted(200, "CA", b"MSA|CA")])
    assert work(deliverer(database, epr, at)) == 1
    found = shown(database, uuid)
    assert (found["state"], found["attempts"], found["settled_at"]) == ("delivered", 1, at.now())
    message = found["message"]
    assert (message["state"], message["is_processed"], message["ack_status"]) == ("delivered", True, "CA")
    assert bytes(message["ack"]) == b"MSA|CA"
    assert [(each.body, each.control_id) for each in epr.sent] == [
        (bytes(message["received"]), message["message_control_id"])
    ]


def test_nothing_is_open_in_the_database_while_a_message_is_sent(database: Database, at: Clock) -> None:
    def send(outgoing: Outgoing) -> Accepted:
        with database.statements() as connection:
            busy = connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND state LIKE 'idle in transaction%'"
                )
            ).scalar_one()
            locks = connection.execute(
                text("UPDATE delivery SET last_error = last_error WHERE uuid = :uuid"),
                {"uuid": outgoing.delivery_uuid},
            ).rowcount
        assert (busy, locks) == (0, 1)
        return Accepted()

    uuid = queue(database, at=at.now())
    work(deliverer(database, send, at))
    assert shown(database, uuid)["state"] == "delivered"


def test_the_schedule_is_kept_and_then_it_is_dead(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    epr = Script([failed() for _ in range(10)])
    one = deliverer(database, epr, at)
    for pause in (*DeliveryPolicy().schedule, None):
        assert work(one) == 1
        found = shown(database, uuid)
        if pause is None:
            break
        assert found["state"] == "waiting"
        assert found["due_at"] == at.now() + timedelta(seconds=pause)
        at.pass_(pause - 0.001)
        assert work(one) == 0
        at.pass_(0.001)
    assert (found["state"], found["attempts"]) == ("dead", 10)
    assert found["message"]["state"] == "dead"
    assert found["message"]["error_text"] == "it did not work"
    at.pass_(10**7)
    assert work(one) == 0
    assert len({(each.control_id, each.body) for each in epr.sent}) == 1


def test_jitter_makes_pauses_longer_and_never_shorter(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    work(deliverer(database, Script([failed()]), at, policy=DeliveryPolicy(jitter=0.5), chance=1.0))
    assert shown(database, uuid)["due_at"] == at.now() + timedelta(seconds=7.5)


def test_retry_after_is_honoured(database: Database, at: Clock) -> None:
    uuid, other = queue(database, at=at.now()), queue(database, at=at.now())
    one = deliverer(database, Script([failed(retry_after=60.0)]), at)
    assert work(one) == 1
    assert shown(database, uuid)["due_at"] == at.now() + timedelta(seconds=60)
    at.pass_(59)
    assert work(one, 4) == 0  # the destination asked for the pause: nobody is sent there meanwhile
    at.pass_(1)
    assert work(one, 4) == 2
    assert {shown(database, each)["state"] for each in (uuid, other)} == {"delivered"}


def test_a_refusal_is_dead_at_once_with_what_was_said(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    refusal = failed(Kind.PERMANENT, ack_code="AE", ack=b"MSA|AE", detail="no such bed", http_status=200)
    work(deliverer(database, Script([refusal]), at))
    found = shown(database, uuid)
    assert (found["state"], found["message"]["ack_status"]) == ("dead", "AE")
    assert found["message"]["error_text"] == "no such bed"
    assert (found["history"][0]["detail"], found["history"][0]["ack_code"]) == ("no such bed", "AE")


@pytest.mark.parametrize(("final", "state"), [(True, "dead"), (False, "waiting")])
def test_an_ar_is_tried_again_only_where_the_site_says_so(
    database: Database, at: Clock, final: bool, state: str
) -> None:
    uuid = queue(database, at=at.now())
    policy = DeliveryPolicy(refused_is_final=final)
    work(deliverer(database, Script([failed(Kind.PERMANENT, ack_code="AR")]), at, policy=policy))
    assert shown(database, uuid)["state"] == state


def test_an_ambiguous_attempt_is_counted_as_one(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    one = deliverer(database, Script([failed(Kind.AMBIGUOUS)]), at)
    work(one)
    at.pass_(5)
    work(one)
    assert (shown(database, uuid)["ambiguous"], outcomes(database, uuid)) == (1, ["ambiguous", "delivered"])


def test_an_attempt_that_never_ended_is_ambiguous_and_made_again(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    dying, living = (deliverer(database, Script(), at) for _ in range(2))
    assert len(dying.claim(1)) == 1
    at.pass_(DeliveryPolicy().timeout + DeliveryPolicy().grace)
    assert work(living) == 0
    at.pass_(0.001)
    assert work(living) == 1
    found = shown(database, uuid)
    assert (found["state"], found["ambiguous"]) == ("delivered", 1)
    assert [(each["outcome"], each["error"]) for each in found["history"]] == [
        ("ambiguous", LOST),
        ("delivered", None),
    ]


def test_what_kills_its_process_each_time_is_dead_in_the_end(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    one = deliverer(database, Script(), at, policy=DeliveryPolicy(schedule=(5, 5)))
    for _ in range(3):
        assert len(one.claim(1)) == 1
        at.pass_(60)
    assert one.claim(1) == []
    found = shown(database, uuid)
    assert (found["state"], found["message"]["state"]) == ("dead", "dead")
    assert found["message"]["error_text"] == LOST


def test_who_has_lost_the_lease_settles_nothing_but_his_attempt(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    quick, again = deliverer(database, Script([failed()]), at), []

    def slow(_: Outgoing) -> Accepted:
        at.pass_(60)
        again.extend(quick.claim(1))
        raise failed()

    work(deliverer(database, slow, at))
    assert shown(database, uuid)["state"] == "sending"
    quick.attempt(again[0])
    found = shown(database, uuid)
    assert (found["state"], found["attempts"], outcomes(database, uuid)) == (
        "waiting",
        2,
        ["transient", "transient"],
    )


def test_a_late_success_counts_unless_another_attempt_is_under_way(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    other = deliverer(database, Script([failed()]), at)

    def slow(_: Outgoing) -> Accepted:
        at.pass_(60)
        work(other)
        return Accepted()

    work(deliverer(database, slow, at))
    assert shown(database, uuid)["state"] == "delivered"
    at.pass_(10**6)
    assert work(other) == 0


def test_a_message_whose_bytes_are_gone_is_dead(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM message_body"))
    work(deliverer(database, Script(), at))
    assert shown(database, uuid)["state"] == "dead"


def test_one_destination_that_is_down_does_not_hold_back_another(database: Database, at: Clock) -> None:
    for _ in range(5):
        queue(database, at=at.now())
    other = queue(database, at=at.now(), destination="mirth")
    epr = deliverer(database, Script([failed() for _ in range(20)]), at)
    for _ in range(5):
        work(epr, 4)
    work(deliverer(database, Script(), at, name="mirth"))
    assert shown(database, other)["state"] == "delivered"
    assert states(database)["waiting"] == 5


def test_no_more_are_begun_than_the_site_allows_over_all_processes(database: Database, at: Clock) -> None:
    for _ in range(10):
        queue(database, at=at.now())
    policy = DeliveryPolicy(at_once=3)
    one, two = (deliverer(database, Script(), at, policy=policy) for _ in range(2))
    assert [len(one.claim(2)), len(two.claim(5)), len(one.claim(5))] == [2, 1, 0]


def test_no_more_are_begun_than_there_is_room_for_in_bytes(database: Database, at: Clock) -> None:
    sizes = [100, 100, 900, 100]
    uuids = [queue(database, at=at.now(), body=b"x" * size) for size in sizes]
    one = deliverer(database, Script(), at, policy=DeliveryPolicy(at_once=64))
    for bound, expected in (
        (Bound(250, least=0), uuids[:2]),
        (Bound(500, least=0), []),  # the next is too large, and nothing passes it by
        (Bound(500, least=1), uuids[2:3]),
        (Bound(500, least=1), uuids[3:]),
    ):
        assert [each.uuid for each in one.claim(64, bound)] == expected


def test_a_failing_destination_is_probed_by_one_at_a_time(database: Database, at: Clock) -> None:
    for _ in range(12):
        queue(database, at=at.now())
    epr = Script([failed() for _ in range(6)])
    one = deliverer(database, epr, at)
    assert work(one, 4) == 4  # nobody knows yet
    probes = []
    for _ in range(200):
        at.pass_(0.5)
        claims = one.claim(4)
        probes.append(len(claims))
        for claimed in claims:
            one.attempt(claimed)
        if states(database).get("waiting", 0) == 0:
            break
    tried = [number for number in probes if number]
    assert tried[:3] == [1, 1, 1]  # two that fail and one that gets through
    assert max(tried[3:]) == 4  # it takes messages again
    assert states(database) == {"delivered": 12}


def test_a_newer_one_of_the_series_takes_the_place_of_one_that_waits(database: Database, at: Clock) -> None:
    first = queue(database, at=at.now(), series="set")
    second = queue(database, at=at.now(), series="set")
    other = queue(database, at=at.now(), series="another")
    found = shown(database, first)
    assert (found["state"], found["superseded_by"]) == ("superseded", second)
    assert found["message"]["state"] == "superseded"
    epr = Script()
    work(deliverer(database, epr, at), 4)
    assert {each.delivery_uuid for each in epr.sent} == {second, other}


def test_a_newer_one_waits_for_one_under_way_and_overtakes_it_when_it_fails(
    database: Database, at: Clock
) -> None:
    first = queue(database, at=at.now(), series="set")
    epr = Script([failed()])
    one = deliverer(database, epr, at)
    (under_way,) = one.claim(1)
    second = queue(database, at=at.now(), series="set")
    assert one.claim(4) == []
    one.attempt(under_way)
    assert shown(database, first)["state"] == "waiting"
    assert work(one, 4) == 1
    at.pass_(100)
    assert work(one, 4) == 0
    assert [each.delivery_uuid for each in epr.sent] == [first, second]
    assert shown(database, first)["superseded_by"] == second


def test_a_series_is_one_of_its_destination_alone(database: Database, at: Clock) -> None:
    first = queue(database, at=at.now(), series="set")
    queue(database, at=at.now(), series="set", destination="mirth")
    assert shown(database, first)["state"] == "waiting"


def test_messages_that_fail_anywhere_do_not_keep_the_others_back(database: Database, at: Clock) -> None:
    poison = {queue(database, at=at.now()) for _ in range(30)}

    def send(outgoing: Outgoing) -> Accepted:
        if outgoing.delivery_uuid in poison:
            raise failed(http_status=500)
        return Accepted(200, "AA")

    one = deliverer(database, send, at)
    for _ in range(600):  # ten minutes
        work(one, 4)
        at.pass_(1)
    good = queue(database, at=at.now())
    began = at.now()
    while shown(database, good)["state"] != "delivered":
        at.pass_(1)
        work(one, 4)
    assert at.now() - began <= timedelta(seconds=61)  # the longest pause between two probes


def test_a_pause_that_was_asked_for_outlasts_what_was_sent_before(database: Database, at: Clock) -> None:
    for _ in range(3):
        queue(database, at=at.now())
    epr = Script([failed(retry_after=300.0), failed(), Accepted(200, "AA")])
    one = deliverer(database, epr, at)
    for claimed in one.claim(3):
        one.attempt(claimed)
    queue(database, at=at.now())
    at.pass_(299)
    assert work(one, 4) == 0
    at.pass_(1)
    assert work(one, 4) == 3


def test_what_was_taken_at_last_is_delivered_whatever_a_later_attempt_says(
    database: Database, at: Clock
) -> None:
    uuid = queue(database, at=at.now())
    other = deliverer(database, Script([failed(Kind.PERMANENT, ack_code="AR")]), at)
    again = []

    def slow(_: Outgoing) -> Accepted:
        at.pass_(60)
        again.extend(other.claim(1))
        return Accepted(200, "AA")

    work(deliverer(database, slow, at))
    other.attempt(*again)
    found = shown(database, uuid)
    assert (found["state"], found["message"]["is_processed"]) == ("delivered", True)
    assert (found["message"]["ack_status"], outcomes(database, uuid)) == ("AA", ["delivered", "permanent"])


def test_a_process_that_dies_each_time_does_not_use_up_the_schedule_sooner(
    database: Database, at: Clock
) -> None:
    uuid = queue(database, at=at.now())
    one = deliverer(database, Script(), at)
    started = []
    for _ in range(6):
        began = at.now()
        while not one.claim(1):
            at.pass_(1)
        started.append(at.now())
        at.pass_(1)
    assert shown(database, uuid)["attempts"] == 6
    assert began - started[-2] < timedelta(seconds=2)
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(started)]
    assert all(pause >= planned for pause, planned in zip(pauses, DeliveryPolicy().schedule, strict=False))


def test_a_transport_that_fails_in_its_own_way_is_settled_as_ambiguous(database: Database, at: Clock) -> None:
    def broken(_: Outgoing) -> Accepted:
        raise KeyError("JANE DOE")

    uuid = queue(database, at=at.now())
    work(deliverer(database, broken, at))
    found = shown(database, uuid)
    assert (found["state"], outcomes(database, uuid)) == ("waiting", ["ambiguous"])
    assert "JANE" not in found["last_error"]
    with database.statements() as connection:
        health = connection.execute(text("SELECT failures FROM delivery_destination")).scalar_one()
    assert health == 0  # it says nothing of the destination


def test_a_message_that_goes_out_is_processed_by_its_delivery_alone(database: Database, at: Clock) -> None:
    uuid = queue(database, at=at.now())
    message = shown(database, uuid)["message_uuid"]
    with database.transaction() as connection:
        assert messages.mark_processed(connection, message, by="somebody", at=at.now())
    assert shown(database, uuid)["message"]["is_processed"] is False
