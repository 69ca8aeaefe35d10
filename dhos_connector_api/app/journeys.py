"""The wing's journeys put together: the site's rules for its sources, and the messages that are processed."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.app import incoming
from dhos_connector_api.config.load import Settings
from dhos_connector_api.messages import store as messages
from dhos_connector_api.px.journeys.on_event import OnEvent
from dhos_connector_api.px.journeys.told import Rules
from dhos_connector_api.site.model import Site

#: As who the wing marks messages as processed.
_BY = "dhos-connector-px"


def effect(settings: Settings) -> OnEvent:
    """Return what the consumer of journeys does with envelopes."""
    site = incoming.site(settings)
    return OnEvent(rules=lambda: rules_of(site()), processed=processed)


def rules_of(site: Site) -> Rules:
    """Return what a site says of encounters."""
    given = site.journeys
    return Rules(given.encounter_types, given.source_types, given.namespaces)


def processed(connection: Connection, uuids: Collection[UUID], at: datetime) -> None:
    """Note that nothing of these messages waits any more."""
    messages.mark_all_processed(connection, uuids, by=_BY, at=at)
