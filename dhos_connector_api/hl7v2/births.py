"""Dates of birth (PID-7; HL7 v2 chapter 3): which of them a patient can have."""

from datetime import UTC, date, timedelta

from dhos_connector_api.hl7v2.datetimes import Timestamp, parse
from dhos_connector_api.hl7v2.segment import DELETE, Segment

#: Nobody who was born before is a patient: such a year is of another calendar (1405 AH), or a filler.
FIRST_BIRTH = date(1850, 1, 1)
_A_DAY = timedelta(days=1)  # it is tomorrow somewhere
_FIELD = 7  # of PID


def possible(born: date, today: date | None) -> bool:
    """Return whether a patient can be born on that day: from 1850 to the day after `today`; None: to any."""
    return born >= FIRST_BIRTH and (today is None or born - _A_DAY <= today)


def birth_of(pid: Segment, today: date | None) -> Timestamp | None:
    """Return PID-7 as it was written; None for nothing, `""`, and what is no date or no possible one."""
    stamp = parse(pid.value(_FIELD), UTC)
    return stamp if stamp is not None and possible(stamp.value.date(), today) else None


def is_bad(pid: Segment, today: date | None) -> bool:
    """Return whether PID-7 holds something that is no date of birth."""
    return pid.value(_FIELD).strip() not in {"", DELETE} and birth_of(pid, today) is None
