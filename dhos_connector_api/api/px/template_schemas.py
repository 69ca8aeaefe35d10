"""The JSON of the tags `journey_templates` and `stage_templates` (marshmallow)."""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, fields

from dhos_connector_api.api.schemas import Instant
from dhos_connector_api.http.dumping import dumper
from dhos_connector_api.http.paging import json_list, json_text
from dhos_connector_api.px.journeys.resources import STAGE
from dhos_connector_api.px.organizations.resources import Resource


class _Kept(Schema):
    """What both have; `openapi/px/schemas/` describes each."""

    id = fields.UUID()
    created_at = Instant()
    updated_at = Instant()
    name = fields.String()
    name_ar = fields.String()
    is_active = fields.Boolean()


class JourneyTemplateSchema(_Kept):
    """A template, without its stages."""

    journey_type = fields.String()
    description = fields.String()
    hospital = fields.UUID(attribute="hospital_id")
    hospital_name = fields.String()
    is_default = fields.Boolean()
    send_post_discharge_survey = fields.Boolean()
    post_discharge_survey_template = fields.UUID(attribute="post_discharge_survey_template_id")
    current_version = fields.Integer()
    stage_count = fields.Integer()


class StageTemplateSchema(_Kept):
    """A stage of a template."""

    journey_template = fields.UUID(attribute="journey_template_id")
    journey_template_name = fields.String()
    code = fields.String()
    order = fields.Integer(attribute="position")
    trigger_event_code = fields.String()
    survey_template = fields.UUID(attribute="survey_template_id")
    survey_template_name = fields.Function(lambda _row: None)  # until there are templates of surveys
    auto_send_survey = fields.Boolean()
    survey_delay_hours = fields.Integer()
    requires_physician = fields.Boolean()
    requires_department = fields.Boolean()
    is_optional = fields.Boolean()


_TEMPLATE = dumper(JourneyTemplateSchema())
_STAGE = dumper(StageTemplateSchema())


def text_of(resource: Resource, row: Mapping[Any, Any]) -> bytes:
    """Return the JSON text of a row of a list."""
    return json_text(_STAGE(row) if resource is STAGE else _TEMPLATE(row))


def whole_template(row: Mapping[Any, Any], stages: Sequence[Mapping[Any, Any]]) -> bytes:
    """Return the JSON text of a template with its stages."""
    return json_text(_TEMPLATE(row), stages=json_list([text_of(STAGE, each) for each in stages]))
