"""Versions of templates: added when a template changes, and read by whoever folds. Nothing here commits."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from dhos_connector_api import clock
from dhos_connector_api.px.journeys.template import JourneyType, Version, version_of

_ADD = text(
    "INSERT INTO journey_template_version (id, journey_template_id, number, content, created_at)"
    " SELECT :id, :template, coalesce(max(number), 0) + 1, :content, :at"
    " FROM journey_template_version WHERE journey_template_id = :template"
).bindparams(bindparam("content", type_=JSONB()))
_GET = text(
    "SELECT id, journey_template_id, number, content FROM journey_template_version"
    " WHERE id = ANY(CAST(:ids AS uuid[]))"
)
_NEWEST = text(
    "SELECT version.id, journey_template_id, number, content FROM journey_template AS template"
    " JOIN journey_template_version AS version ON version.id = template.current_version_id"
    " WHERE template.id = :id"
)
_DEFAULTS = text("""
SELECT template.hospital_id, template.journey_type, version.id, journey_template_id, number, content
FROM unnest(CAST(:hospitals AS uuid[]), CAST(:types AS text[])) AS asked (hospital_id, journey_type)
JOIN journey_template AS template USING (hospital_id, journey_type)
JOIN journey_template_version AS version ON version.id = template.current_version_id
WHERE template.is_default AND template.is_active
""")

#: A hospital, and a kind of journey.
Kind = tuple[UUID, JourneyType]


def add(connection: Connection, template_id: UUID, content: Mapping[str, Any], at: datetime) -> UUID:
    """Store the next version of a template, which the caller has locked; return its id."""
    id_ = clock.new_uuid(at)
    connection.execute(_ADD, {"id": id_, "template": template_id, "content": dict(content), "at": at})
    return id_


def get(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Version]:
    """Return these versions, as far as they are there."""
    if not ids:
        return {}
    rows = connection.execute(_GET, {"ids": list(ids)})
    return {row.id: version_of(row.id, row.journey_template_id, row.number, row.content) for row in rows}


def newest(connection: Connection, template_id: UUID) -> Version | None:
    """Return the newest version of a template; None: there is no such template."""
    row = connection.execute(_NEWEST, {"id": template_id}).one_or_none()
    return None if row is None else version_of(row.id, row.journey_template_id, row.number, row.content)


def defaults(connection: Connection, kinds: Collection[Kind]) -> dict[Kind, Version]:
    """Return the newest version of the default template of each kind that has one."""
    if not kinds:
        return {}
    asked = {"hospitals": [each for each, _ in kinds], "types": [str(each) for _, each in kinds]}
    return {
        (row.hospital_id, JourneyType(row.journey_type)): version_of(
            row.id, row.journey_template_id, row.number, row.content
        )
        for row in connection.execute(_DEFAULTS, asked)
    }
