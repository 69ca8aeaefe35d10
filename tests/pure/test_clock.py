"""Identifiers: version 7 UUIDs that sort by time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from dhos_connector_api import clock

_AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def test_a_uuid_is_of_version_7_and_holds_its_millisecond() -> None:
    uuid = clock.new_uuid(_AT)
    assert (uuid.version, uuid.variant) == (7, "specified in RFC 4122")
    assert uuid.int >> 80 == int(_AT.timestamp() * 1000)


def test_uuids_of_a_later_millisecond_sort_later_and_none_comes_twice() -> None:
    uuids = [clock.new_uuid(_AT + timedelta(milliseconds=number)) for number in range(1000)]
    assert sorted(uuids) == uuids
    assert len({clock.new_uuid(_AT) for _ in range(1000)}) == 1000


def test_the_first_uuid_of_a_time_sorts_between_before_and_after() -> None:
    bound = clock.first_uuid(_AT)
    assert clock.new_uuid(_AT - timedelta(milliseconds=1)) < bound <= clock.new_uuid(_AT)


def test_uuids_of_the_same_millisecond_sort_as_they_were_made_in_every_thread() -> None:
    uuids = [clock.new_uuid(_AT) for _ in range(10_000)]
    assert sorted(uuids) == uuids
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: [clock.new_uuid(_AT) for _ in range(1000)], range(8)))
    assert all(sorted(each) == each for each in made)
    assert len({uuid for each in made for uuid in each}) == 8000


def test_what_follows_the_counter_is_random() -> None:
    tails = [clock.new_uuid(_AT).int & (1 << 48) - 1 for _ in range(2000)]
    for bit in range(48):
        assert 800 < sum(tail >> bit & 1 for tail in tails) < 1200
