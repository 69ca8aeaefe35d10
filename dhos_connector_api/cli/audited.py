"""Write down what is done on the command line, in the transaction in which it is done."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.px.audit.store import COMMAND, Entry, record
from dhos_connector_api.px.organizations.imported import Outcome

#: What was done with a line, by its sign.
_ACTIONS = {"+": "create", "~": "change"}


def audited(
    connection: Connection,
    action: str,
    object_type: str,
    object_id: UUID | None,
    hospital_id: UUID | None = None,
    fields: Iterable[str] = (),
) -> None:
    """Store an entry of the command line. Raises ValueError where a field is not a name."""
    names = tuple(sorted(fields))
    record(connection, Entry(COMMAND, action, object_type, object_id, hospital_id, fields=names))


def audit_lines(connection: Connection, object_type: str, outcomes: Iterable[Outcome]) -> None:
    """Store an entry for each line that made or changed an object of that type."""
    for each in outcomes:
        if each.fields:
            action = _ACTIONS.get(each.sign, "change")
            audited(connection, action, object_type, each.object_id, each.hospital_id, each.fields)
