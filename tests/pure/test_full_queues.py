"""Which queues a routing key reaches, whether one of them is full, and how long the relay waits for it."""

from collections.abc import Callable
from typing import Any

import pytest

from dhos_connector_api.broker.bindings import Binding, matching, topic_matches
from dhos_connector_api.broker.fullness import Fullness, Limits, fullness, limits
from dhos_connector_api.broker.management import ManagementAway, Reached
from dhos_connector_api.broker.metrics import MANAGEMENT_ANSWERS
from dhos_connector_api.broker.room import EVERY, FRESH, LATE, NEARLY_FULL, PATIENCE, Room
from dhos_connector_api.causes import Cause, Fault
from dhos_connector_api.outages import Outage
from dhos_connector_api.outbox.backoff import Backoff

KEY = "dhos.24891000000101"


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("dhos.1", "dhos.1", True),
        ("dhos.1", "dhos.2", False),
        ("dhos.*", "dhos.1", True),
        ("dhos.*", "dhos", False),
        ("dhos.*", "dhos.1.2", False),
        ("*.1", "dhos.1", True),
        ("dhos.#", "dhos", True),
        ("dhos.#", "dhos.1.2", True),
        ("#", "", True),
        ("*", "", False),
        ("", "", True),
        ("", "dhos", False),
        ("#.1", "dhos.2.1", True),
        ("#.1", "dhos.1.2", False),
        ("#.b.#", "a.b.c", True),
        ("#.b.#", "a.c", False),
        ("*.#.*", "a", False),
        ("*.#.*", "a.b", True),
        ("a..b", "a..b", True),
        ("a.*.b", "a..b", True),
    ],
)
def test_topic_patterns(pattern: str, key: str, expected: bool) -> None:
    assert topic_matches(pattern, key) is expected


def test_a_pattern_of_many_wildcards_takes_no_longer_than_its_length() -> None:
    assert not topic_matches("#." * 200 + "x", ".".join("a" * 200))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("topic", ["all", "mine"]), ("fanout", ["all", "mine", "other"]), ("direct", ["mine"]), ("headers", [])],
)
def test_what_follows_from_a_key_depends_on_the_kind_of_exchange(kind: str, expected: list[str]) -> None:
    bindings = [Binding("#", "all", False), Binding(KEY, "mine", True), Binding("other", "other", False)]
    assert [each.destination for each in matching(kind, bindings, KEY)] == expected


@pytest.mark.parametrize(
    ("arguments", "policy", "expected"),
    [
        ({"x-max-length": 2, "x-overflow": "reject-publish"}, {}, Limits(2, None)),
        ({"x-max-length": 2, "x-overflow": "reject-publish-dlx"}, [], Limits(2, None)),
        ({"x-max-length": 2}, {"overflow": "reject-publish"}, Limits(2, None)),
        ({"x-max-length": 9}, {"overflow": "reject-publish", "max-length": 3}, Limits(3, None)),
        ({}, {"overflow": "reject-publish", "max-length-bytes": 100}, Limits(None, 100)),
        ({"x-max-length": 2}, {}, None),
        ({"x-max-length": 2, "x-overflow": "drop-head"}, {"overflow": "reject-publish"}, None),
        ({"x-overflow": "reject-publish"}, {}, None),
        ([], None, None),
    ],
)
def test_limits_come_from_arguments_and_policies(
    arguments: Any, policy: Any, expected: Limits | None
) -> None:
    assert limits({"arguments": arguments, "effective_policy_definition": policy}) == expected


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        (10, Fullness.FULL),
        (11, Fullness.FULL),
        (9, Fullness.NEARLY),
        (8, Fullness.NEARLY),
        (7, Fullness.ROOM),
    ],
)
def test_a_queue_is_full_at_its_limit_and_nearly_so_above_four_fifths(has: int, expected: Fullness) -> None:
    assert fullness(Limits(10, None), ready=has, ready_bytes=None, body=5) is expected


@pytest.mark.parametrize(
    ("has", "body", "expected"),
    [
        (500, 501, Fullness.FULL),
        (500, 500, Fullness.ROOM),
        (850, 100, Fullness.NEARLY),
        (500, 5000, Fullness.ROOM),  # no queue of this size ever takes it: others are not to wait for it
        (1000, 5000, Fullness.FULL),
    ],
)
def test_what_would_not_fit_counts_in_bytes_too(has: int, body: int, expected: Fullness) -> None:
    assert fullness(Limits(10, 1000), ready=1, ready_bytes=has, body=body) is expected
    assert fullness(Limits(10, 1000), ready=10, ready_bytes=None, body=body) is Fullness.FULL


