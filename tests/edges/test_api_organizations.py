"""Hospitals, departments, physicians and employees over HTTP: every resource the same way."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.db.listing import MOST_COUNTED
from dhos_connector_api.px.organizations.resources import DEPARTMENT, EMPLOYEE, HOSPITAL, PHYSICIAN, Resource
from tests.builders.api import ask
from tests.builders.organizations import a_department, a_hospital, a_user, body_of, made
from tests.builders.people import person_token, shared_people_api

PLURALS = {
    "hospital": "hospitals",
    "department": "departments",
    "physician": "physicians",
    "employee": "employees",
}
RESOURCES = [HOSPITAL, DEPARTMENT, PHYSICIAN, EMPLOYEE]
every_resource = pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.name)


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return shared_people_api(database)


def path(resource: Resource, id_: object = None) -> str:
    return f"/api/organizations/{PLURALS[resource.name]}/" + (f"{id_}/" if id_ else "")


def new_body(resource: Resource, hospital: UUID, **fields: Any) -> dict[str, Any]:
    return body_of(resource, None if resource is HOSPITAL else hospital, **fields)


@every_resource
def test_each_is_made_read_replaced_changed_and_deactivated(
    app: ASGIApp, database: Database, resource: Resource
) -> None:
    hospital, token = a_hospital(database, region="SA")["id"], person_token(a_user(database, level=100))
    body = new_body(resource, hospital, phone="+966112345678")
    answer = ask(app, "POST", path(resource), token=token, json=body)
    assert answer.status_code == 201, answer.text
    first = answer.json()
    assert first | body == first and first["status"] == "active"
    one = path(resource, first["id"])
    again = ask(app, "GET", one, token=token)
    assert (again.json(), again.headers["ETag"]) == (first, '"1"')

    answer = ask(app, "PATCH", one, token=token, json={"phone": None}, headers={"If-Match": '"1"'})
    assert (answer.json()["phone"], answer.headers["ETag"]) == (None, '"2"')
    for method, more in (("PATCH", {"json": {"phone": None}}), ("PUT", {"json": body}), ("DELETE", {})):
        stale = ask(app, method, one, token=token, headers={"If-Match": '"1"'}, **more)
        assert (stale.status_code, set(stale.json())) == (412, {"detail"})
    answer = ask(app, "PUT", one, token=token, json=body)
    assert (answer.status_code, answer.json()["phone"]) == (200, "+966112345678")

    assert ask(app, "DELETE", one, token=token, headers={"If-Match": '"3"'}).status_code == 204
    gone = ask(app, "GET", one, token=token)
    assert (gone.status_code, gone.json()["status"]) == (200, "inactive")
    for status, there in (("active", False), ("inactive", True)):
        rows = ask(app, "GET", path(resource), token=token, params={"status": status}).json()["results"]
        assert (first["id"] in [each["id"] for each in rows]) is there


@every_resource
def test_pages_have_links_and_the_order_that_was_asked_for(
    app: ASGIApp, database: Database, resource: Resource
) -> None:
    hospital, token = a_hospital(database)["id"], person_token(a_user(database, level=100))
    for _ in range(5):
        made(database, resource, None if resource is HOSPITAL else hospital)
    query: dict[str, Any] = {"page_size": 2, "ordering": f"-{resource.key}"}
    keys, url, pages = [], path(resource), 0
    while url:
        page = ask(app, "GET", url, token=token, params=query if pages == 0 else None).json()
        keys += [each[resource.key] for each in page["results"]]
        pages, url = pages + 1, page["next"]
    assert keys == sorted(keys, reverse=True)
    assert (len(keys), pages) == (page["count"], 3)
    for wrong in ({"ordering": "phone"}, {"colour": "red"}, {"page_size": 201}, {"status": "odd"}):
        assert ask(app, "GET", path(resource), token=token, params=wrong).status_code == 400
    assert ask(app, "GET", path(resource), token=token, params={"page": 9}).status_code == 404


@pytest.mark.parametrize("search", [{}, {"search": "common"}], ids=["all", "search"])
def test_a_list_is_counted_up_to_a_bound_and_goes_on_beyond(
    app: ASGIApp, database: Database, search: dict[str, str]
) -> None:
    token = person_token(a_user(database, level=100))
    with database.statements() as connection:
        connection.execute(
            text("INSERT INTO hospital (id, created_at, updated_at, code, name, search)"
            " SELECT gen_random_uuid(), now(), now(), n, lpad(n::text, 6, '0'), array_to_tsvector('{common}')"
            " FROM generate_series(1, :rows) n"), {"rows": MOST_COUNTED + 60},
        )  # fmt: skip
    numbers = [MOST_COUNTED // 50, MOST_COUNTED // 50 + 1, MOST_COUNTED // 50 + 2, MOST_COUNTED // 50 + 3]
    answers = [ask(app, "GET", path(HOSPITAL), token=token, params=search | {"page": n}) for n in numbers]
    assert [each.status_code for each in answers] == [200, 200, 200, 404]
    pages = [each.json() for each in answers[:3]]
    assert {page["count"] for page in pages} == {MOST_COUNTED}
    assert [(len(page["results"]), page["next"] is None) for page in pages] == [
        (50, False), (50, False), (10, True)
    ]  # fmt: skip
    assert pages[1]["results"][0]["name"] == f"{MOST_COUNTED + 1:06}"


@every_resource
def test_what_is_of_another_hospital_is_not_there(
    app: ASGIApp, database: Database, resource: Resource
) -> None:
    own, other = a_hospital(database)["id"], a_hospital(database)["id"]
    token = person_token(a_user(database, own, level=80))
    foreign = other if resource is HOSPITAL else made(database, resource, other)["id"]
    body = new_body(resource, own)
    one = path(resource, foreign)
    assert ask(app, "GET", one, token=token).status_code == 404
    assert ask(app, "PATCH", one, token=token, json={"phone": None}).status_code == 404
    assert ask(app, "PUT", one, token=token, json=body).status_code == 404
    assert ask(app, "DELETE", one, token=token).status_code == (403 if resource is HOSPITAL else 404)
    rows = ask(app, "GET", path(resource), token=token).json()["results"]
    assert str(foreign) not in [each["id"] for each in rows]
    if resource is HOSPITAL:
        assert ask(app, "POST", path(resource), token=token, json=body).status_code == 403
    else:
        answer = ask(app, "POST", path(resource), token=token, json=new_body(resource, other))
        assert (answer.status_code, set(answer.json())) == (400, {"hospital"})
        assert ask(app, "POST", path(resource), token=token, json=body).status_code == 201


@every_resource
def test_what_does_not_fit_is_told_by_field(app: ASGIApp, database: Database, resource: Resource) -> None:
    hospital, token = a_hospital(database)["id"], person_token(a_user(database, level=100))
    first = ask(app, "POST", path(resource), token=token, json=new_body(resource, hospital)).json()
    key = {resource.key: first[resource.key]}
    for body, names in (
        (new_body(resource, hospital, **key), {resource.key}),
        (new_body(resource, hospital, phone="not one", status="odd"), {"status"}),
        (new_body(resource, hospital, phone="not one"), {"phone"}),
        (new_body(resource, hospital, id=first["id"]), {"non_field_errors"}),
    ):
        answer = ask(app, "POST", path(resource), token=token, json=body)
        assert answer.status_code == 400, answer.text
        assert set(answer.json()) == names or "non_field_errors" in answer.json(), answer.text
    assert ask(app, "GET", path(resource, uuid4()), token=token).status_code == 404
    assert ask(app, "GET", path(resource, "nothing"), token=token).status_code == 404


def test_only_who_reaches_all_hospitals_changes_the_code_or_status_of_one(
    app: ASGIApp, database: Database
) -> None:
    """By its code sources find it: another's would bring another's patients."""
    own, other = a_hospital(database), a_hospital(database)
    one, admin = path(HOSPITAL, own["id"]), person_token(a_user(database, own["id"], level=80))
    for field, value in (("code", f"{own['code']}-2"), ("status", "inactive")):
        answer = ask(app, "PATCH", one, token=admin, json={field: value})
        assert (answer.status_code, set(answer.json())) == (400, {field})
    same = {"code": own["code"], "status": "active", "name": "Renamed"}
    assert ask(app, "PUT", one, token=admin, json=same).status_code == 200
    root = person_token(a_user(database, level=100))
    answer = ask(app, "PATCH", one, token=root, json={"code": other["code"].lower()})
    assert (answer.status_code, set(answer.json())) == (400, {"code"})
    assert ask(app, "PATCH", one, token=root, json={"code": "own-2"}).status_code == 200


def test_departments_are_filtered_by_parent_and_searched(app: ASGIApp, database: Database) -> None:
    hospital, token = a_hospital(database)["id"], person_token(a_user(database, level=100))
    top = a_department(database, hospital, name="عيادة القلب", code="CARD")["id"]
    below = a_department(database, hospital, parent=str(top))["id"]

    def ids(**query: object) -> list[str]:
        found = ask(app, "GET", path(DEPARTMENT), token=token, params=query).json()
        return [each["id"] for each in found["results"]]

    assert ids(parent=top) == [str(below)]
    assert ids(search="عياده") == ids(search="قلب") == ids(search="card", hospital=hospital) == [str(top)]
    assert ids(hospital=uuid4()) == []
    answer = ask(app, "GET", path(DEPARTMENT), token=token, params={"hospital": "x" * 36})
    assert (answer.status_code, set(answer.json())) == (400, {"hospital"})


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@every_resource
def test_a_page_takes_as_many_statements_however_long_it_is(
    app: ASGIApp, database: Database, resource: Resource
) -> None:
    hospital, token = a_hospital(database)["id"], person_token(a_user(database, level=100))
    counts = set()
    for wanted in (1, 30):
        for _ in range(wanted):
            made(database, resource, None if resource is HOSPITAL else hospital)
        with statements(database) as seen:
            answer = ask(app, "GET", path(resource), token=token)
        assert answer.json()["count"] >= wanted
        counts.add(len(seen))
    assert counts == {3}  # who asks, how many there are, the page


@every_resource
def test_a_persons_contact_reaches_no_log_and_no_error(
    app: ASGIApp, database: Database, resource: Resource, capsys: Any, caplog: Any
) -> None:
    caplog.set_level("DEBUG")
    hospital, token = a_hospital(database, region="SA")["id"], person_token(a_user(database, level=100))
    canaries = {"phone": "+966 CANARY 0500123456789012", "email": "canary-mail@", "name_ar": "قناري"}
    if resource not in (HOSPITAL, DEPARTMENT):
        canaries |= {"first_name": "Canaryfirst", "last_name": "Canarylast", "name_ar": ""}
    body = new_body(resource, hospital) | {
        name: text for name, text in canaries.items() if name in resource.fields and text
    }
    answer = ask(app, "POST", path(resource), token=token, json=body)
    assert answer.status_code == 400
    ask(app, "GET", path(resource), token=token, params={"search": "Canaryfirst"})
    own = [each for each in caplog.records if each.name.startswith("dhos")]  # the client logs addresses
    assert own
    shown = answer.text + "".join(str(vars(each)) for each in own) + json.dumps(capsys.readouterr())
    for each in filter(None, canaries.values()):
        assert each not in shown
