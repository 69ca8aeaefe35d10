"""Stages of templates of journeys, over HTTP."""

import flask

from dhos_connector_api.api.px import templating
from dhos_connector_api.http import call
from dhos_connector_api.http.numbered_pages import Page
from dhos_connector_api.px.journeys import stage_changes
from dhos_connector_api.px.journeys.resources import STAGE, TEMPLATE


def list_stage_templates(
    page: int,
    page_size: int,
    ordering: str,
    search: str | None,
    journey_template: str | None,
    is_active: str | None,
) -> flask.Response:
    """Answer with one page of stages."""
    filters = {"journey_template": journey_template, "is_active": is_active}
    return templating.listed(STAGE, Page(page, page_size), ordering, search, filters)


def create_stage_template() -> flask.Response:
    """Make a stage of a template."""
    body, seen = dict(call.current().body), templating.seen(TEMPLATE)
    return templating.created(
        STAGE, lambda connection, id_, at: stage_changes.create(connection, id_, body, seen=seen, at=at)
    )


def get_stage_template(stage_template_id: str) -> flask.Response:
    """Answer with one stage."""
    return templating.show(STAGE, stage_template_id)


def replace_stage_template(stage_template_id: str) -> flask.Response:
    """Set all fields of a stage."""
    return templating.change(STAGE, stage_template_id, whole=True)


def change_stage_template(stage_template_id: str) -> flask.Response:
    """Change the given fields of a stage."""
    return templating.change(STAGE, stage_template_id, whole=False)


def delete_stage_template(stage_template_id: str) -> flask.Response:
    """Deactivate a stage."""
    return templating.deactivate(STAGE, stage_template_id)
