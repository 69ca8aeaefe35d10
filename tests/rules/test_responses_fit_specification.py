"""What is really answered, and every example, checked against the specification."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from connexion.json_schema import Draft4ResponseValidator
from httpx import Response
from openapi_spec_validator import validate
from starlette.types import ASGIApp

from dhos_connector_api.app.web import handlers
from dhos_connector_api.db.engine import Database
from dhos_connector_api.spec import document as specification
from tests.builders.api import OUTBOUND, READ, WRITE, api, ask, internal, message_body, shared_api
from tests.builders.hl7 import adt
from tests.rigs.answers import OPERATIONS, RESOLVED, fits

HANDLERS = handlers(RESOLVED)
UNKNOWN = "2c4f1d24-2952-4d4e-b1d1-3637e33cc161"


def test_the_specification_is_valid_openapi() -> None:
    validate(specification.load())


def test_written_as_one_file_it_is_still_the_same(tmp_path: Path) -> None:
    specification.write(tmp_path / "out" / "openapi.yaml")
    assert yaml.safe_load((tmp_path / "out" / "openapi.yaml").read_text()) == specification.load()


def test_every_operation_has_what_readers_need() -> None:
    for each in OPERATIONS.values():
        assert each.definition["summary"]
        assert len(each.definition["tags"]) == 1
        assert "security" in each.definition


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body of the specification, of requests and of answers, with its example."""
    for each in OPERATIONS.values():
        bodies = {"request": each.definition.get("requestBody", {}), **each.definition["responses"]}
        for status, body in bodies.items():
            for media_type, content in body.get("content", {}).items():
                yield f"{each.id} {status} {media_type}", content


@pytest.mark.parametrize(
    ("name", "content"), list(contents()), ids=lambda each: each if isinstance(each, str) else ""
)
def test_every_body_has_an_example_that_fits(name: str, content: dict[str, Any]) -> None:
    assert "example" in content, name
    Draft4ResponseValidator(content["schema"]).validate(content["example"])


def test_an_example_names_every_field_of_a_message() -> None:
    schema = RESOLVED["components"]["schemas"]["Message"]
    assert set(schema["properties"]) - {"matched_on"} == set(schema["required"])


def test_lists_show_every_field_but_what_has_to_be_asked_for() -> None:
    schemas = RESOLVED["components"]["schemas"]
    for name, asked_for in (("Message", "body"), ("Event", "payload_json")):
        whole, listed = schemas[name], schemas[f"Listed{name}"]
        assert set(listed["required"]) == set(whole["required"]) - {asked_for}
        assert listed["properties"] == whole["properties"]


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database."""
    return shared_api(database)


def ask_for(app: ASGIApp, name: str, path: str, **request: Any) -> Response:
    operation = OPERATIONS[name]
    return fits(operation, ask(app, operation.method.upper(), path, token=internal(WRITE, READ), **request))


def test_answers_to_messages_fit(app: ASGIApp) -> None:
    raw = adt("A01", mrn="M1")
    answer = ask_for(app, "post_message", "/dhos/v1/message", json=message_body(raw))
    path = f"/dhos/v1/message/{answer.json()['uuid']}"
    headers = {"Content-Type": "application/hl7-v2"}
    ask_for(app, "post_message", "/dhos/v1/message", content=adt("A99"), headers=headers)
    unreadable = ask_for(app, "post_message", "/dhos/v1/message", content=b"\xff", headers=headers)
    ask_for(app, "post_message", "/dhos/v1/message", content=b"", headers={"Content-Type": "text/plain"})
    ask_for(app, "mark_message_processed", path, json={"is_processed": True})
    ask_for(app, "mark_message_processed", f"/dhos/v1/message/{UNKNOWN}", json={"is_processed": True})
    message = ask_for(app, "get_message", path).json()
    assert set(message) == set(RESOLVED["components"]["schemas"]["Message"]["required"])
    ask_for(app, "get_message", f"/dhos/v1/message/{unreadable.json()['message'].split()[-1]}")
    ask_for(app, "get_message", f"/dhos/v1/message/{UNKNOWN}")


def test_answers_to_searches_fit(app: ASGIApp) -> None:
    for trigger in ("A01", "A08"):
        ask_for(
            app, "post_message", "/dhos/v1/message", json=message_body(adt(trigger, mrn="M1", MSH_10=trigger))
        )
    query = {"identifier_type": "MRN", "identifier": "M1", "limit": 1}
    found = ask_for(app, "search_messages_by_identifier", "/dhos/v1/message/search", params=query)
    assert found.json()[0]["matched_on"]["identifier"] == "M1"
    assert found.headers["link"].endswith('; rel="next"')
    ask_for(app, "search_messages_by_identifier", "/dhos/v1/message/search")
    assert ask_for(app, "search_messages_by_control_id", "/dhos/v1/message/search/A01").json()


def example(name: str) -> Any:
    """The example of an operation's JSON body."""
    return OPERATIONS[name].definition["requestBody"]["content"]["application/json"]["example"]


