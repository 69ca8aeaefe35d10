"""Stages of journeys, over HTTP. They name no patient: to look at them is not written down.

Their ETag is their journey's version, since whatever changes one may change the others and the journey.
"""

from typing import Any

import flask

from dhos_connector_api import clock
from dhos_connector_api.api.px import asking, journey_schemas
from dhos_connector_api.api.px.audited import audited
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import NotFound
from dhos_connector_api.http import call
from dhos_connector_api.http.numbered_pages import Page, numbered_page, uuid_filter
from dhos_connector_api.http.paging import uuid_of
from dhos_connector_api.http.versions import expected_version, versioned
from dhos_connector_api.px.journeys import by_person, journey_list, stage_list
from dhos_connector_api.px.journeys.by_person import UNKNOWN_STAGE
from dhos_connector_api.px.journeys.evidence import STAGE_COMPLETED, STAGE_REOPENED, STAGE_SKIPPED
from dhos_connector_api.px.journeys.journey_list import Row
from dhos_connector_api.px.journeys.stage_list import HOSPITAL_ID
from dhos_connector_api.px.people.rights import Reach

_UUIDS = ("journey_instance", "stage_template")


def list_journey_stages(page: int, page_size: int, **asked: str | None) -> flask.Response:
    """Answer with one page of stages."""
    filters: dict[str, Any] = {**asked, **{name: uuid_filter(name, asked[name]) for name in _UUIDS}}
    part = Page(page, page_size)
    with services().database.statements() as connection:
        found = stage_list.listed(connection, _seen(), filters, part.offset, page_size)
    texts = map(journey_schemas.stage, found.rows)
    return numbered_page(texts, found.count, part, asked, asking.parts().public_url)


def get_journey_stage(stage_id: str) -> flask.Response:
    """Answer with one stage."""
    with services().database.statements() as connection:
        row = stage_list.get(connection, uuid_of(stage_id, UNKNOWN_STAGE), _seen())
    if row is None:
        raise NotFound(UNKNOWN_STAGE)
    return _answer(row)


def complete_journey_stage(stage_id: str) -> flask.Response:
    """Complete a stage, whatever it requires."""
    return _settle(stage_id, "complete", STAGE_COMPLETED)


def skip_journey_stage(stage_id: str) -> flask.Response:
    """Skip a stage."""
    return _settle(stage_id, "skip", STAGE_SKIPPED)


def reopen_journey_stage(stage_id: str) -> flask.Response:
    """Make a stage wait again."""
    return _settle(stage_id, "reopen", STAGE_REOPENED)


def _settle(stage_id: str, action: str, code: str) -> flask.Response:
    id_, reason, by = uuid_of(stage_id, UNKNOWN_STAGE), call.current().body["reason"], asking.person().id
    version = expected_version()
    with services().database.transaction() as connection:
        row = by_person.settle(
            connection, id_, code, reason, seen=_seen(), version=version, by=by, at=clock.now()
        )
        audited(connection, action, "journey_stage", id_, row["hospital_id"], ("reason", "status"))
    return _answer(row)


def _answer(row: Row) -> flask.Response:
    return versioned(journey_schemas.stage(row), row["version"])


def _seen() -> Any:
    scope = asking.scope()
    if scope.reach is Reach.DEPARTMENT:
        return stage_list.of_journeys(scope.condition(journey_list.HOSPITAL_ID, journey_list.DEPARTMENT_ID))
    return scope.condition(HOSPITAL_ID)
