"""What templates of journeys and of stages are made of: fields, keys, orders, search."""

from dhos_connector_api.px.journeys.models import JourneyTemplateRow, StageTemplateRow
from dhos_connector_api.px.organizations.resources import Resource

#: `key` is unique for a hospital and type: by it files name a template.
TEMPLATE = Resource(
    "journey_template",
    JourneyTemplateRow.__table__,
    key="name",
    fields={
        "hospital": "hospital_id",
        "journey_type": "journey_type",
        "name": "name",
        "name_ar": "name_ar",
        "description": "description",
        "is_active": "is_active",
        "is_default": "is_default",
        "send_post_discharge_survey": "send_post_discharge_survey",
        "post_discharge_survey_template": "post_discharge_survey_template_id",
    },
    required=frozenset({"hospital", "journey_type", "name"}),
    orders={"name": ("name",), "journey_type": ("journey_type", "name"), "created_at": ("created_at",)},
    search=("name", "name_ar"),
    blanks={"is_active": True, "is_default": False, "send_post_discharge_survey": False},
)
STAGE = Resource(
    "stage_template",
    StageTemplateRow.__table__,
    key="code",
    fields={
        "journey_template": "journey_template_id",
        "code": "code",
        "name": "name",
        "name_ar": "name_ar",
        "order": "position",
        "trigger_event_code": "trigger_event_code",
        "survey_template": "survey_template_id",
        "auto_send_survey": "auto_send_survey",
        "survey_delay_hours": "survey_delay_hours",
        "requires_physician": "requires_physician",
        "requires_department": "requires_department",
        "is_optional": "is_optional",
        "is_active": "is_active",
    },
    required=frozenset({"journey_template", "code", "name", "order", "trigger_event_code"}),
    orders={"order": ("journey_template_id", "position"), "created_at": ("created_at",)},
    search=("name", "name_ar", "code"),
    blanks={
        "is_active": True,
        "survey_delay_hours": 0,
        **dict.fromkeys(
            ("auto_send_survey", "requires_physician", "requires_department", "is_optional"), False
        ),
    },
)
