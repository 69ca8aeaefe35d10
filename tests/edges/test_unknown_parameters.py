"""Query parameters nobody knows: a bad request by name at every operation, but not at probes."""

import pytest
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.spec import document as specification
from dhos_connector_api.spec.document import Operation
from tests.builders.api import ask, internal
from tests.builders.his import HIS_SECRET
from tests.builders.people import a_px_admin, people_api

OPERATIONS = list(specification.operations(specification.load()))
PROBES = [each for each in OPERATIONS if each.definition["tags"] == ["operations"]]
OTHERS = [each for each in OPERATIONS if each not in PROBES]
UUID = "2c4f1d24-2952-4d4e-b1d1-3637e33cc161"


@pytest.fixture(scope="module")
def app(_session_database: Database) -> ASGIApp:
    """The application, where persons can log in."""
    return people_api(_session_database, HIS_WEBHOOK_SECRET=HIS_SECRET, DOCS_ENABLED="true")


@pytest.fixture(scope="module")
def person(_session_database: Database) -> str:
    """The token of a PX Admin."""
    return a_px_admin(_session_database)


def refusal(app: ASGIApp, person: str, operation: Operation, query: str) -> str:
    """The words with which that query is refused."""
    path = operation.path
    for each in operation.parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", UUID)
    scopes = [scope for each in operation.definition["security"] for scope in each.get("token", ())]
    token = person if operation.is_of_wing else internal(*scopes)
    answer = ask(app, operation.method.upper(), f"{path}?{query}", token=token, json={})
    assert answer.status_code == 400
    found = answer.json()
    if operation.is_of_wing:
        ((said,),) = found.values()
        return str(said)
    return str(found.get("message") or found["error"])


@pytest.mark.parametrize("operation", OTHERS, ids=lambda each: each.id)
@pytest.mark.parametrize("name", ["colour", "Limit", "_", "created_by", "MRN"])
def test_an_unknown_parameter_is_named(app: ASGIApp, person: str, operation: Operation, name: str) -> None:
    said = refusal(app, person, operation, f"{name}=1234567890")
    known = [each["name"] for each in operation.parameters if each["in"] == "query"]
    assert said.startswith(f"query: the operation takes no parameter {name}; it takes ")
    assert said.endswith(", ".join(known) or "none")
    assert "1234567890" not in said


@pytest.mark.parametrize("operation", OTHERS, ids=lambda each: each.id)
@pytest.mark.parametrize(
    "query", ["=x", "9990000220", "M%C3%BCller=1", "a%20b=1", f"{'x' * 41}=1", "x=1&x=2"]
)
def test_a_name_that_may_be_a_value_is_not_quoted(
    app: ASGIApp, person: str, operation: Operation, query: str
) -> None:
    said = refusal(app, person, operation, query)
    assert said.startswith("query: the operation takes no parameter")
    assert not any(part in said for part in ("9990000220", "M\u00fcller", "a b", "x" * 41))


def test_a_known_filter_beside_an_unknown_one_helps_nothing(app: ASGIApp, person: str) -> None:
    operation = next(each for each in OPERATIONS if each.id == "list_deliveries")
    assert "no parameter colour; it takes " in refusal(app, person, operation, "limit=5&colour=red")


@pytest.mark.parametrize("operation", PROBES, ids=lambda each: each.id)
def test_a_probe_takes_any(app: ASGIApp, operation: Operation) -> None:
    assert ask(app, "GET", f"{operation.path}?colour=red").status_code == 200
