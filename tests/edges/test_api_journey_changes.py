"""Journeys opened, closed, cancelled and settled by hand over HTTP, and explained."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from tests.builders.api import ask
from tests.builders.journey_rows import a_patient, journey_body, stages_of
from tests.builders.journey_templates import a_template
from tests.builders.organizations import a_department, a_hospital, a_user
from tests.builders.people import people_api, person_token
from tests.rigs.answers import OPERATIONS, fits

JOURNEYS = "/api/journeys/instances/"
STAGES = "/api/journeys/stage-instances/"
TWO = {"MD": "OPD_VISIT_COMPLETED", "LAB": "LAB_ORDER_COMPLETED"}
REASON = {"reason": "It took place"}


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return people_api(database)


@pytest.fixture
def hospital(database: Database) -> UUID:
    found: UUID = a_hospital(database)["id"]
    return found


@pytest.fixture
def token(database: Database, hospital: UUID) -> str:
    return person_token(a_user(database, hospital, level=50))


def body(database: Database, hospital: UUID, **fields: Any) -> dict[str, Any]:
    """The body of a new journey of two stages."""
    with database.transaction() as connection:
        if "journey_template" not in fields:
            fields["journey_template"] = str(a_template(connection, hospital, TWO, is_default=False))
        return journey_body(connection, hospital, **fields)


def opened(app: ASGIApp, token: str, given: dict[str, Any]) -> dict[str, Any]:
    answer = fits(OPERATIONS["create_journey"], ask(app, "POST", JOURNEYS, token=token, json=given))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def stages(database: Database, journey: str) -> dict[str, UUID]:
    with database.statements() as connection:
        return stages_of(connection, UUID(journey))


def act(app: ASGIApp, token: str, url: str, given: Any = None) -> tuple[int, Any]:
    answer = ask(app, "POST", url, token=token, json=REASON if given is None else given)
    return answer.status_code, answer.json()


def progress(app: ASGIApp, token: str, journey: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(app, "GET", f"{JOURNEYS}{journey}/progress/", token=token).json()
    return found


def test_a_journey_is_opened_by_hand_with_the_stages_of_the_template_given(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    ward = a_department(database, hospital)["id"]
    with database.transaction() as connection:
        a_template(connection, hospital, {"OTHER": "X"})  # the default, which is not meant
    given = body(database, hospital, department=str(ward), metadata={"admission_type": "scheduled", "n": [1]})
    made = opened(app, token, given | {"encounter_id": " ENC 1 "})
    assert made | given | {"encounter_id": "ENC 1"} == made
    assert (made["status"], made["journey_type"], made["stage_count"]) == ("active", "opd", 2)
    assert list(stages(database, made["id"])) == ["MD", "LAB"]
    assert ask(app, "GET", f"{JOURNEYS}{made['id']}/", token=token).json() == made
    again = ask(app, "POST", JOURNEYS, token=token, json=given | {"encounter_id": "ENC 1"})
    assert (again.status_code, again.json()) == (400, {"encounter_id": ["has a journey already"]})
    with database.statements() as connection:
        evidence = connection.execute(text("SELECT source, code, state FROM evidence")).all()
    assert [tuple(row) for row in evidence] == [("person", "JOURNEY_OPENED", "applied")]


def test_what_a_new_journey_names_is_of_its_hospital(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    other = a_hospital(database)["id"]
    given = body(database, hospital)
    with database.transaction() as connection:
        patient, template = a_patient(connection, other), a_template(connection, other)
        inactive = a_template(connection, hospital, is_default=False, is_active=False)
    for name, wrong in (
        *(("patient", patient), ("patient", uuid4()), ("journey_template", template)),
        *(("journey_template", inactive), ("journey_template", uuid4()), ("hospital", other)),
        *(("department", a_department(database, other)["id"]), ("department", uuid4())),
        *(("encounter_id", "  "), ("metadata", [1])),
    ):
        sent = given | {name: wrong if isinstance(wrong, list) else str(wrong)}
        answer = fits(OPERATIONS["create_journey"], ask(app, "POST", JOURNEYS, token=token, json=sent))
        assert (answer.status_code, set(answer.json())) == (400, {name}), answer.text
    opened(app, token, given)


def test_a_manager_opens_journeys_in_his_departments_alone(
    app: ASGIApp, database: Database, hospital: UUID
) -> None:
    ward, other = a_department(database, hospital)["id"], a_department(database, hospital)["id"]
    below = a_department(database, hospital, parent=str(ward))["id"]
    manager = person_token(a_user(database, hospital, level=60, department=ward))
    for department in ({}, {"department": str(other)}):
        answer = ask(app, "POST", JOURNEYS, token=manager, json=body(database, hospital, **department))
        assert (answer.status_code, set(answer.json())) == (400, {"department"})
    made = opened(app, manager, body(database, hospital, department=str(below)))
    assert made["department"] == str(below)


def test_stages_are_completed_skipped_and_reopened_by_hand(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    journey = opened(app, token, body(database, hospital))["id"]
    ids = stages(database, journey)
    status, shown = act(app, token, f"{STAGES}{ids['MD']}/complete/")
    assert (status, shown["status"], shown["id"]) == (200, "completed", str(ids["MD"]))
    found = progress(app, token, journey)
    assert (found["completion_percentage"], found["status"]) == (50, "active")
    assert act(app, token, f"{STAGES}{ids['MD']}/complete/")[0] == 409
    assert act(app, token, f"{STAGES}{ids['MD']}/skip/")[0] == 409
    status, shown = act(app, token, f"{STAGES}{ids['MD']}/reopen/")
    assert (status, shown["status"], shown["completed_at"], shown["reopened"]) == (200, "pending", None, 1)
    assert act(app, token, f"{STAGES}{ids['MD']}/reopen/")[0] == 409
    assert act(app, token, f"{STAGES}{ids['LAB']}/skip/")[1]["status"] == "skipped"
    for wrong in ({}, {"reason": ""}, {"reason": "x", "status": "skipped"}):
        assert act(app, token, f"{STAGES}{ids['MD']}/complete/", wrong)[0] == 400


def test_all_stages_complete_close_a_journey(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    journey = opened(app, token, body(database, hospital))["id"]
    for each in stages(database, journey).values():
        assert act(app, token, f"{STAGES}{each}/complete/")[0] == 200
    found = progress(app, token, journey)
    assert (found["completion_percentage"], found["is_complete"], found["status"]) == (100, True, "completed")
    with database.statements() as connection:
        told = connection.execute(text("SELECT count(*) FROM outbox WHERE routing_key = 'dhos.px_event'"))
        assert told.scalar_one() == 3  # two stages, and the end


def test_of_eight_who_complete_one_stage_at_once_one_does(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    journey = opened(app, token, body(database, hospital))["id"]
    stage = stages(database, journey)["MD"]
    together = threading.Barrier(8)

    def one(_: int) -> tuple[int, Any]:
        together.wait()
        return act(app, token, f"{STAGES}{stage}/complete/")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(8)))
    assert Counter(status for status, _ in answers) == {200: 1, 409: 7}
    (won,) = (shown for status, shown in answers if status == 200)
    assert ask(app, "GET", f"{STAGES}{stage}/", token=token).json() == won
    told = "SELECT count(*) FROM outbox WHERE routing_key = 'dhos.px_event'"
    with database.statements() as connection:
        assert connection.execute(text(told)).scalar_one() == 1
        settled = "SELECT count(*) FROM evidence WHERE code <> 'JOURNEY_OPENED'"
        assert connection.execute(text(settled)).scalar_one() == 1


def test_a_journey_is_closed_and_cancelled_with_a_reason_and_once(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    journey = opened(app, token, body(database, hospital))["id"]
    one = f"{JOURNEYS}{journey}/"
    ids = stages(database, journey)
    assert act(app, token, f"{one}close/", {})[0] == 400
    status, shown = act(app, token, f"{one}close/")
    assert (status, shown["status"], shown["ending"]) == (200, "completed", "person")
    assert act(app, token, f"{one}close/")[0] == 409
    assert {each["status"] for each in progress(app, token, journey)["stages"]} == {"skipped"}
    assert act(app, token, f"{STAGES}{ids['MD']}/reopen/")[0] == 409
    status, shown = act(app, token, f"{STAGES}{ids['MD']}/complete/")
    assert (status, shown["status"], shown["is_late"]) == (200, "completed", True)
    for _ in range(2):
        status, shown = act(app, token, f"{one}cancel/")
        assert (status, shown["status"]) == (200, "cancelled")
    assert act(app, token, f"{STAGES}{ids['LAB']}/complete/")[0] == 409
    assert ask(app, "DELETE", one, token=token).status_code == 204
    query = "SELECT action FROM audit_event WHERE action <> 'look' ORDER BY at, id"
    with database.statements() as connection:
        actions = connection.execute(text(query)).scalars().all()
    assert actions == ["create", "close", "complete", "cancel"]


def test_what_people_keep_of_a_journey_is_changed_in_the_version_they_have_seen(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    journey = opened(app, token, body(database, hospital))["id"]
    one, kept = f"{JOURNEYS}{journey}/", {"metadata": {"bed": "7", "نوع": "مجدول"}}
    answer = ask(app, "PATCH", one, token=token, json=kept, headers={"If-Match": '"1"'})
    assert (answer.json()["metadata"], answer.headers["ETag"]) == (kept["metadata"], '"2"')
    again = ask(app, "PUT", one, token=token, json=kept, headers={"If-Match": '"2"'})
    assert (again.status_code, again.headers["ETag"]) == (200, '"2"')
    query = "SELECT count(*) FROM audit_event WHERE action = 'change'"
    with database.statements() as connection:
        assert connection.execute(text(query)).scalar_one() == 1, "what changes nothing leaves no entry"
    requests: tuple[tuple[str, dict[str, Any]], ...] = (("PUT", {"json": {"metadata": {}}}), ("DELETE", {}))
    for method, more in requests:
        stale = ask(app, method, one, token=token, headers={"If-Match": '"1"'}, **more)
        assert (stale.status_code, set(stale.json())) == (412, {"detail"})
    act(app, token, f"{STAGES}{stages(database, journey)['MD']}/complete/")
    assert ask(app, "GET", one, token=token).json()["metadata"] == kept["metadata"]
    assert ask(app, "PATCH", one, token=token, json={"status": "completed"}).status_code == 400
    assert ask(app, "DELETE", one, token=token).status_code == 204
    shown = ask(app, "GET", one, token=token).json()
    assert (shown["status"], shown["ending"]) == ("cancelled", "cancelled")


def test_a_journey_is_closed_and_its_stages_are_settled_in_the_version_that_was_seen(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    journey = opened(app, token, body(database, hospital))["id"]
    one = f"{JOURNEYS}{journey}/"
    stage = f"{STAGES}{stages(database, journey)['MD']}/"

    def tag(url: str) -> str:
        return ask(app, "GET", url, token=token).headers["ETag"]

    assert tag(stage) == tag(one)
    for url in (f"{stage}complete/", f"{stage}reopen/", f"{stage}skip/", f"{one}close/"):
        seen = tag(stage)
        kept = {"metadata": {"changed by": url}}
        assert ask(app, "PATCH", one, token=token, json=kept).status_code == 200
        operation = OPERATIONS[f"{url.rstrip('/').rsplit('/', 1)[1]}_journey{'_stage' * (stage in url)}"]
        stale = fits(operation, ask(app, "POST", url, token=token, json=REASON, headers={"If-Match": seen}))
        assert (stale.status_code, set(stale.json())) == (412, {"detail"})
        headers = {"If-Match": tag(stage)}
        done = fits(operation, ask(app, "POST", url, token=token, json=REASON, headers=headers))
        assert (done.status_code, done.headers["ETag"]) == (200, tag(one)), url
        assert tag(one) != headers["If-Match"]


def test_a_complete_stage_of_a_closed_journey_is_not_reopened(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    journey = opened(app, token, body(database, hospital))["id"]
    ids = stages(database, journey)
    assert act(app, token, f"{STAGES}{ids['MD']}/complete/")[0] == 200
    assert act(app, token, f"{JOURNEYS}{journey}/close/")[0] == 200
    before = ask(app, "GET", f"{STAGES}{ids['MD']}/", token=token).json()
    status, shown = act(app, token, f"{STAGES}{ids['MD']}/reopen/")
    assert (status, set(shown)) == (409, {"detail"})
    assert ask(app, "GET", f"{STAGES}{ids['MD']}/", token=token).json() == before


def test_a_stage_that_closed_a_journey_by_mistake_is_taken_back_with_the_end(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    journey = opened(app, token, body(database, hospital))["id"]
    ids = stages(database, journey)
    for each in ids.values():
        assert act(app, token, f"{STAGES}{each}/complete/")[0] == 200
    assert progress(app, token, journey)["status"] == "completed"
    assert act(app, token, f"{STAGES}{ids['LAB']}/reopen/")[1]["status"] == "pending"
    found = progress(app, token, journey)
    assert (found["status"], found["completion_percentage"]) == ("active", 50)


def test_what_is_of_another_hospital_or_department_cannot_be_changed(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    admin = person_token(a_user(database, level=100))
    foreign = opened(app, admin, body(database, a_hospital(database)["id"]))["id"]
    stage = stages(database, foreign)["MD"]
    for url in (f"{JOURNEYS}{foreign}/close/", f"{JOURNEYS}{foreign}/cancel/", f"{STAGES}{stage}/complete/"):
        assert act(app, token, url)[0] == 404
    assert ask(app, "GET", f"{JOURNEYS}{foreign}/explain/", token=token).status_code == 404
    own = opened(app, token, body(database, hospital))["id"]
    ward = a_department(database, hospital)["id"]
    manager = person_token(a_user(database, hospital, level=60, department=ward))
    assert act(app, manager, f"{STAGES}{stages(database, own)['MD']}/complete/")[0] == 404
    assert act(app, manager, f"{JOURNEYS}{own}/close/")[0] == 404


def test_a_journey_is_explained_in_the_language_of_who_asks(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    given = body(database, hospital)
    journey = opened(app, token, given)["id"]
    act(app, token, f"{STAGES}{stages(database, journey)['MD']}/complete/")
    url = f"{JOURNEYS}{journey}/explain/"
    shown = fits(OPERATIONS["explain_journey"], ask(app, "GET", url, token=token)).json()
    assert (shown["journey_id"], shown["language"]) == (journey, "en")
    assert [(each["stage"], each["reason"]) for each in shown["sentences"]] == [
        (None, None),
        ("MD", REASON["reason"]),
        ("LAB", None),
    ]
    assert REASON["reason"] not in "".join(each["text"] for each in shown["sentences"])
    assert "LAB_ORDER_COMPLETED" in shown["sentences"][-1]["text"]
    for own, asked, language in (("ar", "en", "ar"), ("fr", "ar, en;q=0.5", "ar"), ("fr", "de", "en")):
        profile = {"language": own}
        ask(app, "PUT", "/api/auth/users/update_profile/", token=token, json=profile)
        answer = ask(app, "GET", url, token=token, headers={"Accept-Language": asked}).json()
        assert answer["language"] == language
        assert (answer["sentences"][0]["text"] == shown["sentences"][0]["text"]) is (language == "en")
