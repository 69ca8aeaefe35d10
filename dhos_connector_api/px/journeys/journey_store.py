"""Journeys, their stages and the names of encounters at rest: the SQL that writes them. Never commits."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.px.journeys.evidence import EncounterKey, Name
from dhos_connector_api.px.journeys.rows import Known, stage_id

_COLUMNS = (
    *("hospital_id", "namespace", "encounter_id", "patient_id", "journey_type", "is_type_assumed"),
    *("templates", "journey_template_id", "department_id", "physician_id", "status", "ending"),
    *("started_at", "completed_at", "last_at", "stage_count", "completed_count", "details", "announced"),
    "merged_into",
)
_RECORD = """
    id uuid, hospital_id uuid, namespace text, encounter_id text, patient_id uuid, journey_type text,
    is_type_assumed boolean, templates jsonb, journey_template_id uuid, department_id uuid, physician_id uuid,
    status text, ending text, started_at timestamptz, completed_at timestamptz, last_at timestamptz,
    stage_count int, completed_count int, details jsonb, announced jsonb, merged_into uuid
"""
_SAVE = text(f"""
INSERT INTO journey_instance (id, created_at, updated_at, {", ".join(_COLUMNS)})
SELECT id, :at, :at, {", ".join(_COLUMNS)}
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given ({_RECORD})
ORDER BY merged_into IS NOT NULL, id
ON CONFLICT (id) DO UPDATE SET updated_at = :at, version = journey_instance.version + 1,
    {", ".join(f"{each} = excluded.{each}" for each in _COLUMNS)}
""")  # noqa: S608  constants only
_STAGE = (
    *("journey_id", "stage_template_id", "hospital_id", "position", "code", "name", "name_ar"),
    *("is_optional", "status", "completed_at", "event_uuid", "physician_id", "department_id", "is_late"),
    "reopened",
)
_STAGE_RECORD = """
    id uuid, journey_id uuid, stage_template_id uuid, hospital_id uuid, position int, code text, name text,
    name_ar text, is_optional boolean, status text, completed_at timestamptz, event_uuid uuid,
    physician_id uuid, department_id uuid, is_late boolean, reopened int
