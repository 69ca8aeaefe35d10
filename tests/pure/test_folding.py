"""Names are compared without accents, case and Arabic variants of letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dhos_connector_api.px.organizations import folding


@pytest.mark.parametrize(
    "one, other",
    [
        ("Müller", "MULLER"),
        ("Łukasz Øst", "lukasz ost"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("O'Brien", "O’Brien"),
        ("O'Brien", "obrien"),
        ("Anne-Marie", "anne  marie"),
        ("Nguyễn Đức", "nguyen duc"),
        ("ﬁnance", "finance"),
        ("مُحَمَّد", "محمد"),
        ("محمـــد", "محمد"),
        ("أحمد", "احمد"),
        ("إبراهيم", "ابراهيم"),
        ("آمال", "امال"),
        ("فاطمة", "فاطمه"),
        ("مصطفى", "مصطفي"),
        ("رؤوف", "رووف"),
        ("فائز", "فايز"),
        ("کریم", "كريم"),
        ("\u200fسعاد\u200e", "سعاد"),
        ("ﻣﺤﻤﺪ", "محمد"),
        ("١٢٣", "١٢٣ "),
    ],
)
def test_variants_of_a_name_fold_to_the_same(one: str, other: str) -> None:
    assert folding.folded(one) == folding.folded(other) != ""


@pytest.mark.parametrize("one, other", [("Anna", "Anne"), ("محمد", "محمود"), ("Ali", "Al i")])
def test_different_names_stay_different(one: str, other: str) -> None:
    assert folding.folded(one) != folding.folded(other)


@given(some.text())
def test_folding_twice_changes_nothing_and_leaves_letters_and_digits(name: str) -> None:
    once = folding.folded(name)
    assert folding.folded(once) == once
    assert not set(once) & set("'\\:&|!()*<>_\t\n") and "  " not in once


def test_words_know_the_article_and_joined_codes() -> None:
    assert folding.words("مستشفى الملك", None, "ICU-3") == sorted(
        ["مستشفي", "الملك", "ملك", "icu", "3", "icu3"]
    )
    assert folding.words(None, "") == []
    assert folding.words("x" * 9000) == ["x" * folding.LONGEST_WORD]


def test_a_search_asks_for_beginnings_of_all_words() -> None:
    assert folding.beginnings("Mül ibr") == "'mul':* & 'ibr':*"
    assert folding.beginnings("icu:* | !") == "'icu':*"
    assert folding.beginnings(" -&'! ") is None
    assert len(str(folding.beginnings("a " * 50)).split("&")) == folding.MOST_WORDS
