"""All that is known of one journey, and what it is folded to. Reads alone."""

from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.px.journeys import counting, evidence_store, folding, journey_store, link_store
from dhos_connector_api.px.journeys.evidence import History
from dhos_connector_api.px.journeys.folded import Folded


def history(connection: Connection, journey_id: UUID) -> tuple[Folded, History] | None:
    """Return what a journey is folded to now, and its history; None: there is no such journey any more."""
    names = link_store.also_called(connection, journey_store.names_of(connection, [journey_id]))
    few, _ = counting.bounded(evidence_store.of_names(connection, names))
    for each in folding.folded(connection, counting.placed(few)).outcomes:
        if each.folded is not None and each.encounter.key.journey_id == journey_id:
            return each.folded, each.history
    return None
