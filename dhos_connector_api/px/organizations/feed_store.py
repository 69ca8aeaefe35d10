"""What the feed reads and writes of patients, many at once. Nothing here commits.

Rows are inserted and locked in the order of their ids: transactions that work on the same patients wait for
one another instead of deadlocking.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.px.organizations.fold import GROUPS, Known, Stamp
from dhos_connector_api.px.organizations.folding import words
from dhos_connector_api.px.organizations.identity import Identifier, Who
from dhos_connector_api.px.organizations.patient_terms import NAMES

_COLUMNS = tuple(column for own in GROUPS.values() for column in own)
#: What people alone tell, and what is found with the feed's.
_ALSO_READ = ("first_name_ar", "last_name_ar")
_NAMES = ", ".join((*_COLUMNS, *_ALSO_READ))
_TYPES = {"date_of_birth": "date", "is_deceased": "boolean", "deceased_at": "timestamptz"}
_RECORD = ", ".join(f"{column} {_TYPES.get(column, 'text')}" for column in _COLUMNS)
_ADD = text(
    "INSERT INTO patient (id, created_at, updated_at, namespace, facility, mrn, hospital_id)"
    " SELECT id, :at, :at, namespace, facility, mrn, hospital_id FROM unnest(CAST(:ids AS uuid[]),"
    " CAST(:namespaces AS text[]), CAST(:facilities AS text[]), CAST(:mrns AS text[]),"
    " CAST(:hospitals AS uuid[])) AS given (id, namespace, facility, mrn, hospital_id)"
    " ORDER BY id ON CONFLICT (id) DO NOTHING"
)
_LOCK = text(
    f"SELECT id, facts_at, {_NAMES} FROM patient"  # noqa: S608  constants only
    " WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE"
)
_SAVE = text(
    "UPDATE patient SET updated_at = :at, version = version + 1, facts_at = new.facts_at,"  # noqa: S608
    f" {', '.join(f'{each} = new.{each}' for each in _COLUMNS)},"
    " search = array_to_tsvector(new.words)"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb))"
    f" AS new (id uuid, facts_at jsonb, words text[], {_RECORD})"
    " WHERE patient.id = new.id"
)
_IDENTIFIERS = text(
    "INSERT INTO patient_identifier (patient_id, authority, type, value, created_at)"
    " SELECT patient_id, authority, type, value, :at FROM unnest(CAST(:ids AS uuid[]),"
    " CAST(:authorities AS text[]), CAST(:types AS text[]), CAST(:numbers AS text[]))"
    " AS given (patient_id, authority, type, value) ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING"
)
# What a source calls it, by whichever kind of name; else the hospital's own code.
_HOSPITALS = text("""
SELECT DISTINCT ON (source, facility) source, facility, hospital_id, hospital.region
FROM (
    SELECT given.source, given.facility, named.hospital_id,
        CASE named.kind WHEN 'facility' THEN 1 WHEN 'id' THEN 2 ELSE 3 END AS rank
    FROM unnest(CAST(:sources AS text[]), CAST(:facilities AS text[])) AS given (source, facility)
    JOIN hospital_identifier AS named ON named.source = given.source AND named.folded = given.facility
    UNION ALL
    SELECT given.source, given.facility, coded.id, 4
    FROM unnest(CAST(:sources AS text[]), CAST(:facilities AS text[])) AS given (source, facility)
    JOIN hospital AS coded ON lower(coded.code) = given.facility
) AS found
JOIN hospital ON hospital.id = hospital_id
ORDER BY source, facility, rank, hospital_id
""")
_PLACE = text("""
WITH homeless AS (
    SELECT id, facility FROM patient WHERE hospital_id IS NULL AND facility = ANY(ARRAY(
        SELECT folded FROM hospital_identifier UNION SELECT lower(code) FROM hospital))
    ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
), home AS (
    SELECT DISTINCT ON (homeless.id) homeless.id, named.hospital_id FROM homeless JOIN (
        SELECT folded, hospital_id, CASE kind WHEN 'facility' THEN 1 WHEN 'id' THEN 2 ELSE 3 END AS rank
        FROM hospital_identifier UNION ALL SELECT lower(code), id, 4 FROM hospital
    ) AS named ON named.folded = homeless.facility
    ORDER BY homeless.id, rank, hospital_id
)
UPDATE patient SET hospital_id = home.hospital_id, updated_at = :at, version = patient.version + 1
FROM home JOIN hospital ON hospital.id = home.hospital_id
WHERE patient.id = home.id
RETURNING patient.id, CASE WHEN phone_e164 IS NULL THEN patient.phone END, hospital.region
""")
_SET_PHONES = text(
    "UPDATE patient SET phone_e164 = given.number FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS text[]))"
    " AS given (id, number) WHERE patient.id = given.id"
)

#: The same order as that of UUIDs, which are slow to compare.
_BY_NUMBER = attrgetter("int")

#: A hospital's id, and whose telephone numbers are meant there.
Home = tuple[UUID, str | None]


def _place_of(entry: tuple[UUID, Any]) -> int:
    return entry[0].int


def hospitals(connection: Connection, given: Collection[tuple[str, str]]) -> dict[tuple[str, str], Home]:
    """Return the hospitals that sources (lower case) mean by facilities (folded), as far as known."""
    asked = sorted(each for each in given if each[1])
    if not asked:
        return {}
    values = {"sources": [each for each, _ in asked], "facilities": [each for _, each in asked]}
    return {
        (row.source, row.facility): (row.hospital_id, row.region)
        for row in connection.execute(_HOSPITALS, values)
    }


def add(connection: Connection, patients: Mapping[UUID, tuple[Who, UUID | None]], at: datetime) -> None:
    """Add those of these patients who are not there yet, each with his hospital, where that is known."""
    rows = sorted(patients.items(), key=_place_of)
    values = {
        "at": at,
        "ids": [id_ for id_, _ in rows],
        "namespaces": [who.namespace for _, (who, _) in rows],
        "facilities": [who.facility for _, (who, _) in rows],
        "mrns": [who.mrn for _, (who, _) in rows],
        "hospitals": [hospital for _, (_, hospital) in rows],
    }
    connection.execute(_ADD, values)


def lock(connection: Connection, patients: Collection[UUID]) -> dict[UUID, Known]:
    """Lock these patients, and return what is known of each."""
    found = connection.execute(_LOCK, {"ids": sorted(patients, key=_BY_NUMBER)}).mappings()
    return {row["id"]: _known(row) for row in found}


def _known(row: RowMapping) -> Known:
    stamps = {group: Stamp(*stamp) for group, stamp in row["facts_at"].items()}
    return Known({column: row[column] for column in (*_COLUMNS, *_ALSO_READ)}, stamps)


def save(connection: Connection, patients: Mapping[UUID, Known], at: datetime) -> None:
    """Store what is known now of those of these patients of whom anything changed. They are locked."""
    rows = [
        {"id": str(id_), "facts_at": known.stamps, "words": _words(known), **known.columns}
        for id_, known in sorted(patients.items(), key=_place_of)
        if known.changed
    ]
    if rows:
        connection.execute(_SAVE, {"at": at, "rows": json.dumps(rows, default=_text)})


def _words(known: Known) -> list[str]:
    return words(*(known.columns.get(column) for column in NAMES))


def _text(value: Any) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def add_identifiers(connection: Connection, given: Iterable[tuple[UUID, Identifier]], at: datetime) -> None:
    """Add those of these identifiers that are not known of their patients."""
    rows = sorted(set(given), key=lambda row: (row[0].int, row[1]))
    values = {
        "at": at,
        "ids": [patient for patient, _ in rows],
        "authorities": [each.authority for _, each in rows],
        "types": [each.type for _, each in rows],
        "numbers": [each.value for _, each in rows],
    }
    connection.execute(_IDENTIFIERS, values)


def place(connection: Connection, at: datetime, limit: int) -> list[tuple[UUID, str | None, str | None]]:
    """Give up to `limit` patients without a hospital theirs, where their facility's is known by now.

    Returns each with his telephone number as told, and the hospital's region.
    """
    return [tuple(row) for row in connection.execute(_PLACE, {"at": at, "limit": limit})]


def set_phones(connection: Connection, numbers: Mapping[UUID, str]) -> None:
    """Store these telephone numbers (E.164)."""
    values = {"ids": list(numbers), "numbers": list(numbers.values())}
    connection.execute(_SET_PHONES, values)
