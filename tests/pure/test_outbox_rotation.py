"""Whose turn it is, and how much goes into one batch."""

from dhos_connector_api.outbox.rotation import Rotation, reached
from dhos_connector_api.outbox.rows import START
from dhos_connector_api.outbox.window import BYTES, ROWS, Window

A, B, C = ("A", "key"), ("B", "key"), ("C", "key")


def test_new_rows_and_the_walk_take_turns_and_the_first_place_changes() -> None:
    rotation = Rotation()
    assert rotation.choose(["f", "g", "h"], ["A", "B", "f"], most=5) == ["A", "f", "B", "g", "h"]
    assert rotation.choose(["f", "g", "h"], ["A", "B"], most=3) == ["f", "A", "g"]
    assert rotation.choose([], ["A", "B"], most=1) == ["A"]
    assert rotation.choose(["f"], [], most=9) == ["f"]


def test_the_walk_goes_on_behind_those_that_had_their_turn() -> None:
    rotation = Rotation()
    rotation.move([A, B, C], skipped=set(), reached={"A", "B"}, ended=False)
    assert rotation.after == B
    rotation.move([C], skipped=set(), reached={"C"}, ended=True)
    assert rotation.after == START


def test_the_walk_waits_for_who_had_no_turn() -> None:
    rotation = Rotation()
    rotation.move([A, B], skipped=set(), reached={"f"}, ended=True)
    assert rotation.after == START
    rotation.move([A, B, C], skipped=set(), reached={"A"}, ended=True)
    assert rotation.after == A


def test_the_walk_passes_by_what_is_held() -> None:
    rotation = Rotation()
    rotation.move([A, B, C], skipped={A, B}, reached=set(), ended=False)
    assert rotation.after == B


def test_who_has_nothing_to_give_before_the_last_that_gave_has_had_a_turn() -> None:
    assert reached(["A", "B", "C"], {"B"}, cut=True) == {"A", "B"}
    assert reached(["A", "B", "C"], {"B"}, cut=False) == {"A", "B", "C"}


def test_a_batch_is_halved_when_it_took_too_long_and_grows_again() -> None:
    window = Window()
    window.halve()
    assert (window.rows, window.bytes) == (ROWS // 2, BYTES // 2)
    for _ in range(20):
        window.halve()
    assert window.rows == 1
    assert window.bytes > 0
    for _ in range(20):
        window.grow()
    assert (window.rows, window.bytes) == (ROWS, BYTES)


def test_after_a_refusal_a_batch_begins_with_few_rows() -> None:
    window = Window()
    window.begin_again()
    assert window.rows == 2
    window.grow()
    assert (window.rows, window.bytes) == (4, BYTES)
