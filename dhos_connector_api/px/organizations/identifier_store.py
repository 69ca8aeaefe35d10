"""The table of what sources call hospitals. Never commits.

What is compared is folded: one blank between words, no case, forms of compatibility as one (NFKC).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, true

from dhos_connector_api.px.organizations.identity import folded
from dhos_connector_api.px.organizations.models import HospitalIdentifierRow, HospitalRow
from dhos_connector_api.px.organizations.resources import Status

#: The source of what a HIS sends, and the kinds of identifiers: a HIS's two, and a facility (MSH-4 of HL7).
HIS = "his"
ID, NAME, FACILITY = "id", "name", "facility"
KINDS = (FACILITY, ID, NAME)
_HOSPITAL = HospitalRow.__table__
_IDENTIFIER = HospitalIdentifierRow.__table__
_SHOWN = [_IDENTIFIER.c[name] for name in ("id", "created_at", "source", "kind", "value")]


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


def listed(connection: Connection, hospital_id: UUID | None = None) -> Sequence[RowMapping]:
    """Return what sources call a hospital (None: every one), with its code, by code and source."""
    query = (
        select(*_SHOWN, _HOSPITAL.c.code)
        .join(_HOSPITAL, _HOSPITAL.c.id == _IDENTIFIER.c.hospital_id)
        .where(true() if hospital_id is None else _IDENTIFIER.c.hospital_id == hospital_id)
        .order_by(_HOSPITAL.c.code, _IDENTIFIER.c.source, _IDENTIFIER.c.kind, _IDENTIFIER.c.folded)
    )
    return connection.execute(query).mappings().all()


def get(connection: Connection, id_: UUID) -> RowMapping:
    """Return one that is there."""
    return connection.execute(select(*_SHOWN).where(_IDENTIFIER.c.id == id_)).mappings().one()


def remove(connection: Connection, hospital_id: UUID, id_: UUID) -> bool:
    """Remove one for good; False: that hospital has none with that id."""
    statement = delete(_IDENTIFIER).where(_IDENTIFIER.c.id == id_, _IDENTIFIER.c.hospital_id == hospital_id)
    return connection.execute(statement.returning(_IDENTIFIER.c.id)).first() is not None


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