def test_answers_about_what_goes_out_fit(app: ASGIApp) -> None:
    oru, cda = ("post_oru_message", "/dhos/v1/oru_message"), ("post_cda_message", "/dhos/v1/cda_message")
    for (name, path), status in ((oru, 204), (cda, 201)):
        assert ask_for(app, name, path, json=example(name)).status_code == status
        assert ask_for(app, name, path, json={}).status_code == 400
    page = ask_for(app, "list_deliveries", "/dhos/v1/delivery", params={"limit": 1})
    assert page.headers["link"].endswith('; rel="next"')
    uuid = page.json()[0]["uuid"]
    for each, status in ((uuid, 200), (UNKNOWN, 404)):
        assert ask_for(app, "get_delivery", f"/dhos/v1/delivery/{each}").status_code == status
        assert ask_for(app, "cancel_delivery", f"/dhos/v1/delivery/{each}/cancel").status_code == status
        assert ask_for(app, "retry_delivery", f"/dhos/v1/delivery/{each}/retry").status_code == status
    ask_for(app, "list_deliveries", "/dhos/v1/delivery", params={"state": "lost"})
    message = ask_for(app, "get_message", f"/dhos/v1/message/{page.json()[0]['message_uuid']}").json()
    assert (message["state"], message["dst_description"]) == ("queued", "mirth")


def test_answers_of_an_installation_that_sends_nothing_fit(database: Database) -> None:
    nowhere = api(database, changes={"outbound": lambda: replace(OUTBOUND, destinations=frozenset())})
    for name, path in (
        ("post_oru_message", "/dhos/v1/oru_message"),
        ("post_cda_message", "/dhos/v1/cda_message"),
    ):
        assert ask_for(nowhere, name, path, json=example(name)).status_code == 501


def test_answers_to_the_other_operations_fit(app: ASGIApp) -> None:
    for name, path in (
        ("check_running", "/running"),
        ("get_version", "/version"),
        ("check_ready", "/ready"),
        ("check_health", "/health/"),
        ("get_metrics", "/metrics"),
    ):
        assert ask_for(app, name, path).status_code == 200
    for name, path in (
        ("get_docs", "/docs"),
        ("get_redoc", "/redoc"),
        ("get_api_docs", "/api/docs/"),
        ("get_api_redoc", "/api/redoc/"),
        ("get_api_schema", "/api/schema/"),
    ):
        assert ask_for(app, name, path).status_code == 200


def test_answers_without_a_database_fit() -> None:
    without = api()
    assert ask_for(without, "get_message", f"/dhos/v1/message/{UNKNOWN}").status_code == 503
    raw = {"content": adt(), "headers": {"Content-Type": "application/hl7-v2"}}
    assert ask_for(without, "post_message", "/dhos/v1/message", **raw).status_code == 503
