"""No text in an observation set adds a segment or a field, and each is read back as it was.

`python -m benchmarks.fuzz oru` does 100,000 cases of the same generator.
"""

import hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.oru_hostile import SLOTS, cases, check, skeleton

SEED = 20240318
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
#: What breaks a message most readily, in any order.
DELIMITERS = st.text("|^~\\&\r\nXEF0D.\"'\x0b\x1c\x85\u2028 a", min_size=1)


@pytest.mark.parametrize("examples", [500, pytest.param(2_000, marks=pytest.mark.slow)])
def test_any_texts_change_nothing_but_themselves(examples: int) -> None:
    @settings(max_examples=examples)
    @given(st.dictionaries(st.sampled_from(list(SLOTS)), TEXTS | DELIMITERS, min_size=1, max_size=6))
    def nothing_else_changes(hostile: dict[str, str]) -> None:
        check(dict.fromkeys(SLOTS, "harmless") | hostile)

    nothing_else_changes()


def test_hostile_texts_in_every_field_at_once_change_nothing_but_themselves() -> None:
    for number, texts in enumerate(cases(SEED, 2_000)):
        try:
            check(texts)
        except Exception as error:
            raise AssertionError(f"case {number} of seed {SEED}: {texts!r}") from error


@pytest.mark.parametrize(
    "piece", ["\r", "\n", "|", "\rOBX|99|ST|EVIL||x", "\\X0D\\OBX", "\x1c\r", "\u2028", "&^~|"]
)
@pytest.mark.parametrize("slot", SLOTS)
def test_each_field_by_itself_takes_what_breaks_messages(slot: str, piece: str) -> None:
    for text in (piece, f"a{piece}", f"{piece}a", f"a{piece}b"):
        check(dict.fromkeys(SLOTS, "harmless") | {slot: text})


def test_python_hl7_sees_the_same_segments_and_fields() -> None:
    for texts in cases(SEED, 200):
        message = check(texts)
        other = hl7.parse(message.text)
        assert [str(segment[0]) for segment in other] == [segment.name for segment in message.segments()]
        for ours, theirs in zip(message.segments(), other, strict=True):
            fields = [str(theirs[number]) for number in range(1, len(theirs))]
            raw = [ours.raw(number) for number in range(1, len(theirs))]
            if ours is message.segments()[-1]:
                raw[-1] = raw[-1].rstrip()  # it strips what it is given
            assert fields == raw


def test_python_hl7_reads_the_same_texts_where_it_knows_the_escapes() -> None:
    """It knows delimiters and ASCII; what it does to other escapes is left out."""
    texts = dict.fromkeys(SLOTS, "harmless") | {
        "last_name": "|^~\\&",
        "sending_application": "A|B\\C",
        "severity": "\rOBX|1~\\.br\\",
        "acvpu": "a\nb&c",
        "HR unit": "\x1b[2J",
    }
    other = hl7.parse(check(texts).text)
    by_code = {str(segment[3]): segment for segment in other.segments("OBX")}
    for slot, raw in (
        ("last_name", other.segment("PID")[5][0][0]),
        ("sending_application", other.segment("MSH")[3]),
        ("severity", by_code["Severity"][5]),
        ("acvpu", by_code["ACVPU"][5][0][1]),
        ("HR unit", by_code["HR"][6][0][1]),
    ):
        assert other.unescape(str(raw)) == texts[slot]


def test_the_same_seed_gives_the_same_cases() -> None:
    assert list(cases(1, 50)) == list(cases(1, 50))
    assert list(cases(1, 50)) != list(cases(2, 50))


def test_the_skeleton_shows_every_delimiter_and_nothing_else() -> None:
    assert skeleton("MSH|^~\\&|A\rPID|1||x^y&z~w") == "|^~&|\r|||^&~"
