"""The JSON of the tag `patients` (marshmallow)."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema, fields

from dhos_connector_api.api.schemas import Instant
from dhos_connector_api.http.dumping import dumper
from dhos_connector_api.http.paging import json_text
from dhos_connector_api.px.organizations.identity import Identifier


class PatientSchema(Schema):
    """A patient; `openapi/px/schemas/patients.yaml` describes each field."""

    id = fields.UUID()
    created_at = Instant()
    updated_at = Instant()
    primary_hospital = fields.UUID(attribute="hospital_id")
    hospital_name = fields.String()
    mrn = fields.String()
    national_id = fields.String()
    first_name = fields.String()
    last_name = fields.String()
    first_name_ar = fields.String()
    last_name_ar = fields.String()
    date_of_birth = fields.Date()
    gender = fields.String()
    phone = fields.String()
    phone_e164 = fields.String()
    email = fields.String()
    language = fields.String()
    address = fields.String()
    city = fields.String()
    deceased_at = Instant()
    is_deceased = fields.Boolean()
    status = fields.String()
    merged_into = fields.UUID()
    merged_from = fields.UUID()


_dump = dumper(PatientSchema())


def text_of(row: Mapping[Any, Any], identifiers: Iterable[Identifier]) -> bytes:
    """Return the JSON text of a patient with `merged_from`, and his identifiers."""
    told = [{"authority": each.authority, "type": each.type, "value": each.value} for each in identifiers]
    return json_text(_dump(row) | {"identifiers": told})
