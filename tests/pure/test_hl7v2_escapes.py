"""Escape sequences, read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhos_connector_api.hl7v2.build import escape, header, segment
from dhos_connector_api.hl7v2.delimiters import STANDARD, Delimiters, choose, usable
from dhos_connector_api.hl7v2.escapes import unescape


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("plain", "plain"),
        ("A\\F\\B\\S\\C\\T\\D\\R\\E\\E\\F", "A|B^C&D~E\\F"),
        ("a\\.br\\b", "a\nb"),
        ("\\X41\\\\X0d0A\\", "A\r\n"),
        ("caf\\XC3A9\\", "café"),
        ("ACME\\SMITH", "ACME\\SMITH"),
        ("ACME\\SMITH\\JONES", "ACME\\SMITH\\JONES"),
        ("C:\\E\\temp", "C:\\temp"),
        ("\\\\server\\share", "\\\\server\\share"),
        ("\\Zcustom\\ \\F\\", "\\Zcustom\\ |"),
        ("\\H\\bold\\N\\", "\\H\\bold\\N\\"),
        ("\\F", "\\F"),
        ("\\", "\\"),
        ("\\\\", "\\\\"),
        ("\\X\\ \\XZZ\\ \\X4\\ \\X00\\ \\XFF\\", "\\X\\ \\XZZ\\ \\X4\\ \\X00\\ \\XFF\\"),
        ("\\P\\", "\\P\\"),
        ('""', '""'),
    ],
)
def test_unescape(sent: str, meant: str) -> None:
    assert unescape(sent, STANDARD) == meant


def test_hexadecimal_is_in_the_messages_character_set() -> None:
    assert unescape("\\XE9\\", STANDARD, "iso8859_1") == "é"
    assert unescape("\\XE9\\", STANDARD, "utf-8") == "\\XE9\\"


def test_the_fifth_character() -> None:
    marks = choose("|", "^~\\&#")
    assert unescape("\\P\\", marks) == "#"
    assert escape("#1", marks) == "\\P\\1"
    assert escape("#1") == "#1"


DELIMITERS = st.text("|^~\\&#$%*!?@§+", min_size=2, max_size=6).filter(lambda text: usable(text[0], text[1:]))


@given(st.text().filter(lambda text: "\x00" not in text), DELIMITERS)
def test_what_is_escaped_is_read_back_and_breaks_nothing(text: str, characters: str) -> None:
    marks = choose(characters[0], characters[1:]).completed()
    written = escape(text, marks)
    assert unescape(written, marks) == text
    assert not set(written) & {marks.field, marks.component, marks.repetition, marks.subcomponent, "\r", "\n"}
    assert not any(character < " " for character in written)


@given(DELIMITERS)
def test_completed_delimiters_are_usable_and_keep_what_was_given(characters: str) -> None:
    marks = choose(characters[0], characters[1:])
    completed = marks.completed()
    assert usable(completed.field, completed.encoding)
    assert completed.encoding.startswith(characters[1:5])
    assert all(getattr(completed, name) for name in ("component", "repetition", "escape", "subcomponent"))


@given(st.characters(exclude_characters="\r\n"))
def test_unusable_delimiters_give_way_to_five_different_ones(field: str) -> None:
    marks = choose(field, "")
    assert len({marks.field, *marks.encoding}) == 5


def test_segments_drop_empty_fields_at_the_end() -> None:
    assert segment("PID", "1", "", "2", "", "") == "PID|1||2"
    assert segment("PID") == "PID"
    assert header("A", "", delimiters=Delimiters("$", "%", "~", "?", "@")) == "MSH$%~?@$A"
