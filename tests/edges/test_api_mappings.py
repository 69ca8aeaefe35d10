"""What codes mean, over HTTP: tried, changed, applied."""

from typing import Any

import pytest
from httpx import Response
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from tests.builders.api import ask, internal, shared_api
from tests.builders.event import published, waiting

EVENTS = "/api/integrations/events/"
MAPPINGS = f"{EVENTS}mappings/"
TOKEN = internal("write:his", "read:his", "admin:his")
OPD = {"source_system": "his", "event_code": "OPD"}


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database, without limits."""
    return shared_api(database, unlimited=True)


def post(app: ASGIApp, path: str, body: dict[str, Any]) -> Response:
    return ask(app, "POST", path, token=TOKEN, json=body)


def test_a_mapping_is_tried_made_applied_and_taken_away(app: ASGIApp, database: Database) -> None:
    told = post(app, EVENTS, OPD | {"encounter_id": "V1"}).json()
    published(database)
    wanted = OPD | {"canonical_code": "VISIT_STARTED"}
    preview = post(app, f"{MAPPINGS}preview/", wanted).json()
    assert (preview["stored"], preview["changing"]) == (1, 1)
    assert preview["examples"][0] | {"from": "OPD", "to": "VISIT_STARTED"} == preview["examples"][0]
    made = post(app, MAPPINGS, wanted).json()
    assert made["modified_by"] == "dhos-robot"
    assert ask(app, "GET", MAPPINGS, token=TOKEN, params={"source_system": "HIS"}).json() == [made]
    assert ask(app, "GET", f"{MAPPINGS}{made['id']}/", token=TOKEN).json() == made
    assert waiting(database) == []
    assert post(app, f"{MAPPINGS}apply/", OPD).json() == {"changed": 1, "remaining": 0}
    assert post(app, f"{MAPPINGS}apply/", OPD).json() == {"changed": 0, "remaining": 0}
    assert [code for _, code in waiting(database)] == ["VISIT_STARTED"]
    shown = ask(app, "GET", f"{EVENTS}{told['id']}/", token=TOKEN).json()
    assert (shown["event_code"], shown["canonical_code"], shown["status"]) == (
        "OPD",
        "VISIT_STARTED",
        "pending",
    )
    for status in (204, 404):
        assert ask(app, "DELETE", f"{MAPPINGS}{made['id']}/", token=TOKEN).status_code == status
    assert post(app, f"{MAPPINGS}preview/", OPD).json()["changing"] == 1


def test_new_events_mean_what_the_mapping_says_at_once(app: ASGIApp, database: Database) -> None:
    post(app, MAPPINGS, OPD | {"canonical_code": "VISIT_STARTED"})
    post(app, EVENTS, OPD | {"encounter_id": "V1", "event_code": "opd"})
    assert [code for _, code in waiting(database)] == ["VISIT_STARTED"]
    post(app, MAPPINGS, OPD | {"canonical_code": None})
    assert post(app, EVENTS, OPD | {"encounter_id": "V1"}).json()["status"] == "ignored"


@pytest.mark.parametrize("canonical", ["", " ", "a b", "x" * 101, "é", 7])
def test_a_canonical_code_that_is_none_is_refused(app: ASGIApp, canonical: Any) -> None:
    for path in (MAPPINGS, f"{MAPPINGS}preview/"):
        assert post(app, path, OPD | {"canonical_code": canonical}).status_code == 400


def test_a_mapping_needs_its_canonical_code(app: ASGIApp) -> None:
    assert post(app, MAPPINGS, OPD).status_code == 400
    assert ask(app, "GET", f"{MAPPINGS}no-uuid/", token=TOKEN).status_code == 404
