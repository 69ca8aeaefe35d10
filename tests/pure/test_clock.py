"""Identifiers: version 7 UUIDs that sort by time."""

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
