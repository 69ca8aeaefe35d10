"""Single values as the actions carry them: what the sender sent, or None."""

from collections.abc import Sequence
from datetime import tzinfo

from dhos_connector_api.actions.readable import readable
from dhos_connector_api.hl7v2.datetimes import Timestamp, is_filler, parse
from dhos_connector_api.hl7v2.segment import DELETE, Repetition, Segment


def clean(value: str) -> str | None:
    """Return `value` without surrounding blanks and NULs; None where nothing is left, or `""` (delete)."""
    value = value.strip()
    if "\0" in value:
        value = value.replace("\0", "").strip()
    return None if not value or value == DELETE else value


def sent(segment: Segment | None, field: int, component: int = 1) -> str | None:
    """Return one component of a field's first repetition, as it can be read (`readable`).

    None for a missing segment, nothing, or `""`.
    """
    return None if segment is None else _shown(segment.value(field, component))


def part(repetition: Repetition | None, component: int) -> str | None:
    """Return one component of a repetition, as it can be read; None for nothing or `""`."""
    return None if repetition is None else _shown(repetition.value(component))


def _shown(value: str) -> str | None:
    if value.isalnum():  # the most frequent kind: nothing in it to take away
        return value
    if not value:
        return None
    found = clean(value)
    return found if found is None else readable(found) or None


def name_in(segment: Segment | None, field: int, *, typed: int, parts: Sequence[int]) -> Repetition | None:
    """Return the name to call a person by (XPN, XCN): the first repetition typed L, legal, else the first.

    `typed` is the component of the type (table 0200), `parts` are those of which a repetition has one.
    """
    repetitions = [] if segment is None else segment.repeated(field)
    there = [each for each in repetitions if any(part(each, component) for component in parts)]
    if len(there) <= 1:
        return there[0] if there else None
    legal = (each for each in there if (part(each, typed) or "").upper() == "L")
    return next(legal, there[0])


def timestamp(segment: Segment | None, field: int, zone: tzinfo) -> Timestamp | None:
    """Return a TS/DTM field, local times read in `zone`; None for nothing, `""` and what is no date."""
    text = sent(segment, field)
    return None if text is None else parse(text, zone)


def moment(segment: Segment | None, field: int, zone: tzinfo) -> str | None:
    """Return a TS/DTM field as ISO 8601 with milliseconds; a date alone is midnight in `zone`.

    None for a month or a year alone: a partial date is never filled up; and for a filler.
    """
    value = timestamp(segment, field, zone)
    return None if value is None or is_filler(value.value.date()) else value.iso()
