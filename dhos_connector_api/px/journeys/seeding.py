"""Make the templates that the Connector brings along; what is there stays as it is. Never commits."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, true

from dhos_connector_api import clock
from dhos_connector_api.px.journeys import stage_changes, template_changes
from dhos_connector_api.px.journeys import template_store as store
from dhos_connector_api.px.journeys.resources import STAGE, TEMPLATE
from dhos_connector_api.px.journeys.seeds import Seed
from dhos_connector_api.px.organizations.changes import Done
from dhos_connector_api.px.organizations.store import Row, lock_hospital

_SURVEY = "post_discharge_survey_template"


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was done to a template (`action`: create, change, or None), and to its stages, all of them new.

    `other` is the default that stays where this template is none for that reason. `has_no_default`: this one
    was there, people have made it inactive or no default, and there is no other, so that journeys of the type
    do not open.
    """

    template: Done
    action: str | None
    stages: tuple[Done, ...] = ()
    other: Row | None = None
    has_no_default: bool = False


def seed(
    connection: Connection, hospital_id: UUID, told: Seed, *, at: datetime, survey: UUID | None = None
) -> Seeded:
    """Make a template where there is none of its name, as the default where there is none; attach the survey.

    Raises InvalidFields where the hospital is not active.
    """
    lock_hospital(connection, hospital_id)
    fields = told.fields
    row = store.by_name(connection, hospital_id, fields["journey_type"], fields["name"])
    default = store.default(connection, hospital_id, fields["journey_type"])
    if row is None:
        return _made(connection, hospital_id, told, default, survey, at)
    there = Seeded(
        Done(row, ()),
        None,
        other=None if default is None or default["id"] == row["id"] else default,
        has_no_default=default is None,
    )
    column = TEMPLATE.fields[_SURVEY]
    if survey is None or (row[column], row["send_post_discharge_survey"]) == (survey, True):
        return there
    body = {_SURVEY: survey, "send_post_discharge_survey": True}
    change: dict[str, Any] = {"whole": False, "seen": true(), "version": None, "at": at}
    done = template_changes.change(connection, row["id"], body, **change)
    return replace(there, template=done, action="change")


def _made(
    connection: Connection,
    hospital_id: UUID,
    told: Seed,
    default: Row | None,
    survey: UUID | None,
    at: datetime,
) -> Seeded:
    body = {**told.fields, "hospital": hospital_id, "is_default": default is None, _SURVEY: survey}
    id_ = clock.new_uuid(at)
    template = template_changes.create(connection, id_, body, at=at)
    stages = tuple(
        stage_changes.add(
            connection, clock.new_uuid(at), {**each, "journey_template": id_}, seen=true(), at=at
        )
        for each in told.stages
    )
    stage_changes.settle(connection, id_, at=at)
    return Seeded(template, "create", stages, default)


def entries(seeded: Seeded) -> list[tuple[str, str, Done]]:
    """Return what the audit trail keeps of it: action, type and what was done."""
    if seeded.action is None:
        return []
    stages = [("create", STAGE.name, each) for each in seeded.stages]
    return [(seeded.action, TEMPLATE.name, seeded.template), *stages]
