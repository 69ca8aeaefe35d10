"""What messages are received with in tests, and arrivals of every kind; each has a uuid of its own."""

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

from dhos_connector_api.intake.arrival import OPEN, Arrival, Door, Intake, arrived
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.site.model import Inbound, Site

#: As a hospital that has configured nothing.
INTAKE = Intake(
    site=Site(), zone=UTC, duplicate_policy="replay", duplicate_window=timedelta(days=7), transform=None
)
REJECTING = replace(INTAKE, duplicate_policy="reject")
#: Takes nothing but merges.
NARROW = replace(INTAKE, site=Site(inbound=Inbound(accepted={"ADT": frozenset({"A40"})})))


def an_arrival(raw: bytes, kind: Kind = Kind.HL7, *, door: Door = OPEN, **changes: Any) -> Arrival:
    """Bytes of this moment; `changes` are other fields of the arrival."""
    made = arrived(raw, kind, caller="epr", correlation_id="request-1", door=door)
    return replace(made, **changes)
