"""The fold of journeys: in any order, however often and whatever was told before, the same comes of it."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dhos_connector_api.px.journeys import codes
from dhos_connector_api.px.journeys.announcing import announcements
from dhos_connector_api.px.journeys.evidence import CLOCK, JOURNEY_OPENED, PERSON, Evidence, History, Move
from dhos_connector_api.px.journeys.explaining import explain
from dhos_connector_api.px.journeys.fold import fold
from dhos_connector_api.px.journeys.folded import Folded, JourneyStatus, StageStatus
from dhos_connector_api.px.journeys.template import JourneyType
from dhos_connector_api.px.journeys.timeline import in_time
from tests.builders.journeys import BEGUN, a_version, previous_patient, stage_id
from tests.rigs.journey_listener import JourneyListener

FEW, MANY = 300, 100_000
TEMPLATES = {
    JourneyType.OPD: a_version(
        {
            "DOCTOR": "Consultation|OPD_VISIT_COMPLETED",
            "LAB": {"trigger": "LAB", "is_optional": True},
            "PHARMACY": {"trigger": "DRUGS", "requires_physician": True},
        }
    ),
    JourneyType.INPATIENT: a_version(
        {"WARD": {"trigger": "A02", "requires_department": True}, "LAB": "LAB"}, JourneyType.INPATIENT
    ),
}
PATIENTS = [UUID(int=number) for number in range(1, 4)]
_MEANT = sorted(
    codes.OPENING | codes.DISCHARGES | codes.VISIT_ENDS | codes.CANCELLING | codes.REOPENING | codes.MOVING
)
#: What opens a journey where a feed sends it.
_OPENING = sorted(codes.OPENING - {JOURNEY_OPENED})
_OTHER = ["CONSULTATION", "LAB", "DRUGS", "ADT_A02", "ADT_A06", "ADT_A08", "ADT_A12", "ADT_A21"]
_ACTS = ["STAGE_COMPLETED", "STAGE_SKIPPED", "STAGE_REOPENED", "JOURNEY_CLOSED", "JOURNEY_CANCELLED"]


def _evidence(random: Random) -> Evidence:
    """A piece of few times, sources and values, so that they meet."""
    source = random.choice(["his", "his", "his", "hl7", "hl7", PERSON, CLOCK])
    code = random.choice({PERSON: _ACTS, CLOCK: ["JOURNEY_SILENT"]}.get(source, _MEANT + 3 * _OTHER))
    hours = random.choice([0, 1, 2, 3, 3, 4, 27, 30])
    is_feed = source not in (PERSON, CLOCK)
    return Evidence(
        event_uuid=UUID(int=random.getrandbits(128)),
        occurred_at=BEGUN + timedelta(hours=hours),
        received_at=BEGUN + timedelta(hours=hours + random.randrange(4)),
        message_uuid=UUID(int=random.getrandbits(128)),
        source=source,
        code=code,
        namespace="shared",
        facility=random.choice(["", "rth", "royal"]) if is_feed else "",
        patient_id=random.choice([None, *PATIENTS]) if is_feed else None,
        journey_type=random.choice([None, None, "opd", "inpatient", "ems", "?"]),
        department=random.choice([None, None, "W1", "W2"]),
        physician=random.choice([None, None, "D1", "D2"]),
        discharged_at=random.choice([None, BEGUN, BEGUN + timedelta(hours=2)]),
        deceased=random.choice([None, None, True, False]),
        previous=previous_patient(random.choice(PATIENTS)) if code in codes.MOVING else None,
        stage_id=stage_id(random.choice(["DOCTOR", "LAB", "PHARMACY", "WARD"])) if source == PERSON else None,
    )


def _move(random: Random) -> Move:
    prior, patient = random.sample(PATIENTS, 2)
    hours = random.randrange(5)
    made = UUID(int=random.getrandbits(128))
    return Move(
        event_uuid=made, occurred_at=BEGUN + timedelta(hours=hours), prior_id=prior, patient_id=patient
    )


def _history(random: Random, most: int = 12) -> tuple[list[Evidence], list[Move]]:
    opening = replace(_evidence(random), source="his", code=random.choice(_OPENING))
    pieces = [_evidence(random) for _ in range(random.randrange(most))]
    return [opening, *pieces], [_move(random) for _ in range(random.randrange(3))]


def _folded(pieces: list[Evidence], moves: list[Move]) -> Folded:
    found = fold(TEMPLATES, History(tuple(pieces), tuple(moves)))
    assert found is not None
    return found


def _disturbed(random: Random, pieces: list[Evidence]) -> list[Evidence]:
    """The same in another order, some of it twice, some of it first told wrong."""
    corrected = [replace(each, generation=3) for each in pieces]
    wrong = [
        replace(
            _evidence(random),
            event_uuid=each.event_uuid,
            generation=random.randrange(3),
            received_at=each.received_at,
        )
        for each in random.sample(pieces, min(3, len(pieces)))
    ]
    again = corrected + random.choices(corrected, k=3) + wrong
    random.shuffle(again)
    return again


def _check(seed: int) -> None:
    random = Random(seed)
    pieces, moves = _history(random)
    found = _folded(pieces, moves)
    assert _folded(_disturbed(random, pieces), random.sample(moves, len(moves)) + moves) == found
    _check_what_is_so(found, pieces, moves)


def _check_what_is_so(found: Folded, pieces: list[Evidence], moves: list[Move]) -> None:
    """What holds of every journey."""
    assert (found.ended_at is None) == (found.ending is None) == (found.status is JourneyStatus.ACTIVE)
    assert (found.ended_by is None) == (found.ended_at is None)
    told = {each.event_uuid for each in pieces} | {each.event_uuid for each in moves}
    assert {each.event_uuid for each in found.effects} == told
    assert len(set(found.types)) == len(found.types)
    assert set(found.missing) == set(found.types) - set(TEMPLATES)
    allowed = {
        JourneyStatus.ACTIVE: set(StageStatus) - {StageStatus.CANCELLED},
        JourneyStatus.COMPLETED: {StageStatus.COMPLETED, StageStatus.SKIPPED},
        JourneyStatus.CANCELLED: {StageStatus.CANCELLED},
    }[found.status]
    for each in found.stages:
        assert each.status in allowed
        is_complete = each.status is StageStatus.COMPLETED
        assert (each.completed_at is not None) == (each.event_uuid is not None) == is_complete
        assert not each.is_late or (is_complete and found.status is JourneyStatus.COMPLETED)
    for first, second in pairwise(explain(found, History(tuple(pieces), tuple(moves)), "ar")):
        assert first.at is not None or second.at is None, "what is missing comes last"
        assert not (first.at and second.at) or first.at <= second.at


@given(st.integers(0, 2**64))
@hypothesis_settings(max_examples=FEW)
def test_any_order_repeats_and_corrections_make_the_same_journey(seed: int) -> None:
    _check(seed)


@pytest.mark.slow
def test_any_order_repeats_and_corrections_make_the_same_journey_a_hundred_thousand_times() -> None:
    for seed in range(MANY):
        _check(seed)


@given(st.integers(0, 2**64))
@hypothesis_settings(max_examples=FEW)
def test_folding_a_part_and_then_the_rest_is_folding_all(seed: int) -> None:
    random = Random(seed)
    pieces, moves = _history(random)
    arrived = _disturbed(random, pieces)
    part = in_time(arrived[: random.randrange(len(arrived))])
    assert in_time([*part, *arrived]) == in_time(arrived)
    assert _folded([*part, *arrived], moves) == _folded(arrived, moves)


def _listen(seed: int) -> None:
    random = Random(seed)
    pieces, moves = _history(random)
    listener, known, numbers = JourneyListener(), dict[str, Any](), []
    for count in range(1, len(pieces) + 1):
        found = _folded(pieces[:count], moves)
        made, known = announcements(known, found)
        numbers += [each.number for each in made]
        for each in made:
            listener.hear(each.kind, each.stage_id)
        complete = {each.stage.id for each in found.stages if each.status is StageStatus.COMPLETED}
        assert (listener.status, listener.stages) == (found.status, complete)
        assert announcements(known, found) == ([], known)
    assert numbers == list(range(1, len(numbers) + 1))


@given(st.integers(0, 2**64))
@hypothesis_settings(max_examples=FEW)
def test_who_hears_all_announcements_knows_the_journey(seed: int) -> None:
    _listen(seed)


@pytest.mark.slow
def test_who_hears_all_announcements_of_ten_thousand_journeys_knows_them() -> None:
    for seed in range(MANY // 10):
        _listen(seed)
