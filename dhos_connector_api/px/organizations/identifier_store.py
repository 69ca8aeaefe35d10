"""The table of what sources call hospitals. Never commits.

What is compared is folded: one blank between words, no case, forms of compatibility as one (NFKC).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping, func, insert, select

from dhos_connector_api.px.organizations.identity import folded
from dhos_connector_api.px.organizations.models import HospitalIdentifierRow, HospitalRow
from dhos_connector_api.px.organizations.resources import Status

#: The source of what a HIS sends, and the kinds of its identifiers.
HIS = "his"
ID, NAME = "id", "name"
_HOSPITAL = HospitalRow.__table__
_IDENTIFIER = HospitalIdentifierRow.__table__


def owner(connection: Connection, source: str, kind: str, value: str) -> UUID | None:
    """Return the hospital that a source calls so; None: nobody."""
    query = select(_IDENTIFIER.c.hospital_id).where(
        _IDENTIFIER.c.source == source, _IDENTIFIER.c.kind == kind, _IDENTIFIER.c.folded == folded(value)
    )
    return connection.execute(query).scalar_one_or_none()


def add(
    connection: Connection,
    id_: UUID,
    hospital_id: UUID,
    *,
    source: str,
    kind: str,
    value: str,
    at: datetime,
) -> None:
    """Store that a source calls a hospital so."""
    values = {"source": source, "kind": kind, "value": value, "folded": folded(value)}
    statement = insert(_IDENTIFIER).values(id=id_, created_at=at, hospital_id=hospital_id, **values)
    connection.execute(statement)


def known(connection: Connection, source: str, limit: int) -> Sequence[RowMapping]:
    """Return code and name of the first active hospitals that a source calls something: `ids` and `names`."""
    values = _IDENTIFIER.c.value
    query = (
        select(
            _HOSPITAL.c.code,
            _HOSPITAL.c.name,
            func.array_agg(values).filter(_IDENTIFIER.c.kind == ID).label("ids"),
            func.array_agg(values).filter(_IDENTIFIER.c.kind == NAME).label("names"),
        )
        .join(_IDENTIFIER, _IDENTIFIER.c.hospital_id == _HOSPITAL.c.id)
        .where(_IDENTIFIER.c.source == source, _HOSPITAL.c.status == Status.ACTIVE)
        .group_by(_HOSPITAL.c.id)
        .order_by(_HOSPITAL.c.code)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()
