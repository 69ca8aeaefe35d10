"""Keep the versions of a template: each change of what it says adds one. Never commits."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.px.journeys import template_store as store
from dhos_connector_api.px.journeys import version_store
from dhos_connector_api.px.journeys.template import JourneyType, Stage, Version, content_of
from dhos_connector_api.px.organizations.store import Row


def keep(connection: Connection, template_id: UUID, *, at: datetime) -> None:
    """Add what a template says now as its next version, unless the last says that."""
    row = store.lock(connection, template_id)
    if row is None:
        return
    content = content_of(_version(row, store.stages_of(connection, [template_id], but_inactive=True)))
    last = version_store.get(connection, [each for each in [row["current_version_id"]] if each])
    if content not in [content_of(each) for each in last.values()]:
        store.set_version(connection, template_id, version_store.add(connection, template_id, content, at))


def _version(row: Row, stages: list[Row]) -> Version:
    """Return a template as it is: its id and number are those of no version yet."""
    return Version(
        id=row["id"],
        template_id=row["id"],
        number=0,
        journey_type=JourneyType(row["journey_type"]),
        name=row["name"],
        name_ar=row["name_ar"],
        stages=tuple(_stage(each) for each in stages),
        send_post_discharge_survey=row["send_post_discharge_survey"],
        post_discharge_survey_template_id=row["post_discharge_survey_template_id"],
    )


def _stage(row: Row) -> Stage:
    return Stage(
        id=row["id"],
        code=row["code"],
        name=row["name"],
        name_ar=row["name_ar"],
        position=row["position"],
        trigger=row["trigger_event_code"],
        is_optional=row["is_optional"],
        requires_physician=row["requires_physician"],
        requires_department=row["requires_department"],
        survey_template_id=row["survey_template_id"],
        auto_send_survey=row["auto_send_survey"],
        survey_delay_hours=row["survey_delay_hours"],
    )
