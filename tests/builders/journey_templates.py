"""Builders of templates of journeys, with their stages and first version: every call gives another name."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, update

from dhos_connector_api import clock
from dhos_connector_api.px.journeys import version_store
from dhos_connector_api.px.journeys.models import JourneyTemplateRow, StageTemplateRow
from dhos_connector_api.px.journeys.template import JourneyType, Stage, Version, content_of
from tests.builders.rows import later

_number = count(1)
#: The stages of a template that is not given any: those of document 000, by code and trigger.
HIS_TRIGGERS = {
    "MD_CONSULTATION": "Consultation",
    "MD_VISIT": "Doctor Visited",
    "CLINICAL_ASSESSMENT": "Clinical Condtion",
    "PATIENT_ASSESSMENT": "ChiefComplaint",
    "PHARMACY": "Prescribed Drugs",
}


def template_body(hospital: UUID | str, **fields: Any) -> dict[str, Any]:
    """The JSON body of a new template of the day case."""
    number = next(_number)
    names = {"name": f"Template {number}", "name_ar": f"رحلة {number}"}
    return {"hospital": str(hospital), "journey_type": "day_case", **names} | fields


def stage_body(template: UUID | str, **fields: Any) -> dict[str, Any]:
    """The JSON body of a new stage."""
    number = next(_number)
    made = {"code": f"STAGE{number}", "name": f"Stage {number}", "order": number % 1000}
    return {"journey_template": str(template), **made, "trigger_event_code": "LAB_ORDER_COMPLETED"} | fields


def a_template(
    connection: Connection,
    hospital: UUID,
    stages: Mapping[str, str | Mapping[str, Any]] = HIS_TRIGGERS,
    *,
    journey_type: str = JourneyType.OPD,
    **columns: Any,
) -> UUID:
    """Store a template with these stages in order, and its first version; return its id.

    `stages` are triggers by code, or columns of `stage_template`, as in `{"LAB": "LAB_ORDER_COMPLETED",
    "ER": {"trigger_event_code": "ADT_A01", "is_optional": True}}`; all are active. It is its hospital's
    default for the type unless `is_default=False`.
    """
    at, number = later(), next(_number)
    id_ = clock.new_uuid(at)
    row = {"name": f"Template {number}", "name_ar": f"رحلة {number}", "is_default": True, **columns}
    made = {"id": id_, "hospital_id": hospital, "created_at": at, "updated_at": at}
    connection.execute(insert(JourneyTemplateRow).values(**made, journey_type=str(journey_type), **row))
    kept = tuple(
        _stage(connection, id_, hospital, position, code, given)
        for position, (code, given) in enumerate(stages.items(), 1)
    )
    version = Version(
        id=id_,
        template_id=id_,
        number=1,
        journey_type=JourneyType(journey_type),
        name=row["name"],
        name_ar=row["name_ar"],
        stages=kept,
    )
    names = ("send_post_discharge_survey", "post_discharge_survey_template_id")
    version = replace(version, **{name: columns[name] for name in names if name in columns})
    current = version_store.add(connection, id_, content_of(version), at)
    connection.execute(
        update(JourneyTemplateRow).where(JourneyTemplateRow.id == id_).values(current_version_id=current)
    )
    return id_


def stage_ids(connection: Connection, template: UUID) -> dict[str, UUID]:
    """Return the ids of a template's stages by code."""
    query = StageTemplateRow.__table__.select().where(StageTemplateRow.journey_template_id == template)
    return {row.code: row.id for row in connection.execute(query)}


def _stage(
    connection: Connection,
    template: UUID,
    hospital: UUID,
    position: int,
    code: str,
    given: str | Mapping[str, Any],
) -> Stage:
    at = later()
    columns = {"trigger_event_code": given} if isinstance(given, str) else dict(given)
    row = {"code": code, "name": f"Stage {code}", "name_ar": None, "position": position, **columns}
    made = {"id": clock.new_uuid(at), "journey_template_id": template, "hospital_id": hospital}
    times = {"created_at": at, "updated_at": at}
    connection.execute(insert(StageTemplateRow).values(**made, **times, **row))
    return Stage(id=made["id"], trigger=row.pop("trigger_event_code"), **row)
