"""The audit trail over HTTP: filters, order, pages, and the export in parts."""

import csv
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Response
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.audit.store import COMMAND, Entry, record
from tests.builders.api import ask
from tests.builders.people import a_user, person_token, shared_people_api
from tests.rigs.answers import OPERATIONS, fits


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return shared_people_api(database)


@pytest.fixture
def token(database: Database) -> str:
    with database.transaction() as connection:
        return person_token(a_user(connection, 100))


def written(database: Database, *entries: Entry) -> None:
    for each in entries:
        with database.transaction() as connection:
            record(connection, each)


def asked(app: ASGIApp, token: str, operation: str = "list_audit_events", **query: Any) -> Response:
    found = OPERATIONS[operation]
    return fits(found, ask(app, "GET", found.path, token=token, params=query))


def test_entries_are_found_by_who_what_and_when(app: ASGIApp, database: Database, token: str) -> None:
    actor, patient, hospital = uuid4(), uuid4(), uuid4()
    written(
        database,
        Entry(COMMAND, "import", "hospital", hospital, hospital),
        Entry(actor, "look", "patient", patient, hospital, "request-1"),
        Entry(actor, "change", "patient", patient, hospital, "request-2", ("phone",)),
    )
    for query, actions in (
        ({}, ["change", "look", "import"]),
        ({"ordering": "at"}, ["import", "look", "change"]),
        ({"actor": actor}, ["change", "look"]),
        ({"action": "look", "hospital": hospital}, ["look"]),
        ({"object_type": "hospital"}, ["import"]),
        ({"object_id": patient, "ordering": "at"}, ["look", "change"]),
        ({"hospital": uuid4()}, []),
        ({"from": "2020-01-01T00:00:00Z"}, ["change", "look", "import"]),
        ({"to": "2020-01-01"}, []),
    ):
        answer = asked(app, token, **query)
        assert answer.status_code == 200, answer.text
        assert [each["action"] for each in answer.json()["results"]] == actions, query
        assert answer.json()["count"] == len(actions)
    first = asked(app, token).json()["results"][0]
    assert (first["actor"], first["object_id"], first["hospital"]) == (
        str(actor),
        str(patient),
        str(hospital),
    )
    assert (first["fields"], first["request_id"]) == (["phone"], "request-2")


def test_pages_have_links_that_keep_the_filters(app: ASGIApp, database: Database, token: str) -> None:
    hospital = uuid4()
    written(database, *(Entry(COMMAND, "import", "hospital", None, hospital) for _ in range(5)))
    since = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
    page = asked(app, token, page_size=2, ordering="at", hospital=hospital, **{"from": since}).json()
    ids = [each["id"] for each in page["results"]]
    while page["next"]:
        page = ask(app, "GET", page["next"], token=token).json()
        ids += [each["id"] for each in page["results"]]
    assert (len(set(ids)), ids) == (5, sorted(ids))
    assert asked(app, token, page=9).status_code == 404


@pytest.mark.parametrize(
    "query",
    [{"actor": "nobody"}, {"action": ""}, {"from": "yesterday"}, {"to": "0001-01-01T00:00+14:00"},
     {"colour": "red"}, {"ordering": "actor"}, {"page_size": 201}],
)  # fmt: skip
def test_what_is_no_filter_is_refused(app: ASGIApp, token: str, query: dict[str, Any]) -> None:
    assert asked(app, token, **query).status_code == 400


def parts(app: ASGIApp, token: str, **query: Any) -> list[str]:
    answer = asked(app, token, "export_audit_events", **query)
    texts = [answer.text]
    path = OPERATIONS["export_audit_events"].path
    while link := answer.headers.get("Link"):
        answer = ask(app, "GET", path + link[1 : link.index(">")], token=token)
        texts.append(answer.text)
    return texts


def test_an_export_in_parts_has_every_entry_once(app: ASGIApp, database: Database, token: str) -> None:
    objects = [uuid4() for _ in range(5)]
    written(
        database, *(Entry(COMMAND, "change", "patient", each, None, None, ("a", "b")) for each in objects)
    )
    found = [
        json.loads(line) for text in parts(app, token, format="jsonl", limit=2) for line in text.splitlines()
    ]
    assert [UUID(each["object_id"]) for each in found] == objects
    assert found[0]["fields"] == ["a", "b"]
    texts = parts(app, token, limit=4, object_type="patient")
    rows = [row for text in texts for row in csv.DictReader(text.splitlines())]
    assert len(texts) == 2
    assert [(UUID(each["object_id"]), each["fields"], each["actor"]) for each in rows] == [
        (each, "a b", "") for each in objects
    ]


def test_an_export_is_of_the_time_that_was_asked_for(app: ASGIApp, database: Database, token: str) -> None:
    written(database, Entry(COMMAND, "import", "hospital"))
    assert parts(app, token, to="2020-01-01", format="jsonl") == [""]
    for wrong in ({"format": "xml"}, {"from": "2026-02-01", "to": "2026-01-01"}, {"limit": 20_001}):
        assert asked(app, token, "export_audit_events", **wrong).status_code == 400
    never = f"20261399T000000.000000-{uuid4().hex}"
    assert asked(app, token, "export_audit_events", cursor=never).status_code == 400
