"""The fold of facts and of merges: whatever the order and however often, the same comes of it."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dhos_connector_api.px.organizations import fold as facts
from dhos_connector_api.px.organizations.contact_values import email, language, phone_e164
from dhos_connector_api.px.organizations.facts import told_by
from dhos_connector_api.px.organizations.fold import Fact, Known, Stamp, stamped
from dhos_connector_api.px.organizations.identity import SHARED, Who, folded
from dhos_connector_api.px.organizations.merges import Kind, Merge, fold, renamed
from tests.builders.feed import Happening

AT = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = [UUID(int=number) for number in range(6)]
merge_sets = st.lists(
    st.builds(
        Merge,
        occurred_at=st.integers(0, 5).map(lambda minutes: AT + timedelta(minutes=minutes)),
        event_uuid=st.integers(0, 30).map(lambda number: UUID(int=number)),
        prior=st.sampled_from(PEOPLE),
        survivor=st.sampled_from(PEOPLE),
        kind=st.sampled_from(list(Kind)),
    ),
    max_size=12,
)
stamps = st.builds(
    Stamp.of,
    st.integers(0, 5).map(lambda minutes: AT + timedelta(minutes=minutes)),
    st.sampled_from([str(UUID(int=number)) for number in range(4)]),
    st.integers(0, 2),
)
# What an event says of a group it says once: the value follows from the stamp.
fact_lists = st.lists(
    st.builds(
        lambda stamp, group: Fact(group, (f"{group} {stamp}",) * len(facts.GROUPS[group]), stamp),
        stamps,
        st.sampled_from(["name", "phone", "email"]),
    ),
    max_size=15,
)


@given(merge_sets, st.randoms(use_true_random=False))
@hypothesis_settings(max_examples=150)
def test_merges_in_any_order_and_twice_have_the_same_survivors(merges: list[Merge], random: Random) -> None:
    found = fold(merges)
    again = merges + random.choices(merges, k=3) if merges else []
    random.shuffle(again)
    assert fold(again) == found
    for prior, survivor in found.items():
        assert survivor not in found, "the final one"
        assert prior != survivor


@given(fact_lists, st.randoms(use_true_random=False))
@hypothesis_settings(max_examples=150)
def test_facts_in_any_order_and_twice_come_to_the_newest_of_each_group(
    told: list[Fact], random: Random
) -> None:
    known, shuffled = Known(), Known()
    facts.fold(known, sorted(told, key=lambda each: each.stamp))
    again = told + random.choices(told, k=3) if told else []
    random.shuffle(again)
    facts.fold(shuffled, again)
    assert (shuffled.columns, shuffled.stamps) == (known.columns, known.stamps)


def _merge(minute: int, prior: int, survivor: int, kind: Kind = Kind.MERGE) -> Merge:
    return Merge(AT + timedelta(minutes=minute), uuid4(), PEOPLE[prior], PEOPLE[survivor], kind)


def test_a_chain_leads_to_its_end_and_a_circle_is_refused() -> None:
    chain = [_merge(1, 0, 1), _merge(2, 1, 2)]
    assert fold(chain) == {PEOPLE[0]: PEOPLE[2], PEOPLE[1]: PEOPLE[2]}
    assert fold([*chain, _merge(3, 2, 0)]) == fold(chain)
    assert fold([_merge(1, 0, 0)]) == {}


def test_of_two_merges_of_one_patient_the_later_counts() -> None:
    assert fold([_merge(2, 0, 2), _merge(1, 0, 1)]) == {PEOPLE[0]: PEOPLE[2]}


def test_a_changed_number_is_followed_step_by_step_and_through_circles() -> None:
    steps = [_merge(1, 0, 1, Kind.RENAME), _merge(2, 1, 2, Kind.RENAME), _merge(3, 3, 0)]
    assert renamed(steps, PEOPLE[:4]) == {PEOPLE[0]: PEOPLE[1:3], PEOPLE[1]: [PEOPLE[2]]}
    circle = [_merge(1, 0, 1, Kind.RENAME), _merge(2, 1, 0, Kind.RENAME)]
    assert renamed(circle, PEOPLE[:2]) == {PEOPLE[0]: [PEOPLE[1]], PEOPLE[1]: [PEOPLE[0]]}


def test_what_a_person_says_is_newer_than_an_event_of_that_moment_and_older_than_a_later_one() -> None:
    by_hand = stamped(["phone", "city"], AT)
    assert list(by_hand) == ["phone"]
    stamp = Stamp(*by_hand["phone"])
    assert Stamp.of(AT, str(uuid4()), 9) < stamp < Stamp.of(AT + timedelta(seconds=1), str(uuid4()))


def test_an_id_follows_from_facility_and_number_alone() -> None:
    one = Who(SHARED, folded(" rxx  Trust"), "M1", "9434765919")
    assert one.id == Who(SHARED, folded("RXX TRUST"), "M1", None).id
    assert one.id != Who(SHARED, folded("RYY"), "M1", None).id
    assert Who(SHARED, "rxx", None, "9434765919").id == Who(SHARED, "ryy", None, "9434765919").id


def test_nothing_has_happened_after_its_message_came() -> None:
    ahead = Happening("M1", name=("Ann", "Lee"), at=AT + timedelta(days=9000)).letter()
    told, later = told_by(ahead.actions, AT), told_by(ahead.actions, AT + timedelta(minutes=1))
    assert told
    assert later
    assert Stamp.of(AT, "") < told.stamp < later.stamp < Stamp.of(AT + timedelta(hours=1), "")


@pytest.mark.parametrize(
    "code", ["ADT_A35", "ADT_A41", "ADT_A42", "ADT_A43", "ADT_A44", "ADT_A45", "ADT_A50"]
)
def test_who_moves_an_account_or_a_visit_merges_no_patients(code: str) -> None:
    letter = Happening("M1", code, prior="M2", phone="+442079460001").letter()
    told = told_by(letter.actions, None)
    assert told
    assert told.merge is None
    assert told.prior is None


def test_an_event_that_says_nothing_of_the_patient_or_names_nobody_does_nothing() -> None:
    assert told_by(Happening("M1").letter().actions, None) is None
    assert told_by(Happening("", name=("Ann", "Lee")).letter().actions, None) is None


@pytest.mark.parametrize(
    ("told", "region", "number"),
    [
        ("050 123 4567", "SA", "+966501234567"),
        ("+966 50 123 4567", None, "+966501234567"),
        ("050 123 4567", None, None),
        ("٠٥٠١٢٣٤٥٦٧", "SA", "+966501234567"),
        ("ask the son", "SA", None),
        ("0", "SA", None),
        ("", "SA", None),
        ("9" * 5000, "SA", None),
    ],
)
def test_numbers_are_read_in_the_hospitals_region(told: str, region: str | None, number: str | None) -> None:
    assert phone_e164(told, region) == number


def test_addresses_and_languages_are_kept_in_one_form_or_as_told() -> None:
    assert email("Ann@EXAMPLE.org") == "Ann@example.org"
    assert email("none") == "none"
    assert [language(each) for each in ("EN", "en-GB", "ara", "Arabic", "xxq")] == [
        "en", "en", "ar", "ar", "xxq",
    ]  # fmt: skip
