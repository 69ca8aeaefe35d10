"""Templates of journeys, over HTTP."""

from uuid import UUID

import flask

from dhos_connector_api.api.px import asking, templating
from dhos_connector_api.http import call
from dhos_connector_api.http.numbered_pages import Page
from dhos_connector_api.px.journeys import template_changes
from dhos_connector_api.px.journeys.resources import TEMPLATE


def list_journey_templates(
    page: int,
    page_size: int,
    ordering: str,
    search: str | None,
    journey_type: str | None,
    hospital: str | None,
    is_active: str | None,
    is_default: str | None,
) -> flask.Response:
    """Answer with one page of templates, without their stages."""
    filters = {"journey_type": journey_type, "hospital": hospital, "is_active": is_active}
    filters["is_default"] = is_default
    return templating.listed(TEMPLATE, Page(page, page_size), ordering, search, filters)


def create_journey_template() -> flask.Response:
    """Make a template without stages."""
    body = dict(call.current().body)
    asking.scope().hospital_of_body(_uuid(body["hospital"]))
    return templating.created(
        TEMPLATE, lambda connection, id_, at: template_changes.create(connection, id_, body, at=at)
    )


def get_journey_template(journey_template_id: str) -> flask.Response:
    """Answer with one template and its stages."""
    return templating.show(TEMPLATE, journey_template_id)


def replace_journey_template(journey_template_id: str) -> flask.Response:
    """Set all fields of a template."""
    return templating.change(TEMPLATE, journey_template_id, whole=True)


def change_journey_template(journey_template_id: str) -> flask.Response:
    """Change the given fields of a template."""
    return templating.change(TEMPLATE, journey_template_id, whole=False)


def delete_journey_template(journey_template_id: str) -> flask.Response:
    """Deactivate a template."""
    return templating.deactivate(TEMPLATE, journey_template_id)


def _uuid(text: str) -> UUID | None:
    """Return the uuid of a field; None for what is none, which is told with all else that does not fit."""
    try:
        return UUID(text)
    except ValueError:
        return None
