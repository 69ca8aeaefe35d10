"""Departments and physicians as events call them: by the codes of wards, by licences."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

# A department's own code before a ward's, which is compared in any case as well.
_DEPARTMENTS = text("""
SELECT DISTINCT ON (hospital, asked.code) hospital, asked.code, department.id
FROM unnest(CAST(:hospitals AS uuid[]), CAST(:codes AS text[])) AS asked (hospital, code)
JOIN department ON department.hospital_id = hospital
    AND (lower(department.code) = lower(asked.code) OR department.ward_codes && ARRAY[asked.code])
ORDER BY hospital, asked.code, lower(department.code) = lower(asked.code) DESC, department.id
""")
_PHYSICIANS = text("""
SELECT hospital, licence, physician.id
FROM unnest(CAST(:hospitals AS uuid[]), CAST(:codes AS text[])) AS asked (hospital, licence)
JOIN physician ON physician.hospital_id = hospital AND physician.license_number = licence
""")
_FACILITIES = text(
    "SELECT source, folded FROM hospital_identifier UNION SELECT NULL, lower(code) FROM hospital"
)
_ONLY = text("SELECT id FROM hospital WHERE status = 'active' LIMIT 2")

#: A hospital, and what is called so there.
Called = tuple[UUID, str]


def departments(connection: Connection, given: Collection[Called]) -> dict[Called, UUID]:
    """Return the departments that these codes, of departments or wards, mean; unknown ones are left out."""
    return _found(connection, _DEPARTMENTS, given)


def physicians(connection: Connection, given: Collection[Called]) -> dict[Called, UUID]:
    """Return the physicians with these licences; unknown ones are left out."""
    return _found(connection, _PHYSICIANS, given)


def facilities(connection: Connection) -> list[tuple[str | None, str]]:
    """Return all names (folded) of hospitals, each with the source that calls one so; None: every source."""
    return [(source, name) for source, name in connection.execute(_FACILITIES)]


def only_hospital(connection: Connection) -> UUID | None:
    """Return the hospital there is, where there is but one that is active."""
    found = connection.execute(_ONLY).scalars().all()
    return found[0] if len(found) == 1 else None


def _found(connection: Connection, query: TextClause, given: Collection[Called]) -> dict[Called, UUID]:
    if not given:
        return {}
    ordered = sorted(given)
    values = {"hospitals": [each for each, _ in ordered], "codes": [code for _, code in ordered]}
    return {(hospital, code): id_ for hospital, code, id_ in connection.execute(query, values)}
