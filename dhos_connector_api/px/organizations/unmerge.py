"""A patient who was given up by mistake is one of his own again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.errors import Conflict, NotFound
from dhos_connector_api.px.organizations import feed_store, merge_store
from dhos_connector_api.px.organizations.merges import fold


def unmerge(connection: Connection, patient: UUID, *, at: datetime, by: str) -> int:
    """Undo every merge that gave this patient up, and fold the others anew; return how many patients changed.

    His identifiers stayed with him, so reads by them find him again. The same events, sent again, merge him
    no more; a later merge does. Facts that a change of number (A47) has carried to another stay there, too.
    Raises NotFound where there is no such patient, Conflict where he is not merged.
    """
    merge_store.lock(connection)
    if not feed_store.lock(connection, [patient]):
        raise NotFound("there is no such patient")
    if not merge_store.undo(connection, patient, at=at, by=by):
        raise Conflict("the patient is not merged into anybody")
    joined, holding = merge_store.component(connection, [patient])
    feed_store.lock(connection, joined)
    return merge_store.point(connection, joined, fold(holding), at)
