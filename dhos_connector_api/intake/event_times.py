"""When an integration event happened, as its payload says it (pure)."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from dhos_connector_api.actions.his.calendar_days import why_no_date
from dhos_connector_api.actions.his.dates import read_instant
from dhos_connector_api.errors import BadInput

INVALID = "Invalid event data"


def occurred_at(payload: Mapping[str, Any], zone: tzinfo) -> datetime | None:
    """Return `timestamp`, else `visit_date` with `visit_time`, in UTC; None where neither is given.

    What has no offset is read in `zone`. Raises BadInput for what is no date or time.
    """
    if given := _text(payload.get("timestamp")):
        return _aware("timestamp", given, zone)
    if day := _text(payload.get("visit_date")):
        visit_time = _text(payload.get("visit_time"))
        return _aware("visit_date", f"{_iso(date, 'visit_date', day)}T{_clock_time(visit_time)}", zone)
    return None


def _text(value: str | None) -> str | None:
    return (value or "").strip() or None


def _clock_time(text: str | None) -> str:
    return "00:00" if text is None else str(_iso(time, "visit_time", text))


def _aware(name: str, text: str, zone: tzinfo) -> datetime:
    """In UTC: Python knows offsets that PostgreSQL does not."""
    try:
        return read_instant(text, zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _no_time(name, text) from None


def _iso(kind: Any, name: str, text: str) -> Any:
    try:
        return kind.fromisoformat(text)
    except (ValueError, OverflowError):
        raise _no_time(name, text) from None


def _no_time(name: str, text: str) -> BadInput:
    why = why_no_date(text, "must be a date or time as ISO 8601 writes it")
    return BadInput(INVALID, {f"payload_json.{name}": [why]})
