"""The words a user is found by."""

import pytest

from dhos_connector_api.px.people import words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Zoé MÜLLER", ["zoe", "muller"]),
        ("أحمد إبراهيم", ["احمد", "ابراهيم"]),
        ("فاطمة  مصطفى", ["فاطمه", "مصطفي"]),
        ("محـــمد", ["محمد"]),
        ("E-0042_x", ["e", "0042", "x"]),
        ("' & | ! :*", []),
        ("", []),
    ],
)
def test_a_word_is_found_however_it_is_written(text: str, found: list[str]) -> None:
    assert words.words((text,)) == found


def test_of_an_address_only_the_name_counts() -> None:
    assert words.of_user("jdoe", "john.doe@hospital.example.com", None, "Doe") == ["jdoe", "john", "doe"]


def test_a_search_is_for_beginnings() -> None:
    assert words.prefixes("Jo D'oe") == "'jo':* & 'd':* & 'oe':*"
    assert words.prefixes("a " * 50) == "'a':*"
    assert words.prefixes("!") == ""
