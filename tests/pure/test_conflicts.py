"""Conflicts of control ids by sender: who sends cannot make many names of it, nor many lines."""

import logging
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from dhos_connector_api.intake.conflicts import MOST_SENDERS, OTHER, WARN_EVERY, ConflictCounter

MESSAGE = UUID(int=1)


def counted(sender: str) -> float:
    return REGISTRY.get_sample_value("connector_control_id_conflicts_total", {"sender": sender}) or 0


def warnings(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int]]:
    told = [(vars(each)["sender"], vars(each)["conflicts"]) for each in caplog.records]
    caplog.clear()
    return told


def test_each_sender_is_counted_and_told_of_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    times, name = [0.0], uuid4().hex
    counter = ConflictCounter(lambda: times[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            counter.count(name, "RTH", MESSAGE)
        assert warnings(caplog) == [(f"{name}|RTH", 1)]
        times[0] = WARN_EVERY - 1
        counter.count(name, "RTH", MESSAGE)
        counter.count(name, "OXF", MESSAGE)
        assert warnings(caplog) == [(f"{name}|OXF", 1)]
        times[0] = WARN_EVERY
        counter.count(name, "RTH", MESSAGE)
        assert warnings(caplog) == [(f"{name}|RTH", 6)]
    assert (counted(f"{name}|RTH"), counted(f"{name}|OXF")) == (7, 1)


def test_only_so_many_senders_have_a_name(caplog: pytest.LogCaptureFixture) -> None:
    counter, name, others = ConflictCounter(lambda: 0.0), uuid4().hex, counted(OTHER)
    with caplog.at_level(logging.WARNING):
        for number in range(MOST_SENDERS + 100):
            counter.count(f"{name}{number}", None, MESSAGE)
    assert counted(OTHER) - others == 100
    assert len(warnings(caplog)) == MOST_SENDERS + 1
    counter.count(f"{name}0", None, MESSAGE)
    assert (counted(f"{name}0|"), counted(f"{name}{MOST_SENDERS}|")) == (2, 0)


def test_a_name_is_short_and_holds_no_control_characters() -> None:
    name = uuid4().hex
    ConflictCounter().count(f"{name}\n\x00{'X' * 1000}", "\u202e", MESSAGE)
    assert counted(f"{name}{'X' * (40 - len(name))}|") == 1
