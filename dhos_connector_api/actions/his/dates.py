"""The dates of the HIS: `05-Jun-2025 11:06` in the hospital's zone, and births as `1985-06-05` (pure)."""

import re
from datetime import UTC, date, datetime, tzinfo

from dhos_connector_api.actions.his.calendar_days import why_no_date
from dhos_connector_api.hl7v2.births import possible
from dhos_connector_api.hl7v2.datetimes import Precision, Timestamp, is_filler, parse

#: English names whatever the machine's locale, so not strptime's.
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
#: What PostgreSQL and every consumer can hold in any zone, and what a living patient's stay can lie in.
FIRST_YEAR, LAST_YEAR = 1900, 2199
EXPECTED = "must look like 05-Jun-2025 11:06"
EXPECTED_BIRTH = "must look like 1985-06-05"
NO_BIRTH = "must lie between 1850 and tomorrow"

_MOMENT = re.compile(
    r"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4}) +([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]{1,7})?)?"
)
_DAY = re.compile(r"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})(?: .*)?")
_HL7 = re.compile(r"[0-9]{9}")
_BIRTH = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]00:00(?::00(?:\.0{1,7})?)?Z?)?")


def read_moment(text: str) -> str:
    """Return the local time as 14 digits, `20250605110600`: the same for every spelling of a moment.

    Fractions of a second are dropped. Raises ValueError for what no calendar has.
    """
    found = _MOMENT.fullmatch(text.strip())
    if found is None or found[2].upper() not in MONTHS:
        raise ValueError(EXPECTED)
    month = MONTHS.index(found[2].upper()) + 1
    try:
        local = datetime(  # noqa: DTZ001  the zone comes with the hospital
            int(found[3]), month, int(found[1]), int(found[4]), int(found[5]), int(found[6] or 0)
        )
    except ValueError:
        raise ValueError(why_no_date(text, EXPECTED)) from None
    if not FIRST_YEAR <= local.year <= LAST_YEAR:
        raise ValueError(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return local.strftime("%Y%m%d%H%M%S")


def read_discharge(text: str) -> str | None:
    """Return a discharge as `read_moment` does; None for a day that stands for none (`01-Jan-1900`)."""
    day = day_of(text)
    return None if day is not None and is_filler(day) else read_moment(text)


def day_of(text: str) -> date | None:
    """Return the day of a date, or of a date and time, as the HIS, HL7 or ISO 8601 writes it; else None."""
    text = text.strip()
    if stamp := parse(text, UTC):
        return stamp.value.date() if stamp.precision >= Precision.DAY else None
    found = _DAY.fullmatch(text)
    if found is None or found[2].upper() not in MONTHS:
        return None
    try:
        return date(int(found[3]), MONTHS.index(found[2].upper()) + 1, int(found[1]))
    except ValueError:
        return None


def read_instant(text: str, zone: tzinfo | None) -> datetime:
    """Return a moment as ISO 8601 or HL7 writes it; without an offset it is in `zone`.

    Raises ValueError or OverflowError for what is no moment, and without a zone for what has no offset.
    """
    stamp = parse(text, zone or UTC)
    if stamp is not None and stamp.precision >= Precision.DAY:
        found = stamp.value if zone or stamp.has_offset else None
    elif _HL7.match(text):  # Python would take 20260301101500+0100 for 01:50
        found = None
    else:
        at = datetime.fromisoformat(text)
        found = at.replace(tzinfo=at.tzinfo or zone) if at.tzinfo or zone else None
    if found is None:
        raise ValueError("no moment, or none with an offset")
    return found


def in_zone(digits: str, zone: tzinfo) -> Timestamp:
    """Return the moment `read_moment` gave, in the hospital's zone; skipped and repeated times as in HL7."""
    found = parse(digits, zone)
    if found is None:
        raise ValueError(EXPECTED)
    return found


def read_birth(text: str, today: date | None = None) -> str:
    """Return a birth as `1985-06-05`; a midnight may follow it.

    Raises ValueError for no date, and for one that no patient can have (`births.possible`).
    """
    found = _BIRTH.fullmatch(text.strip())
    try:
        born = date.fromisoformat(found[1] if found else "")
    except ValueError:
        raise ValueError(why_no_date(text, EXPECTED_BIRTH)) from None
    if not possible(born, today):
        raise ValueError(NO_BIRTH)
    return born.isoformat()


def written(moment: datetime) -> str:
    """Return a moment as the HIS writes it, in the zone it carries: `05-Jun-2025 11:06`."""
    month = MONTHS[moment.month - 1].capitalize()
    return f"{moment.day:02}-{month}-{moment.year} {moment.hour:02}:{moment.minute:02}"
