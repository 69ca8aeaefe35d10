"""The HIS's hospitals of the site's configuration become hospitals here, with what the HIS calls them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.px.organizations import changes, identifier_store, store
from dhos_connector_api.px.organizations.changes import ActiveUsers
from dhos_connector_api.px.organizations.identifier_store import HIS, ID, NAME
from dhos_connector_api.px.organizations.identity import folded
from dhos_connector_api.px.organizations.imported import Line, Outcome
from dhos_connector_api.px.organizations.resources import HOSPITAL
from dhos_connector_api.site.model import Hospital

_TAKEN = "is what the HIS calls another hospital"


def take(
    connection: Connection,
    hospitals: Sequence[Hospital],
    *,
    users: ActiveUsers,
    new_id: Callable[[], UUID],
    at: datetime,
) -> Iterator[Outcome]:
    """Store what is not there yet, and yield what became of each hospital. What is there stays as it is."""
    store.lock_codes(connection)
    for number, each in enumerate(hospitals, 1):
        line = Line(number, {"code": each.code, "name": each.name})
        known = store.by_key(connection, HOSPITAL, each.code)
        row = known or changes.create(connection, HOSPITAL, new_id(), line.values, users=users, at=at).row
        added: list[str] = []
        taken: list[str] = []
        for kind, value in _identifiers(each):
            owner = identifier_store.owner(connection, HIS, kind, value)
            if owner is None:
                identifier_store.add(
                    connection, new_id(), row["id"], source=HIS, kind=kind, value=value, at=at
                )
                added.append(f"{kind} {value}")
            elif owner != row["id"]:
                taken.append(f"{kind} {value}")
        sign = "!" if taken else "+" if known is None else "~" if added else "="
        differences = {name: (None, name) for name in added}
        changed = (*(("code", "name") if known is None else ()), *(("identifiers",) if added else ()))
        of = {"object_id": row["id"], "hospital_id": row["id"], "fields": changed}
        yield Outcome(line, sign, each.code, differences, {name: [_TAKEN] for name in taken}, **of)


def _identifiers(hospital: Hospital) -> list[tuple[str, str]]:
    """Return what the HIS calls a hospital, each once as it is compared."""
    told = [(ID, value) for value in sorted(hospital.ids)]
    told += [(NAME, value) for value in (hospital.name, *sorted(hospital.names))]
    return list({(kind, folded(value)): (kind, value) for kind, value in told}.values())
