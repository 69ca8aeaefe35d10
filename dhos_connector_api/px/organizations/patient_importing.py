"""Patients as lines of files: the hospital is its code; identifiers beside the MRN are not in files."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, true

from dhos_connector_api.errors import Conflict, InvalidFields
from dhos_connector_api.px.organizations import patient_changes, patient_store, store
from dhos_connector_api.px.organizations.imported import Given, Line, Outcome
from dhos_connector_api.px.organizations.patient_given import FIELDS
from dhos_connector_api.px.organizations.resources import HOSPITAL

_PAGE = 500
_NO_HOSPITAL = "is no code of a hospital"
_NO_COLUMN = "is no column of this kind"


class Patients:
    """The kind of patients. They are known again by MRN and hospital."""

    name = "patients"
    columns = tuple(FIELDS)

    def ordered(self, lines: Sequence[Line]) -> Iterable[Line]:
        """Return the lines as they are: none refers to another."""
        return lines

    def take(self, connection: Connection, line: Line, given: Given) -> Outcome:
        """Store what a line says: a new patient, or the fields that differ."""
        key = str(line.values.get("mrn") or "").strip()
        try:
            return _taken(connection, line, key, given)
        except InvalidFields as error:
            return Outcome(line, "!", key, details={name: list(why) for name, why in error.details.items()})
        except Conflict as error:
            return Outcome(line, "!", key, details={"mrn": [str(error)]})

    def lines(self, connection: Connection, after: UUID | None) -> Sequence[tuple[UUID, Mapping[str, Any]]]:
        """Return the next patients after that id, but for merged ones, as lines with their ids."""
        rows = patient_store.after(connection, after, _PAGE)
        return [(row["id"], _shown(row) | {"primary_hospital": row["hospital_code"]}) for row in rows]


def _taken(connection: Connection, line: Line, key: str, given: Given) -> Outcome:
    body, hospital_id = _body(connection, line)
    before = patient_store.by_mrn(connection, hospital_id, key)
    if details := given.check("patient", (_shown(before) if before else {}) | body):
        raise InvalidFields(details)
    if before is None:
        done = patient_changes.create(connection, body, at=given.at)
    else:
        done = patient_changes.change(
            connection, before["id"], body, whole=False, seen=true(), version=None, at=given.at
        )
    was, now = _shown(before) if before else {}, _shown(done.row)
    differences = {name: (was.get(name), now[name]) for name in done.fields}
    sign = "+" if before is None else "~" if differences else "="
    return Outcome(
        line,
        sign,
        key,
        differences,
        object_id=done.row["id"],
        hospital_id=done.row["hospital_id"],
        fields=() if sign == "=" else tuple(done.fields),
    )


def _body(connection: Connection, line: Line) -> tuple[dict[str, Any], UUID]:
    """Return the JSON body that a line means, and its hospital."""
    unknown = {name: [_NO_COLUMN] for name in line.values if name not in FIELDS}
    if unknown:
        raise InvalidFields(unknown)
    body = {
        name: (value.strip() or None) if isinstance(value, str) else value
        for name, value in line.values.items()
    }
    code = str(body.get("primary_hospital") or "")
    hospital = store.by_key(connection, HOSPITAL, code)
    if hospital is None:
        raise InvalidFields({"primary_hospital": [_NO_HOSPITAL]})
    return body | {"primary_hospital": str(hospital["id"])}, hospital["id"]


def _shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a patient as the JSON body that would make him."""
    values = {name: row[column] for name, column in FIELDS.items()}
    for name in ("date_of_birth", "deceased_at"):
        values[name] = values[name] and values[name].isoformat()
    return values | {"primary_hospital": values["primary_hospital"] and str(values["primary_hospital"])}