class Rig:
    """A room whose questions are answered when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked: list[float] = []
        self.queues: list[Reached] = []
        self.is_away = False
        self.waiting: list[Callable[[], None]] = []
        outage = Outage("RabbitMQ's management API", MANAGEMENT_ANSWERS, lambda: self.now)
        self.room = Room(self._look, monotonic=lambda: self.now, start=self.waiting.append, outage=outage)

    def _look(self, _key: str) -> list[Reached]:
        self.asked.append(self.now)
        if self.is_away:
            raise ManagementAway(Fault("RabbitMQ's management API", "mq", 15672, Cause.LOGIN))
        return self.queues

    def after(self, seconds: float, *, answers: bool = True) -> bool:
        """Whether the key is to wait then, the room having been asked each second."""
        waits = False
        for _ in range(round(seconds)):
            self.now += 1
            waits = self.room.is_full(KEY)
            while answers and self.waiting:
                self.waiting.pop()()
        return waits


def queue(ready: int | None, *, size: int | None = None, counted: bool = True) -> Reached:
    return Reached("small", Limits(10, size), ready, 0, is_counted=counted)


def test_nobody_asks_and_nobody_waits_before_a_refusal() -> None:
    rig = Rig()
    assert not rig.after(60)
    assert rig.asked == []


def test_a_refused_key_waits_while_a_queue_is_full_and_no_longer(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.queues = [queue(3), queue(10)]
    rig.room.refused(KEY, 1)
    assert rig.after(3600)
    assert 60 < len(rig.asked) <= 3600 / EVERY + 2, "rarely"
    assert 59 <= caplog.text.count("this queue is full") <= 61, "named once a minute"
    rig.queues = [queue(3), queue(2)]
    assert not rig.after(EVERY + 1)


def test_a_queue_that_was_full_is_waited_for_until_there_is_some_room_but_not_for_ever() -> None:
    rig = Rig()
    rig.queues = [queue(10)]
    rig.room.refused(KEY, 1)
    assert rig.after(100)
    rig.queues = [queue(9)]
    assert rig.after(NEARLY_FULL - EVERY)
    assert not rig.after(3 * EVERY)


def test_a_refusal_for_another_reason_is_not_waited_for() -> None:
    rig = Rig()
    rig.queues = []
    rig.room.refused(KEY, 1)
    assert not rig.after(2)


def test_numbers_that_may_be_late_are_believed_later() -> None:
    for late in (queue(0, counted=False), queue(0, size=1000), queue(None, counted=False)):
        rig = Rig()
        rig.queues = [late]
        rig.room.refused(KEY, 1)
        assert rig.after(LATE)
        assert not rig.after(2 * EVERY)


def test_what_was_asked_before_a_refusal_says_nothing_of_it() -> None:
    rig = Rig()
    rig.queues = [queue(0)]
    rig.room.refused(KEY, 1)
    assert not rig.after(2)
    rig.queues = [queue(10)]
    rig.now += 0.5
    rig.room.refused(KEY, 1)
    assert rig.room.is_full(KEY)
    assert rig.after(3)


def test_who_gets_no_answer_waits_a_while_only() -> None:
    rig = Rig()
    rig.room.refused(KEY, 1)
    assert rig.after(PATIENCE - 1, answers=False)
    assert not rig.after(2, answers=False)
    rig = Rig()
    rig.queues = [queue(10)]
    rig.room.refused(KEY, 1)
    assert rig.after(10)
    assert not rig.after(FRESH + EVERY, answers=False), "an answer holds a while"


def test_an_api_that_is_away_is_told_once_a_minute_and_nothing_waits_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = Rig()
    rig.is_away = True
    rig.room.refused(KEY, 1)
    assert not rig.after(2)
    assert not rig.after(119)
    told = [each for each in caplog.records if each.getMessage().endswith("cannot be used")]
    assert [(each.host, each.port, each.cause) for each in told] == [("mq", 15672, "login")] * len(told)  # type: ignore[attr-defined]
    assert 2 <= len(told) <= 3
    rig.is_away, rig.queues = False, [queue(10)]
    assert rig.after(EVERY + 1)


def test_a_machine_without_threads_goes_on_as_without_an_api() -> None:
    def refuse(_ask: Callable[[], None]) -> None:
        raise RuntimeError

    now = 0.0
    room = Room(lambda _: [], monotonic=lambda: now, start=refuse)
    room.refused(KEY, 1)
    now = PATIENCE + 1
    assert not room.is_full(KEY)


def test_what_waits_for_room_is_due_a_second_later_whatever_its_pause_was() -> None:
    backoff = Backoff()
    backoff.refuse(KEY, now=0)
    backoff.refuse(KEY, now=1)
    assert backoff.only_untried(KEY, now=10)
    backoff.wait_for_room(KEY, now=10)
    assert backoff.due(10.5) is None
    assert backoff.due(11) == KEY
    assert not backoff.only_untried(KEY, now=11)
