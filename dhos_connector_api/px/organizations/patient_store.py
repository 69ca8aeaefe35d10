"""What people read and write of patients, one at a time. Never commits.

`seen` is the condition on `patient.hospital_id` under which somebody sees a patient (`people.scope`). The
list and the search are in `patient_search`, the feed's many at once in `feed_store`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    cast,
    delete,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from dhos_connector_api.px.organizations import patient_search
from dhos_connector_api.px.organizations.identity import Identifier
from dhos_connector_api.px.organizations.models import (
    HospitalIdentifierRow,
    HospitalRow,
    PatientIdentifierRow,
    PatientRow,
)
from dhos_connector_api.px.organizations.store import Row

_PATIENT = PatientRow.__table__
_ASKED = _PATIENT.alias("asked")
_HOSPITAL = HospitalRow.__table__
_NAMED = HospitalIdentifierRow.__table__
_IDENTIFIER = PatientIdentifierRow.__table__
#: Column of the hospital, for the scope.
HOSPITAL_ID = _PATIENT.c.hospital_id
#: Kinds of what a hospital is called, the first of them first.
_KINDS = ("facility", "id", "name")


def get(connection: Connection, id_: UUID, seen: ColumnElement[bool]) -> Row | None:
    """Return the patient with that id, merged or not; None where he is not there, or not seen."""
    query = select(*_PATIENT.c, _HOSPITAL.c.name.label("hospital_name"))
    query = query.outerjoin_from(_PATIENT, _HOSPITAL, _HOSPITAL.c.id == HOSPITAL_ID)
    return connection.execute(query.where(_PATIENT.c.id == id_, seen)).mappings().one_or_none()


def survivor(connection: Connection, id_: UUID, seen: ColumnElement[bool]) -> Row | None:
    """Return the patient with that id, or the one he is merged into; None where he is not there or seen."""
    query = (
        select(*_PATIENT.c, _HOSPITAL.c.name.label("hospital_name"))
        .select_from(
            _ASKED.join(
                _PATIENT, _PATIENT.c.id == func.coalesce(_ASKED.c.merged_into, _ASKED.c.id)
            ).outerjoin(_HOSPITAL, _HOSPITAL.c.id == HOSPITAL_ID)
        )
        .where(_ASKED.c.id == id_, seen)
    )
    return connection.execute(query).mappings().one_or_none()


def lock(connection: Connection, id_: UUID) -> Row:
    """Return that patient, who stays as he is until the transaction ends."""
    query = select(_PATIENT).where(_PATIENT.c.id == id_).with_for_update()
    return connection.execute(query).mappings().one()


def add(
    connection: Connection, id_: UUID, columns: Mapping[str, Any], stamps: Mapping[str, Any], *, at: datetime
) -> bool:
    """Store a new patient; False where there is one with that id."""
    values = {**columns, **patient_search.search_values(columns), "facts_at": dict(stamps)}
    statement = upsert(_PATIENT).values(id=id_, created_at=at, updated_at=at, **values)
    statement = statement.on_conflict_do_nothing(index_elements=[_PATIENT.c.id])
    return connection.execute(statement.returning(_PATIENT.c.id)).first() is not None


def change(
    connection: Connection,
    id_: UUID,
    columns: Mapping[str, Any],
    stamps: Mapping[str, Any],
    *,
    version: int | None,
    at: datetime,
) -> bool:
    """Set these columns, and when they were told; False where he is not in that version (None: any)."""
    fits = true() if version is None else _PATIENT.c.version == version
    facts = _PATIENT.c.facts_at.op("||")(cast(dict(stamps), JSONB))
    values = {**columns, **patient_search.search_values(columns)}
    statement = (
        update(_PATIENT)
        .where(and_(_PATIENT.c.id == id_, fits))
        .values(updated_at=at, version=_PATIENT.c.version + 1, facts_at=facts, **values)
        .returning(_PATIENT.c.id)
    )
    return connection.execute(statement).first() is not None


def facility_of(connection: Connection, hospital_id: UUID) -> str | None:
    """Return what the feed calls a hospital (folded): the facility, else the first id or name; or None."""
    rank = func.array_position(cast(list(_KINDS), ARRAY(Text)), _NAMED.c.kind)
    query = select(_NAMED.c.folded).where(_NAMED.c.hospital_id == hospital_id).order_by(rank, _NAMED.c.folded)
    found: str | None = connection.execute(query.limit(1)).scalar_one_or_none()
    return found


def has_mrn(connection: Connection, hospital_id: UUID, mrn: str, but: UUID) -> bool:
    """Return whether another patient of the hospital has that number, merged or not."""
    query = select(_PATIENT.c.id).where(
        _PATIENT.c.hospital_id == hospital_id, _PATIENT.c.mrn == mrn, _PATIENT.c.id != but
    )
    return connection.execute(query.limit(1)).first() is not None


def by_mrn(connection: Connection, hospital_id: UUID, mrn: str) -> Row | None:
    """Return the patient of the hospital with that number, the first one made; None: there is none."""
    query = select(_PATIENT).where(_PATIENT.c.hospital_id == hospital_id, _PATIENT.c.mrn == mrn)
    query = query.order_by(_PATIENT.c.merged_into.is_not(None), _PATIENT.c.created_at, _PATIENT.c.id)
    return connection.execute(query.limit(1)).mappings().one_or_none()


def after(connection: Connection, id_: UUID | None, limit: int) -> Sequence[Row]:
    """Return the next patients who are not merged, by their ids, after that one (None: the first)."""
    query = select(*_PATIENT.c, _HOSPITAL.c.code.label("hospital_code"))
    query = query.outerjoin_from(_PATIENT, _HOSPITAL, _HOSPITAL.c.id == HOSPITAL_ID)
    query = query.where(_PATIENT.c.merged_into.is_(None), true() if id_ is None else _PATIENT.c.id > id_)
    return connection.execute(query.order_by(_PATIENT.c.id).limit(limit)).mappings().all()


def lock_identifiers(connection: Connection, given: Collection[Identifier]) -> None:
    """Wait for whoever gives somebody one of these identifiers, and keep others from it."""
    for each in sorted(given):
        text = "\x1f".join(("patient_identifier", each.authority, each.type, each.value))
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(text, 0))))


def are_taken(connection: Connection, given: Collection[Identifier], but: UUID) -> bool:
    """Return whether another patient, who is not merged into that one or anybody, has one of these."""
    query = (
        select(_IDENTIFIER.c.authority, _IDENTIFIER.c.type, _IDENTIFIER.c.value)
        .join(_PATIENT, _PATIENT.c.id == _IDENTIFIER.c.patient_id)
        .where(
            _IDENTIFIER.c.value.in_({each.value for each in given}),
            _PATIENT.c.id != but,
            _PATIENT.c.merged_into.is_(None),
        )
    )
    return any(Identifier(*row) in given for row in connection.execute(query))


def identifiers(connection: Connection, ids: Collection[UUID]) -> dict[UUID, list[Identifier]]:
    """Return the identifiers of these patients, of each in their order."""
    columns = (_IDENTIFIER.c.authority, _IDENTIFIER.c.type, _IDENTIFIER.c.value)
    query = select(_IDENTIFIER.c.patient_id, *columns).where(_IDENTIFIER.c.patient_id.in_(ids))
    found: dict[UUID, list[Identifier]] = {each: [] for each in ids}
    for row in connection.execute(query.order_by(*columns)):
        found[row.patient_id].append(Identifier(row.authority, row.type, row.value))
    return found


def add_identifiers(connection: Connection, id_: UUID, given: Iterable[Identifier], *, at: datetime) -> None:
    """Store that these are his."""
    rows = [
        {"patient_id": id_, "authority": each.authority, "type": each.type, "value": each.value}
        for each in given
    ]
    if rows:
        connection.execute(insert(_IDENTIFIER), [row | {"created_at": at} for row in rows])


def remove_identifiers(connection: Connection, id_: UUID, given: Iterable[Identifier]) -> None:
    """Store that these are not his."""
    for each in given:
        connection.execute(
            delete(_IDENTIFIER).where(
                _IDENTIFIER.c.patient_id == id_,
                _IDENTIFIER.c.authority == each.authority,
                _IDENTIFIER.c.type == each.type,
                _IDENTIFIER.c.value == each.value,
            )
        )
