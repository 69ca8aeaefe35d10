"""Templates of journeys and of stages over HTTP."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Response
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from tests.builders.api import ask
from tests.builders.journey_templates import a_template, stage_body, stage_ids, template_body
from tests.builders.organizations import a_hospital, a_user
from tests.builders.people import people_api, person_token
from tests.rigs.answers import OPERATIONS, fits

TEMPLATES, STAGES = "/api/journeys/templates/", "/api/journeys/stage-templates/"
NAMES = {TEMPLATES: "journey_template", STAGES: "stage_template"}


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return people_api(database)


@pytest.fixture
def hospital(database: Database) -> UUID:
    found: UUID = a_hospital(database, name="AlHammadi Hospital")["id"]
    return found


@pytest.fixture
def token(database: Database, hospital: UUID) -> str:
    return person_token(a_user(database, hospital, level=80))


def asked(app: ASGIApp, token: str, method: str, path: str, id_: object = None, **sent: Any) -> Response:
    """The answer, which fits the specification."""
    verb = {"POST": "create", "GET": "get", "PUT": "replace", "PATCH": "change", "DELETE": "delete"}[method]
    name = NAMES[path] if id_ or method == "POST" else f"{NAMES[path]}s"
    operation = OPERATIONS[f"{verb if id_ or method == 'POST' else 'list'}_{name}"]
    address = path + (f"{id_}/" if id_ else "")
    return fits(operation, ask(app, method, address, token=token, **sent))


def test_a_template_is_shown_with_its_active_stages_in_order(
    app: ASGIApp, token: str, hospital: UUID
) -> None:
    body = template_body(hospital, journey_type="opd", is_default=True)
    made = asked(app, token, "POST", TEMPLATES, json=body)
    assert made.status_code == 201, made.text
    template = made.json()
    assert template | body == template
    assert (template["stages"], template["stage_count"], template["current_version"]) == ([], 0, 1)
    survey = str(uuid4())
    for order, code in ((2, "SECOND"), (1, "FIRST"), (3, "GONE")):
        more = {"order": order, "code": code, "survey_template": survey, "survey_delay_hours": 2}
        stage = asked(app, token, "POST", STAGES, json=stage_body(template["id"], **more))
        assert stage.status_code == 201, stage.text
        assert (stage.json()["survey_template"], stage.json()["survey_template_name"]) == (survey, None)
    assert asked(app, token, "DELETE", STAGES, stage.json()["id"]).status_code == 204
    gone = asked(app, token, "GET", STAGES, stage.json()["id"]).json()
    assert gone["is_active"] is False
    shown = asked(app, token, "GET", TEMPLATES, template["id"])
    assert [each["code"] for each in shown.json()["stages"]] == ["FIRST", "SECOND"]
    assert (shown.json()["hospital_name"], shown.json()["stage_count"]) == ("AlHammadi Hospital", 2)
    assert (shown.json()["current_version"], shown.headers["ETag"]) == (5, '"5"')
    listed = asked(app, token, "GET", TEMPLATES).json()["results"]
    assert "stages" not in listed[0] and listed[0]["stage_count"] == 2


def test_of_two_who_edit_at_once_the_second_is_told(app: ASGIApp, token: str, hospital: UUID) -> None:
    template = asked(app, token, "POST", TEMPLATES, json=template_body(hospital)).json()["id"]
    body = stage_body(template)
    stage = asked(app, token, "POST", STAGES, json=body).json()["id"]
    first, stale = {"If-Match": '"2"'}, {"If-Match": '"1"'}
    whole = template_body(hospital)
    for path, id_, body_, name in ((TEMPLATES, template, whole, first), (STAGES, stage, body, stale)):
        done = asked(app, token, "PATCH", path, id_, json={"name_ar": "اسم"}, headers=name)
        assert (done.status_code, done.json()["name_ar"]) == (200, "اسم")
        for method, sent in (
            ("PATCH", {"json": {"name_ar": None}}),
            ("PUT", {"json": body_}),
            ("DELETE", {}),
        ):
            assert asked(app, token, method, path, id_, headers=name, **sent).status_code == 412
    assert asked(app, token, "PATCH", STAGES, stage, json={"order": 9}).status_code == 200
    late = asked(app, token, "PATCH", TEMPLATES, template, json={"name": "Late"}, headers={"If-Match": '"3"'})
    assert late.status_code == 412, "a change of its stages is one of the template"


def test_what_changes_nothing_leaves_the_version_and_no_entry(
    app: ASGIApp, database: Database, token: str, hospital: UUID
) -> None:
    whole = template_body(hospital)
    template = asked(app, token, "POST", TEMPLATES, json=whole).json()["id"]
    body = stage_body(template, trigger_event_code="A|B")
    stage = asked(app, token, "POST", STAGES, json=body).json()["id"]

    def state() -> list[Any]:
        shown = [asked(app, token, "GET", *one) for one in ((TEMPLATES, template), (STAGES, stage))]
        with database.statements() as connection:
            entries = connection.execute(text("SELECT count(*) FROM audit_event")).scalar_one()
        return [entries, *((each.headers["ETag"], each.json()) for each in shown)]

    before = state()
    for path, id_, method, sent in (
        (TEMPLATES, template, "PATCH", {"is_active": True}),
        (TEMPLATES, template, "PATCH", {"name": f" {whole['name']} "}),
        (TEMPLATES, template, "PUT", whole),
        (STAGES, stage, "PATCH", {"is_active": True}),
        (STAGES, stage, "PATCH", {"trigger_event_code": " A | B | A"}),
        (STAGES, stage, "PUT", body),
    ):
        answer = asked(app, token, method, path, id_, json=sent)
        tag = before[1 if path == TEMPLATES else 2][0]
        assert (answer.status_code, answer.headers.get("ETag")) == (200, tag), (method, path, sent)
        assert state() == before, (method, path, sent)
    stale = asked(app, token, "PATCH", STAGES, stage, json={"is_active": True}, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    assert asked(app, token, "PATCH", STAGES, stage, json={"code": " "}).status_code == 400


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"journey_type": "odd"}, "journey_type"),
        ({"name": " "}, "name"),
        ({"hospital": "x"}, "hospital"),
        ({"colour": 1}, "non_field_errors"),
        ({"post_discharge_survey_template": "x"}, "post_discharge_survey_template"),
    ],
)
def test_what_does_not_fit_of_a_template_is_said_by_field(
    app: ASGIApp, token: str, hospital: UUID, given: dict[str, Any], field: str
) -> None:
    answer = asked(app, token, "POST", TEMPLATES, json=template_body(hospital) | given)
    assert (answer.status_code, list(answer.json())) == (400, [field])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"survey_delay_hours": 73}, "survey_delay_hours"),
        ({"survey_delay_hours": -1}, "survey_delay_hours"),
        ({"trigger_event_code": " | "}, "trigger_event_code"),
        ({"order": "1"}, "order"),
        ({"journey_template": "f5c3fdda-5891-4ae7-85b3-b245a5698e88"}, "journey_template"),
    ],
    ids=str,
)
def test_what_does_not_fit_of_a_stage_is_said_by_field(
    app: ASGIApp, token: str, hospital: UUID, given: dict[str, Any], field: str
) -> None:
    template = asked(app, token, "POST", TEMPLATES, json=template_body(hospital)).json()["id"]
    answer = asked(app, token, "POST", STAGES, json=stage_body(template, **given))
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_a_second_default_is_refused_and_the_first_is_named(app: ASGIApp, token: str, hospital: UUID) -> None:
    def post(**fields: Any) -> Response:
        return asked(app, token, "POST", TEMPLATES, json=template_body(hospital, **fields))

    first = post(is_default=True).json()["id"]
    refused = post(is_default=True)
    assert (refused.status_code, first in refused.json()["is_default"][0]) == (400, True)
    assert post(is_default=True, journey_type="ems").status_code == 201
    second = post().json()["id"]
    assert asked(app, token, "PATCH", TEMPLATES, second, json={"is_default": True}).status_code == 400
    assert asked(app, token, "DELETE", TEMPLATES, first).status_code == 204
    assert asked(app, token, "PATCH", TEMPLATES, second, json={"is_default": True}).status_code == 200
    assert asked(app, token, "PATCH", TEMPLATES, first, json={"is_active": True}).status_code == 400


def test_whose_it_is_never_changes(app: ASGIApp, database: Database, hospital: UUID) -> None:
    admin, other = person_token(a_user(database, level=100)), a_hospital(database)["id"]
    first, second = (
        asked(app, admin, "POST", TEMPLATES, json=template_body(hospital)).json()["id"] for _ in range(2)
    )
    moved = asked(app, admin, "PATCH", TEMPLATES, first, json={"hospital": str(other)})
    assert (moved.status_code, list(moved.json())) == (400, ["hospital"])
    stage = asked(app, admin, "POST", STAGES, json=stage_body(first)).json()["id"]
    moved = asked(app, admin, "PATCH", STAGES, stage, json={"journey_template": second})
    assert (moved.status_code, list(moved.json())) == (400, ["journey_template"])


def test_lists_are_filtered_searched_and_sorted(
    app: ASGIApp, database: Database, token: str, hospital: UUID
) -> None:
    with database.transaction() as connection:
        ems = a_template(connection, hospital, journey_type="ems", name="Emergency")
        stage = stage_ids(connection, ems)["MD_VISIT"]
    body = template_body(hospital, name="Clinic", name_ar="رحلة العيادة", journey_type="opd")
    opd = asked(app, token, "POST", TEMPLATES, json=body).json()["id"]

    def ids(path: str, **query: Any) -> list[str]:
        answer = asked(app, token, "GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()["results"]]

    assert ids(TEMPLATES) == [opd, str(ems)]
    assert ids(TEMPLATES, ordering="-name") == [str(ems), opd]
    for query in (
        {"journey_type": "opd"},
        {"is_default": "false"},
        {"search": "clin"},
        {"search": "العياده"},
    ):
        assert ids(TEMPLATES, **query) == [opd], query
    assert ids(TEMPLATES, hospital=str(hospital), is_active="false") == []
    assert asked(app, token, "PATCH", STAGES, stage, json={"is_active": False}).status_code == 200
    assert len(ids(STAGES, journey_template=str(ems), is_active="true")) == 4
    assert ids(STAGES, journey_template=str(ems), is_active="false") == [str(stage)]
    for path in (TEMPLATES, STAGES):
        for wrong in ({"colour": "red"}, {"is_active": "yes"}, {"ordering": "version"}, {"page_size": 201}):
            assert asked(app, token, "GET", path, params=wrong).status_code == 400
        assert asked(app, token, "GET", path, params={"page": 9}).status_code == 404
