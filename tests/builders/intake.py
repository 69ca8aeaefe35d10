"""How a site takes messages in: the terms that tests of intake use."""

from dataclasses import replace
from datetime import UTC, timedelta

from dhos_connector_api.intake.receive_hl7 import Intake
from dhos_connector_api.site.model import Inbound, Site

#: A site without anything of its own.
INTAKE = Intake(
    site=Site(), zone=UTC, duplicate_policy="replay", duplicate_window=timedelta(days=7), transform=None
)
#: One that rejects what was sent before.
REJECTING = replace(INTAKE, duplicate_policy="reject")
#: One that accepts a single trigger.
NARROW = replace(INTAKE, site=Site(inbound=Inbound(accepted={"ADT": frozenset({"A40"})})))
