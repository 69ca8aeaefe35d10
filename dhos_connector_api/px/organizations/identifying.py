"""Name hospitals as sources call them, and take such names back. Never commits.

By these names it is decided whose the patients and events of a feed are. What came before a name was given
waits, and periodic jobs take it up; what has its hospital keeps it when a name is taken back.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, RowMapping, true

from dhos_connector_api.errors import InvalidFields, NotFound
from dhos_connector_api.px.organizations import identifier_store, store
from dhos_connector_api.px.organizations.resources import HOSPITAL

#: The field of a hospital's that changes, as the audit trail calls it.
FIELD = "identifiers"
#: The text for one that is not there.
UNKNOWN = "the hospital has no identifier with that id"
_TAKEN = "is what the source calls another hospital"
_KNOWN = "is what the source calls this hospital already"


def identify(
    connection: Connection,
    id_: UUID,
    hospital_id: UUID,
    *,
    source: str,
    kind: str,
    value: str,
    at: datetime,
    seen: ColumnElement[bool] | None = None,
) -> RowMapping:
    """Store that a source calls a hospital so, and return it. The fields fit the specification.

    Raises NotFound for a hospital that is not `seen` (None: all are), and InvalidFields for a name that is
    taken, also by the hospital itself: in any case, and whatever blanks stand between words.
    """
    store.lock_codes(connection)  # so that of two who give the same name the second sees it
    store.get(connection, HOSPITAL, hospital_id, true() if seen is None else seen)
    name = source.strip().lower()
    owner = identifier_store.owner(connection, name, kind, value)
    if owner is not None:
        raise InvalidFields({"value": [_KNOWN if owner == hospital_id else _TAKEN]})
    identifier_store.add(connection, id_, hospital_id, source=name, kind=kind, value=value.strip(), at=at)
    return identifier_store.get(connection, id_)


def take_back(connection: Connection, hospital_id: UUID, id_: UUID, seen: ColumnElement[bool]) -> None:
    """Remove one of a hospital's names for good: nothing refers to it, and it may be given to another.

    Raises NotFound for a hospital that is not `seen`, or a name it does not have.
    """
    store.get(connection, HOSPITAL, hospital_id, seen)
    if not identifier_store.remove(connection, hospital_id, id_):
        raise NotFound(UNKNOWN)
