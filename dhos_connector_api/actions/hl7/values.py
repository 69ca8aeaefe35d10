"""Single values as the actions carry them: what the sender sent, or None."""

from datetime import tzinfo

from dhos_connector_api.hl7v2.datetimes import Timestamp, parse
from dhos_connector_api.hl7v2.segment import DELETE, Repetition, Segment


def clean(value: str) -> str | None:
    """Return `value` without surrounding blanks and NULs; None where nothing is left, or `""` (delete)."""
    value = value.strip()
    if "\0" in value:
        value = value.replace("\0", "").strip()
    return None if not value or value == DELETE else value


def sent(segment: Segment | None, field: int, component: int = 1) -> str | None:
    """Return one component of a field's first repetition; None for a missing segment, nothing, or `""`."""
    return None if segment is None else clean(segment.value(field, component))


def part(repetition: Repetition, component: int) -> str | None:
    """Return one component of a repetition; None for nothing or `""`."""
    return clean(repetition.value(component))


def timestamp(segment: Segment | None, field: int, zone: tzinfo) -> Timestamp | None:
    """Return a TS/DTM field, local times read in `zone`; None for nothing, `""` and what is no date."""
    text = sent(segment, field)
    return None if text is None else parse(text, zone)


def moment(segment: Segment | None, field: int, zone: tzinfo) -> str | None:
    """Return a TS/DTM field as ISO 8601 with milliseconds; a date alone is midnight in `zone`.

    None for a month or a year alone: a partial date is never filled up.
    """
    value = timestamp(segment, field, zone)
    return None if value is None else value.iso()
