"""Write down what the person who asks does, in the transaction in which he does it.

A failed authorisation (403, or 404 outside the scope) is not written down: nothing was changed or seen, the
access log has it, and whoever asks at random could fill the trail, which is never emptied.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.api.px import asking
from dhos_connector_api.http import call
from dhos_connector_api.px.audit.store import Entry, record


def audited(
    connection: Connection,
    action: str,
    object_type: str,
    object_id: UUID | None,
    hospital_id: UUID | None = None,
    fields: Iterable[str] = (),
) -> None:
    """Store an entry of the request at hand, as in `audited(connection, "look", "patient", id, hospital)`.

    `fields` are the names of what was changed. Raises ValueError when one is not a name.
    """
    person, request_id = asking.person().id, call.current().request_id
    names = tuple(sorted(fields))
    record(connection, Entry(person, action, object_type, object_id, hospital_id, request_id, names))


def audited_of_person(
    connection: Connection,
    action: str,
    object_type: str,
    object_id: UUID | None,
    fields: Iterable[str] = (),
) -> None:
    """Store an entry where a person asks for one of the Connector's own operations.

    What services and sources do there is not the trail's: the rows themselves say by whom they are.
    """
    if call.current().person is not None:
        audited(connection, action, object_type, object_id, fields=fields)
