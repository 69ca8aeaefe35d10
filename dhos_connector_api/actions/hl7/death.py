"""Whether a patient has died, and when (PID-29 and PID-30; HL7 v2 chapter 3)."""

from datetime import UTC
from typing import NamedTuple

from dhos_connector_api.actions.hl7.values import sent, timestamp
from dhos_connector_api.hl7v2.datetimes import Timestamp, is_filler
from dhos_connector_api.hl7v2.segment import Segment

_DATE_OF_DEATH, _IS_DEAD = 29, 30  # fields of PID
#: PID-30 (table 0136), and the words some senders write for its codes.
IS_DEAD = {"Y": True, "YES": True, "N": False, "NO": False}


class Death(NamedTuple):
    """When the patient died, as it was written, and whether; None where nothing was sent."""

    on: Timestamp | None
    is_dead: bool | None


def read_death(pid: Segment) -> Death:
    """Return what PID-29 and PID-30 say: a date of any precision is a death, and so is a yes.

    Zeros and other fillers in PID-29 are none.
    """
    on = timestamp(pid, _DATE_OF_DEATH, UTC)
    if on is not None and not is_filler(on.value.date()):
        return Death(on, True)
    return Death(None, IS_DEAD.get((sent(pid, _IS_DEAD) or "").upper()))
