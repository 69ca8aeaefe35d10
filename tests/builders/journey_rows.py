"""Builders of journeys as rows, without evidence, for what only reads them: each is another encounter."""

from collections.abc import Mapping
from itertools import count
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, insert, select

from dhos_connector_api.px.journeys.evidence import EncounterKey
from dhos_connector_api.px.journeys.models import (
    EncounterAliasRow,
    JourneyInstanceRow,
    StageInstanceRow,
    StageTemplateRow,
)
from dhos_connector_api.px.organizations import patient_search
from dhos_connector_api.px.organizations.identity import SHARED
from dhos_connector_api.px.organizations.models import PatientRow
from tests.builders.journey_templates import a_template
from tests.builders.rows import later

_number = count(1)


def a_patient(connection: Connection, hospital: UUID, **columns: Any) -> UUID:
    """Store a patient with these columns, and return his id."""
    at, number = later(), next(_number)
    row: dict[str, Any] = {"mrn": f"J{number:06}", "first_name": f"First{number}", "last_name": "Last"}
    row |= columns
    id_ = uuid5(hospital, f"patient {number}")
    times = {"created_at": at, "updated_at": at}
    words = patient_search.search_values(row)
    connection.execute(insert(PatientRow).values(id=id_, hospital_id=hospital, **times, **row, **words))
    return id_


def a_journey(
    connection: Connection,
    hospital: UUID,
    template: UUID | None = None,
    *,
    completed: int = 0,
    aliases: tuple[str, ...] = (),
    **columns: Any,
) -> UUID:
    """Store a journey with the stages of a template, a new one unless it is given, and return its id.

    The first `completed` of its stages are completed, the others pending.
    """
    at, number = later(), next(_number)
    template = template or a_template(connection, hospital, is_default=False)
    name = columns.pop("encounter_id", f"E{number:06}")
    key = EncounterKey(SHARED, hospital, name)
    query = select(StageTemplateRow.__table__).where(StageTemplateRow.journey_template_id == template)
    stages = connection.execute(query.order_by(StageTemplateRow.position)).mappings().all()
    times = {"created_at": at, "updated_at": at}
    row = {"journey_type": "opd", "status": "active", "started_at": at, "last_at": at, "templates": {}}
    row |= {"journey_template_id": template, "stage_count": len(stages), "completed_count": completed}
    made = {"id": key.journey_id, "hospital_id": hospital, "namespace": SHARED, "encounter_id": name}
    connection.execute(insert(JourneyInstanceRow).values(**made, **times, **(row | columns)))
    survivor = columns.get("merged_into") or key.journey_id  # as a fold leaves the names of both
    for alias in (name, *aliases):
        names = {"namespace": SHARED, "encounter_id": alias, "hospital_id": hospital}
        connection.execute(insert(EncounterAliasRow).values(**names, journey_id=survivor, created_at=at))
    for place, stage in enumerate(stages):
        done = {"status": "completed", "completed_at": at} if place < completed else {"status": "pending"}
        connection.execute(insert(StageInstanceRow).values(**_stage(key.journey_id, stage), **times, **done))
    return key.journey_id


def journey_body(connection: Connection, hospital: UUID, **fields: Any) -> dict[str, Any]:
    """Return the JSON body of a journey to be opened, with a new patient and template unless given."""
    made: dict[str, Any] = {"hospital": str(hospital), "encounter_id": f"B{next(_number):06}"}
    if "patient" not in fields:
        made["patient"] = str(a_patient(connection, hospital))
    if "journey_template" not in fields:
        made["journey_template"] = str(a_template(connection, hospital, is_default=False))
    return made | fields


def stages_of(connection: Connection, journey: UUID) -> dict[str, UUID]:
    """Return the ids of a journey's stages by code, in their order."""
    query = select(StageInstanceRow.code, StageInstanceRow.id).where(StageInstanceRow.journey_id == journey)
    return {row.code: row.id for row in connection.execute(query.order_by(StageInstanceRow.position))}


def newest_stage(connection: Connection, hospital: UUID) -> UUID:
    """Return the id of the first stage of the journey that was made last there."""
    rows = StageInstanceRow.__table__.c
    query = select(rows.id).where(rows.hospital_id == hospital)
    order = (rows.created_at.desc(), rows.position, rows.id)
    found: UUID = connection.execute(query.order_by(*order).limit(1)).scalar_one()
    return found


def _stage(journey: UUID, template: Mapping[Any, Any]) -> dict[str, Any]:
    same = ("hospital_id", "position", "code", "name", "name_ar", "is_optional")
    id_ = uuid5(journey, str(template["id"]))
    made = {"id": id_, "journey_id": journey, "stage_template_id": template["id"]}
    return made | {name: template[name] for name in same}
