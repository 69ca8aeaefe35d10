"""Probes, readiness, metrics, documentation, unknown addresses, request ids."""

import json
import re
from http import HTTPStatus
from urllib.parse import urljoin

import pytest
from openapi_spec_validator import validate

from dhos_connector_api import __version__
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.spec import document as specification
from tests.builders.api import READ, WRITE, api, ask, internal, shared_api

UUID = "2c4f1d24-2952-4d4e-b1d1-3637e33cc161"


def unavailable() -> None:
    """A readiness check that fails."""
    raise StorageUnavailable("the database has not every migration")


def test_running_and_version_need_nothing() -> None:
    app = api(BUILD_NUMBER="77", GIT_HASH="abc1234", changes={"check_ready": unavailable, "metrics": None})
    assert ask(app, "GET", "/running").json() == {"running": True}
    assert ask(app, "GET", "/version").json() == {"circle": "77", "hash": "abc1234", "version": __version__}
    assert ask(app, "HEAD", "/running").status_code == HTTPStatus.OK


def test_ready_says_why_not() -> None:
    assert ask(shared_api(), "GET", "/ready").json() == {"ready": True}
    response = ask(api(changes={"check_ready": unavailable}), "GET", "/ready")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.json() == {"code": 503, "message": "the database has not every migration"}


def test_metrics_are_here_unless_they_have_a_port_of_their_own() -> None:
    response = ask(shared_api(), "GET", "/metrics")
    assert response.text == "up 1.0\n"
    assert response.headers["content-type"].startswith("text/plain")
    assert ask(api(changes={"metrics": None}), "GET", "/metrics").status_code == HTTPStatus.NOT_FOUND


def test_health_is_ready_in_one_word_and_always_there() -> None:
    answer = ask(api(DOCS_ENABLED="false"), "GET", "/health/", params={"probe": "1"})
    assert (answer.status_code, answer.json()) == (HTTPStatus.OK, {"status": "ok"})
    answer = ask(api(changes={"check_ready": unavailable}), "GET", "/health/")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json() == {"code": 503, "message": "the database has not every migration"}
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/api/docs/", "/api/redoc/"])
def test_docs_ask_no_other_host(path: str) -> None:
    app = api(DOCS_ENABLED="true")
    page = ask(app, "GET", path)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "script-src" not in policy
    assert re.findall("<script(?! src=)|<style| on[a-z]+=", page.text) == []
    assets = [urljoin(path, each) for each in re.findall(r'(?:src|href)="([^"]+)"', page.text)]
    assert len(assets) == 4
    for each in assets:
        assert each.startswith("/docs/")
        assert ask(app, "GET", each).status_code == HTTPStatus.OK, each
    assert "http" not in page.text + ask(app, "GET", assets[-1]).text


def test_the_specification_is_at_both_addresses() -> None:
    app = api(DOCS_ENABLED="true")
    shown = ask(app, "GET", "/api/schema/").json()
    assert shown == ask(app, "GET", "/docs/openapi.json").json()
    assert "/dhos/v1/message" in shown["paths"]


def test_authorize_takes_a_bearer_token_and_what_is_shown_is_valid() -> None:
    """What is enforced stays `oauth2`: connexion enforces scopes there alone."""
    enforced = specification.load()
    document = ask(api(DOCS_ENABLED="true"), "GET", "/docs/openapi.json").json()
    validate(document)
    schemes = document["components"]["securitySchemes"]
    assert {name: (each["type"], each.get("scheme")) for name, each in schemes.items()} == {
        "token": ("http", "bearer"),
        "person": ("http", "bearer"),
        "api_key": ("apiKey", None),
    }
    assert "oauth" not in json.dumps(document)
    messages = document["paths"]["/dhos/v1/message"]["post"]
    assert messages["x-scopes"] == ["write:hl7_message"]
    assert messages["security"] == [{"token": []}, {"person": []}]
    assert enforced["components"]["securitySchemes"]["token"]["type"] == "oauth2"
    assert enforced["paths"]["/dhos/v1/message"]["post"]["security"][0] == {"token": ["write:hl7_message"]}


@pytest.mark.parametrize(
    "name", ["x", "index.html", "..%2f__init__.py", "%2e%2e/x", "swagger-ui-bundle.js.map"]
)
def test_docs_serve_nothing_else(name: str) -> None:
    assert ask(api(DOCS_ENABLED="true"), "GET", f"/docs/{name}").status_code == HTTPStatus.NOT_FOUND


def test_docs_can_be_left_out() -> None:
    app = api(DOCS_ENABLED="false")
    for path in (
        *("/docs", "/docs/openapi.json", "/docs/redoc.standalone.js", "/openapi.json", "/ui/"),
        *("/redoc", "/api/docs/", "/api/redoc/", "/api/schema/"),
    ):
        assert ask(app, "GET", path).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/dhos/v1", "/dhos/v1/message/", "/running/", "//running", "/%00", "/é", "/%0a"),
        *("/running%0a", "//dhos/v1/message", "/dhos//v1/message", "/dhos/v1/message%2F"),
        *("/dhos/v1/message.", "/dhos/v1/message;a", "/dhos/v1/message/search/a%0ab", "/docs%2Fstart.js/"),
    ],
)
def test_an_unknown_address_is_404_in_json(path: str) -> None:
    response = ask(shared_api(), "GET", path)
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert response.json() == {"code": 404, "message": "there is nothing under this address"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", f"/dhos/v1/message/{UUID}", {"GET", "HEAD", "PATCH"}),
        ("GET", "/dhos/v1/message", {"POST"}),
        ("OPTIONS", "/dhos/v1/message", {"POST"}),
        ("POST", "/running", {"GET", "HEAD"}),
        ("PUT", "/dhos/v1/message/search", {"GET", "HEAD"}),
    ],
)
def test_another_method_is_405_and_says_which_are_taken(method: str, path: str, allowed: set[str]) -> None:
    response = ask(shared_api(), method, path, token=internal(WRITE, READ))
    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert set(response.json()) == {"code", "message"}
    assert set(response.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 128])
def test_a_usable_request_id_is_taken_over(given: str) -> None:
    assert (
        ask(shared_api(), "GET", "/running", headers={"X-Request-ID": given}).headers["x-request-id"] == given
    )


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "a/b", "é", "a\x7f", '"', "a,b"])
def test_any_other_is_replaced(given: str) -> None:
    headers = {"X-Request-ID": given.encode("latin-1")}
    made = ask(shared_api(), "GET", "/nothing", headers=headers).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", made)


def test_a_handler_that_breaks_is_500_and_says_nothing() -> None:
    def broken() -> None:
        raise ValueError("SECRET")

    response = ask(api(changes={"check_ready": broken}), "GET", "/ready")
    assert response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert response.json() == {"code": 500, "message": "the request failed"}


def test_a_database_that_is_away_is_503_with_a_time_to_come_back() -> None:
    response = ask(shared_api(), "GET", f"/dhos/v1/message/{UUID}", token=internal(READ))
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert int(response.headers["retry-after"]) > 0
