"""What is really answered about events, mappings and keys, checked against the specification."""

from typing import Any

import pytest
from httpx import Response
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.site.model import RateLimits
from tests.builders.api import UNLIMITED, api, ask, internal, shared_api, site_with
from tests.builders.people import a_user, people_api, person_token
from tests.rigs.answers import OPERATIONS, RESOLVED, fits

TOKEN = internal("write:his", "read:his", "admin:his")
UNKNOWN = "2c4f1d24-2952-4d4e-b1d1-3637e33cc161"
EVENT = {"source_system": "his", "event_code": "OPD", "encounter_id": "V1"}
MAPPING = {"source_system": "his", "event_code": "OPD", "canonical_code": "VISIT_STARTED"}


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database, without limits."""
    return shared_api(database, unlimited=True)


def ask_for(app: ASGIApp, name: str, status: int, *, token: str | None = TOKEN, **request: Any) -> Response:
    """One request to that operation; `id` stands for what its address has in braces."""
    operation, id_ = OPERATIONS[name], request.pop("id", UNKNOWN)
    path = operation.path
    for parameter in operation.parameters:
        path = path.replace(f"{{{parameter['name']}}}", id_)
    response = fits(operation, ask(app, operation.method.upper(), path, token=token, **request))
    assert response.status_code == status
    return response


@pytest.mark.parametrize("schema", ["Event", "Mapping", "ApiKey", "EventAnswer"])
def test_an_example_names_every_field(schema: str) -> None:
    found = RESOLVED["components"]["schemas"][schema]
    assert set(found["properties"]) == set(found["required"])


def test_answers_about_events_fit(app: ASGIApp) -> None:
    id_ = ask_for(app, "post_event", 201, json=EVENT).json()["id"]
    named = EVENT | {"event_id": "E1"}
    for status, body in ((201, named), (200, named), (409, named | {"encounter_id": "V2"}), (400, {})):
        ask_for(app, "post_event", status, json=body)
    for status, body in ((201, EVENT), (422, named)):
        ask_for(app, "post_event", status, json=body, headers={"Idempotency-Key": "1"})
    ask_for(app, "post_event", 415, content=b"x")
    ask_for(app, "post_event", 401, token=None, json=EVENT)
    ask_for(app, "post_event", 403, token=internal("read:his"), json=EVENT)
    ask_for(app, "post_simulated_event", 201, json={"event_code": "OPD", "encounter_id": "V1"})
    ask_for(app, "post_events", 201, json={"events": [EVENT, {}]})
    assert ask_for(app, "list_events", 200, params={"page_size": 1}).json()["next"]
    shown = ask_for(app, "get_event", 200, id=id_).json()
    assert set(shown) == set(RESOLVED["components"]["schemas"]["Event"]["required"])
    ask_for(app, "reprocess_event", 200, id=id_)
    for name in ("get_event", "reprocess_event"):
        ask_for(app, name, 404)


def test_answers_about_mappings_fit(app: ASGIApp) -> None:
    ask_for(app, "post_event", 201, json=EVENT)
    id_ = ask_for(app, "set_mapping", 200, json=MAPPING).json()["id"]
    ask_for(app, "list_mappings", 200)
    ask_for(app, "get_mapping", 200, id=id_)
    ask_for(app, "preview_mapping", 200, json=MAPPING)
    ask_for(app, "apply_mapping", 200, json={"source_system": "his", "event_code": "OPD"})
    ask_for(app, "delete_mapping", 204, id=id_)
    ask_for(app, "delete_mapping", 404, id=id_)
    ask_for(app, "set_mapping", 400, json={})


def test_answers_about_keys_fit(app: ASGIApp) -> None:
    id_ = ask_for(app, "create_api_key", 201, json={"source_system": "his"}).json()["key"]["id"]
    ask_for(app, "rotate_api_key", 201, id=id_, json={})
    ask_for(app, "rotate_api_key", 409, id=id_, json={})
    ask_for(app, "revoke_api_key", 200, id=id_)
    ask_for(app, "list_api_keys", 200)
    ask_for(app, "revoke_api_key", 404)


def test_being_told_to_wait_fits(database: Database) -> None:
    limited = site_with(rate_limits={"*": RateLimits(1, 1)})
    app = people_api(database, changes=limited, AUTH_REQUESTS_PER_MINUTE="1")
    ask_for(app, "list_events", 200)
    with database.transaction() as connection:
        person = person_token(a_user(connection, 100))
    ask_for(app, "get_me", 200, token=person)
    ask_for(app, "obtain_token", 401, json={"username": "nobody", "password": "x"})
    for name, operation in OPERATIONS.items():
        limited_by = operation.definition["security"] or operation.definition.get("x-rate-limit")
        if operation.path.startswith("/api/") and limited_by:
            token = person if operation.is_of_wing else TOKEN
            contents = operation.definition.get("requestBody", {}).get("content", {}).values()
            body = {"json": next(iter(contents))["example"]} if contents else {}
            assert ask_for(app, name, 429, token=token, **body).headers["Retry-After"]


def test_answers_without_a_database_fit() -> None:
    app = api(changes=UNLIMITED)
    ask_for(app, "post_event", 503, json=EVENT)
    ask_for(app, "post_event", 503, token=None, json=EVENT, headers={"X-API-Key": "dhos_" + "a" * 43})
    ask_for(app, "list_events", 503)
    ask_for(app, "list_api_keys", 503)
