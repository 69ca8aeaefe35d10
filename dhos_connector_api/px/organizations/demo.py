"""The hospital that a newcomer finds."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from dhos_connector_api import clock
from dhos_connector_api.px.organizations.identity import folded
from dhos_connector_api.px.organizations.models import HospitalIdentifierRow, HospitalRow
from dhos_connector_api.px.organizations.search import words_of

_CODE = "DEMO"
_CALLED = (("hl7v2", "facility", "WARDS"), ("his", "id", _CODE), ("his", "name", "Demo Hospital"))


def demo_hospital(connection: Connection, id_: UUID, at: datetime) -> UUID:
    """Store the demo hospital under `id_` where there is none yet; return its id."""
    row = {"code": _CODE, "name": "Demo Hospital", "name_ar": "مستشفى تجريبي", "region": "SA"}
    words = words_of(row["code"], row["name"], row["name_ar"])
    query = insert(HospitalRow).values(id=id_, created_at=at, updated_at=at, search=words, **row)
    connection.execute(query.on_conflict_do_nothing())
    known: UUID = connection.execute(select(HospitalRow.id).where(HospitalRow.code == _CODE)).scalar_one()
    _call(connection, known, at)
    return known


def _call(connection: Connection, hospital_id: UUID, at: datetime) -> None:
    """Store what the examples of the README call it."""
    for source, kind, value in _CALLED:
        row = {"hospital_id": hospital_id, "source": source, "kind": kind, "value": value}
        query = insert(HospitalIdentifierRow).values(
            id=clock.new_uuid(at), created_at=at, folded=folded(value), **row
        )
        connection.execute(query.on_conflict_do_nothing())