"""
_SAVE_STAGES = text(f"""
INSERT INTO stage_instance (id, created_at, updated_at, {", ".join(_STAGE)})
SELECT id, :at, :at, {", ".join(_STAGE)}
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given ({_STAGE_RECORD})
ORDER BY id
ON CONFLICT (id) DO UPDATE SET updated_at = :at, {", ".join(f"{each} = excluded.{each}" for each in _STAGE)}
""")  # noqa: S608  constants only
_DROP_STAGES = text("DELETE FROM stage_instance WHERE id = ANY(CAST(:ids AS uuid[]))")
_ALIAS = text(
    "INSERT INTO encounter_alias (namespace, encounter_id, hospital_id, journey_id, created_at)"
    " SELECT namespace, encounter, hospital, journey, :at FROM unnest(CAST(:namespaces AS text[]),"
    " CAST(:encounters AS text[]), CAST(:hospitals AS uuid[]), CAST(:journeys AS uuid[]))"
    " AS given (namespace, encounter, hospital, journey) ORDER BY 1, 2, 3"
    " ON CONFLICT (namespace, encounter_id, hospital_id) DO UPDATE SET journey_id = excluded.journey_id"
    " WHERE encounter_alias.journey_id <> excluded.journey_id"
)
_GET = text(
    f"SELECT id, {', '.join(_COLUMNS)} FROM journey_instance WHERE id = ANY(CAST(:ids AS uuid[]))"  # noqa: S608
)
_STAGES = text(
    f"SELECT id, {', '.join(_STAGE)} FROM stage_instance WHERE journey_id = ANY(CAST(:ids AS uuid[]))"  # noqa: S608
)
_NAMES_OF = text(
    "SELECT namespace, encounter_id FROM encounter_alias WHERE journey_id = ANY(CAST(:ids AS uuid[]))"
)
_JOURNEY_OF = text(
    "SELECT journey_id FROM encounter_alias"
    " WHERE namespace = :namespace AND hospital_id = :hospital AND encounter_id = :encounter"
)
_DETAILS = text(
    "UPDATE journey_instance SET details = CAST(:details AS jsonb), updated_at = :at, version = version + 1"
    " WHERE id = :id"
)
# By the index of statuses: one on `last_at` would have each event write into all indexes of its journey.
_QUIET = text(
    "SELECT id, hospital_id, namespace, encounter_id, last_at FROM journey_instance"
    " WHERE journey_type = :type AND status = 'active' AND merged_into IS NULL AND started_at < :before"
    " AND last_at < :before"
    " ORDER BY last_at LIMIT :limit"
)
_AFTER = text(
    "SELECT id, namespace, encounter_id FROM journey_instance"
    " WHERE merged_into IS NULL AND id > :after"
    " AND (CAST(:since AS timestamptz) IS NULL OR last_at >= :since)"
    " AND (CAST(:hospital AS uuid) IS NULL OR hospital_id = :hospital)"
    # of a template those that run: nobody is asked anew about a visit that is over; also those that have a
    # version of it for a type they have been: few journeys change their type
    " AND (CAST(:template AS uuid) IS NULL OR status = 'active' AND (journey_template_id = :template"
    " OR EXISTS (SELECT FROM jsonb_each_text(templates) AS kept (type, version) WHERE version = ANY(ARRAY("
    "SELECT id::text FROM journey_template_version WHERE journey_template_id = :template)))))"
    " ORDER BY id LIMIT :limit"
)
_OPEN_SINCE = text(
    "SELECT journey_type, count(*) FROM journey_instance WHERE status = 'active' AND merged_into IS NULL"
    " AND started_at < :before GROUP BY journey_type ORDER BY journey_type"
)
#: A stay that is open for longer was ended by nobody, or the end was never told.
TOO_LONG = timedelta(days=60)


def get(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Known]:
    """Return these journeys, as far as they are there."""
    rows = connection.execute(_GET, {"ids": list(ids)}).mappings().all()
    known = {row["id"]: Known({name: row[name] for name in _COLUMNS}) for row in rows}
    if known:
        for row in connection.execute(_STAGES, {"ids": list(known)}).mappings().all():
            known[row["journey_id"]].stages[row["stage_template_id"]] = {name: row[name] for name in _STAGE}
    return known


def save(connection: Connection, journeys: Mapping[UUID, Mapping[str, Any]], at: datetime) -> None:
    """Store these journeys, each whole, by column."""
    if journeys:
        rows = [{"id": id_, **columns} for id_, columns in journeys.items()]
        connection.execute(_SAVE, {"rows": json.dumps(rows, default=str), "at": at})


def save_stages(
    connection: Connection, stages: Iterable[Mapping[str, Any]], dropped: Collection[UUID], at: datetime
) -> None:
    """Store these stages, each whole, by column, and remove those `dropped`."""
    rows = [{"id": stage_id(each["journey_id"], each["stage_template_id"]), **each} for each in stages]
    if rows:
        connection.execute(_SAVE_STAGES, {"rows": json.dumps(rows, default=str), "at": at})
    if dropped:
        connection.execute(_DROP_STAGES, {"ids": list(dropped)})


def save_names(connection: Connection, names: Mapping[EncounterKey, UUID], at: datetime) -> None:
    """Store the journey of each of these names of encounters."""
    keys = sorted(names)
    if not keys:
        return
    values = {
        "at": at,
        "namespaces": [each.namespace for each in keys],
        "encounters": [each.encounter_id for each in keys],
        "hospitals": [each.hospital_id for each in keys],
        "journeys": [names[each] for each in keys],
    }
    connection.execute(_ALIAS, values)


def names_of(connection: Connection, journeys: Collection[UUID]) -> set[Name]:
    """Return all names of the encounters of these journeys."""
    return {Name(*row) for row in connection.execute(_NAMES_OF, {"ids": list(journeys)})}


def ids_named(connection: Connection, encounter_id: str) -> list[UUID]:
    """Return the journeys of encounters with that number, at whichever hospital."""
    query = text("SELECT DISTINCT journey_id FROM encounter_alias WHERE encounter_id = :name")
    return list(connection.execute(query, {"name": encounter_id}).scalars())


def journey_of(connection: Connection, key: EncounterKey) -> UUID | None:
    """Return the journey of the encounter of that name; None: it has none."""
    values = {"namespace": key.namespace, "hospital": key.hospital_id, "encounter": key.encounter_id}
    found: UUID | None = connection.execute(_JOURNEY_OF, values).scalar_one_or_none()
    return found


def keep_details(connection: Connection, id_: UUID, details: Mapping[str, Any], at: datetime) -> None:
    """Store what people keep of a journey whose names the caller holds (`locks`): else a fold undoes it."""
    connection.execute(_DETAILS, {"id": id_, "details": json.dumps(details), "at": at})


def quiet(connection: Connection, journey_type: str, before: datetime, limit: int) -> Sequence[Any]:
    """Return up to `limit` active journeys of a type of which nothing has been told since that time."""
    return connection.execute(_QUIET, {"type": journey_type, "before": before, "limit": limit}).all()


def open_since(connection: Connection, before: datetime) -> Sequence[tuple[str, int]]:
    """Return how many journeys of each type began before that time and are open."""
    return [(kind, count) for kind, count in connection.execute(_OPEN_SINCE, {"before": before})]


def after(
    connection: Connection,
    after_id: UUID,
    limit: int,
    *,
    since: datetime | None = None,
    hospital: UUID | None = None,
    template: UUID | None = None,
) -> Sequence[Any]:
    """Return up to `limit` journeys by id, those after `after_id`: of which something was told since then.

    Of a template are those that have a version of it, also for a type that they are no longer. They are
    looked for in the order of ids: all pieces together cost one walk through the journeys.
    """
    values = {"after": after_id, "limit": limit, "since": since, "hospital": hospital, "template": template}
    return connection.execute(_AFTER, values).all()
