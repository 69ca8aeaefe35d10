"""Large messages: what reading one costs grows as the message does, and what it publishes is bounded."""

import sys
from datetime import UTC
from types import FrameType

import pytest

from dhos_connector_api.actions.hl7.facts import facts
from dhos_connector_api.actions.hl7.merges import merges
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.hl7v2.rules import judge
from dhos_connector_api.site.model import Site
from tests.builders.hl7 import merge
from tests.builders.hl7_mutations import MOST_PUBLISHED, envelopes

HEADER = "MSH|^~\\&|A|B|C|D|20240315||ADT^{}|1|P|2.5\rEVN|\r"
CX = "{}^^^A^MRN^^^20240101"


def calls(raw: bytes, *, accepted: bool = True) -> int:
    """How many functions, Python's and C's, it takes to read, judge and extract the message."""
    counted = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        received = read(raw)
        facts(received, Site(), UTC)
        verdict = judge(received, Site().inbound)
        if verdict.code == "AA":
            envelopes(received)
            merges(received, Site())
    finally:
        sys.setprofile(before)
    assert (verdict.code == "AA") is accepted, verdict
    return counted


def many(trigger: str, groups: int, repetitions: int) -> bytes:
    """One PID with so many identifiers and telephone numbers, and so many MRG."""
    identifiers = "~".join(CX.format(number) for number in range(repetitions))
    phones = "~".join(["^PRN^FX^a@b.example^44^1865^1"] * repetitions)
    pid = "|".join(["PID", "1", "", identifiers, *[""] * 9, phones])
    mrgs = "".join(f"MRG|{CX.format(-number)}\r" for number in range(1, groups + 1))
    return (HEADER.format(trigger) + f"{pid}\r{mrgs}").encode()


@pytest.mark.parametrize("trigger", ["A40", "A45"])
def test_twice_the_repetitions_and_groups_take_twice_the_work(trigger: str) -> None:
    once, twice = (calls(many(trigger, 40 * factor, 25 * factor)) for factor in (1, 2))
    assert twice < 2.2 * once


def test_a_patient_shared_by_all_groups_is_read_once() -> None:
    """The work of one more repetition does not depend on the number of groups."""
    few, more = (calls(many("A45", groups, 60)) - calls(many("A45", groups, 10)) for groups in (2, 100))
    assert more < 1.1 * few


@pytest.mark.parametrize("repetitions", [1_000, 50_000])
def test_what_is_refused_for_its_size_takes_bounded_work(repetitions: int) -> None:
    assert calls(many("A40", 100, repetitions), accepted=False) < 30_000


@pytest.mark.parametrize("character", ["X", "\x01", "\U0001f600"])
def test_what_the_largest_accepted_message_publishes_is_bounded(character: str) -> None:
    visit = "|".join(["PV1", "1", "I", character * 5_000, *[""] * 15, "V1", *[""] * 24, "20240101"])
    more = [line for number in range(2, 91) for line in (f"PID|||{number}^^^A^MRN", "MRG|1^^^A^MRN", visit)]
    received = read(merge("A40", more=more))
    assert judge(received, Site().inbound).code == "AA"
    assert sum(len(envelope.body) for envelope in envelopes(received)) < MOST_PUBLISHED


def test_envelopes_of_a_long_patient_and_many_merges_are_bounded() -> None:
    received = read(merge("A45", PID_5="\x01" * 1_600, PID_15="\x01" * 1_000, more=["MRG|1"] * 150))
    assert judge(received, Site().inbound).code == "AA"
    assert sum(len(envelope.body) for envelope in envelopes(received)) < MOST_PUBLISHED
