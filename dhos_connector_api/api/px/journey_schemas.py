"""The JSON of the tags `journeys` and `journey_stages` (marshmallow)."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields

from dhos_connector_api.api.schemas import Instant
from dhos_connector_api.http.dumping import dumper
from dhos_connector_api.http.paging import json_text
from dhos_connector_api.px.journeys.explaining import Sentence
from dhos_connector_api.px.journeys.progress import completion_percentage, is_complete


class _Progress(Schema):
    """What a journey and its progress both show."""

    encounter_id = fields.String()
    journey_type = fields.String()
    status = fields.String()
    completion_percentage = fields.Function(completion_percentage)
    is_complete = fields.Function(is_complete)
    started_at = Instant()
    completed_at = Instant()


class JourneySchema(_Progress):
    """A journey; `openapi/px/schemas/journeys.yaml` describes each field."""

    id = fields.UUID()
    created_at = Instant()
    updated_at = Instant()
    journey_template = fields.UUID(attribute="journey_template_id")
    journey_template_name = fields.String()
    is_type_assumed = fields.Boolean()
    patient = fields.UUID()
    patient_mrn = fields.String()
    patient_name = fields.String()
    hospital = fields.UUID(attribute="hospital_id")
    hospital_name = fields.String()
    department = fields.UUID(attribute="department_id")
    department_name = fields.String()
    physician = fields.UUID(attribute="physician_id")
    physician_name = fields.String()
    ending = fields.String()
    stage_count = fields.Integer()
    completed_count = fields.Integer()
    metadata = fields.Raw(attribute="details")
    merged_from = fields.UUID()


class ProgressSchema(_Progress):
    """How far a journey is, without its stages: the fields of document 002."""

    journey_id = fields.UUID(attribute="id")
    patient = fields.String(attribute="patient_name")


class StageProgressSchema(Schema):
    """What the progress of a journey shows of a stage."""

    name = fields.String()
    order = fields.Integer(attribute="position")
    status = fields.String()
    completed_at = Instant()
    survey_sent = fields.Function(lambda _row: False)  # there are no surveys yet


class JourneyStageSchema(StageProgressSchema):
    """A stage of a journey; `openapi/px/schemas/journey_stages.yaml` describes each field."""

    id = fields.UUID()
    created_at = Instant()
    updated_at = Instant()
    journey_instance = fields.UUID(attribute="journey_id")
    encounter_id = fields.String()
    stage_template = fields.UUID(attribute="stage_template_id")
    code = fields.String()
    name_ar = fields.String()
    is_optional = fields.Boolean()
    is_late = fields.Boolean()
    reopened = fields.Integer()
    department = fields.UUID(attribute="department_id")
    department_name = fields.String()
    physician = fields.UUID(attribute="physician_id")
    physician_name = fields.String()


class SentenceSchema(Schema):
    """A sentence of what a journey is explained by."""

    at = Instant()
    text = fields.String()
    event_uuid = fields.UUID()
    kind = fields.String()
    stage = fields.String()
    reason = fields.String()


_sentence = SentenceSchema()
_journey, _progress = dumper(JourneySchema()), dumper(ProgressSchema())
_stage_progress, _stage = dumper(StageProgressSchema()), dumper(JourneyStageSchema())


def journey(row: Mapping[Any, Any]) -> bytes:
    """Return the JSON text of a journey with its names and its patient."""
    return json_text(_journey(row))


def progress(row: Mapping[Any, Any], stages: Iterable[Mapping[Any, Any]]) -> dict[str, Any]:
    """Return how far a journey is, with its stages in their order."""
    return {**_progress(row), "stages": [_stage_progress(each) for each in stages]}


def explained(journey_id: UUID, language: str, sentences: Iterable[Sentence]) -> dict[str, Any]:
    """Return what a journey is explained by."""
    told = [_sentence.dump(each) for each in sentences]
    return {"journey_id": str(journey_id), "language": language, "sentences": told}


def stage(row: Mapping[Any, Any]) -> bytes:
    """Return the JSON text of a stage with its names."""
    return json_text(_stage(row))
