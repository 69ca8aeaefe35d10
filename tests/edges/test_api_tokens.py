"""Logging in: tokens, their rotation and their end; pauses after wrong passwords; limits by address."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from httpx import Response
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.people.lockout import PAUSES
from dhos_connector_api.px.people.passwords import Passwords
from tests.builders.api import api, ask, internal, signed
from tests.builders.people import (
    PASSWORD,
    PX_KEY,
    QUICK,
    a_hospital,
    a_user,
    deactivated,
    people_api,
    person_token,
    role_id,
    shared_people_api,
)
from tests.rigs.answers import OPERATIONS, fits

TOKEN, REFRESH, ME = "/api/auth/token/", "/api/auth/token/refresh/", "/api/auth/users/me/"
CHANGE = "/api/auth/users/change_password/"
NEXT = "another staple battery"
WRONG = "not the right horse"


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return shared_people_api(database)


@pytest.fixture
def user(database: Database) -> UUID:
    with database.transaction() as connection:
        return a_user(connection, 30, username="jdoe")


def log_in(app: ASGIApp, password: str = PASSWORD, username: str = "jdoe") -> Response:
    body = {"username": username, "password": password}
    return fits(OPERATIONS["obtain_token"], ask(app, "POST", TOKEN, json=body))


def refresh(app: ASGIApp, token: str) -> Response:
    return fits(OPERATIONS["refresh_token"], ask(app, "POST", REFRESH, json={"refresh": token}))


def is_in(app: ASGIApp, token: str) -> bool:
    status = ask(app, "GET", ME, token=token).status_code
    assert status in (200, 401)
    return status == 200


def set_(database: Database, user: UUID, columns: str) -> None:
    with database.statements() as connection:
        connection.execute(text(f"UPDATE px_user SET {columns} WHERE id = :id"), {"id": user})


def test_who_logs_in_is_let_in_and_may_go_on(app: ASGIApp, user: UUID) -> None:
    first = log_in(app, username="JDoe")
    assert (first.status_code, first.headers["Cache-Control"]) == (200, "no-store")
    assert ask(app, "GET", ME, token=first.json()["access"]).json()["id"] == str(user)
    second = refresh(app, first.json()["refresh"])
    assert second.status_code == 200
    assert is_in(app, second.json()["access"])
    assert second.json()["refresh"] != first.json()["refresh"]


def test_a_refresh_token_that_comes_twice_ends_its_family(app: ASGIApp, user: UUID) -> None:
    other = log_in(app).json()["refresh"]
    first = log_in(app).json()["refresh"]
    second = refresh(app, first).json()["refresh"]
    assert refresh(app, first).status_code == 401
    assert refresh(app, second).status_code == 401
    assert refresh(app, other).status_code == 200  # of another login


def test_of_fifty_who_refresh_one_token_one_gets_another_and_the_family_ends(
    app: ASGIApp, user: UUID
) -> None:
    first = log_in(app).json()["refresh"]
    together = threading.Barrier(50)

    def one(_: int) -> Response:
        together.wait()
        return refresh(app, first)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(one, range(50)))
    assert Counter(each.status_code for each in answers) == {200: 1, 401: 49}
    won = next(each for each in answers if each.status_code == 200)
    assert refresh(app, won.json()["refresh"]).status_code == 401


@pytest.mark.parametrize("token", ["", "pxr_x", "x" * 4097, 5, None])
def test_what_is_no_refresh_token_is_refused(app: ASGIApp, user: UUID, token: Any) -> None:
    answer = fits(OPERATIONS["refresh_token"], ask(app, "POST", REFRESH, json={"refresh": token}))
    assert answer.status_code in (400, 401)


def test_a_refresh_token_is_no_access_token_and_the_other_way_round(app: ASGIApp, user: UUID) -> None:
    pair = log_in(app).json()
    assert not is_in(app, pair["refresh"])
    assert refresh(app, pair["access"]).status_code == 401


def test_a_refresh_token_expires(app: ASGIApp, database: Database, user: UUID) -> None:
    first = log_in(app).json()["refresh"]
    with database.statements() as connection:
        connection.execute(text("UPDATE refresh_token SET expires_at = now() - interval '1 second'"))
    assert refresh(app, first).status_code == 401


def test_nobody_learns_whether_there_is_such_a_user(app: ASGIApp, database: Database, user: UUID) -> None:
    with database.transaction() as connection:
        deactivated(connection, a_user(connection, 30, username="gone"))
        a_user(connection, 30, username="waits", locked_until=datetime.now(UTC) + timedelta(hours=1))
    refused = [
        log_in(app, WRONG),
        log_in(app, PASSWORD, "nobody"),
        log_in(app, PASSWORD, "gone"),
        log_in(app, PASSWORD, "waits"),
    ]
    assert {(each.status_code, each.text) for each in refused} == {(401, refused[0].text)}


class Counted(Passwords):
    """Counts how often a password was compared with a hash."""

    compared = 0

    def fits(self, hash_: str | None, password: str) -> bool:
        self.compared += 1
        return super().fits(hash_, password)


def test_every_attempt_costs_one_hash_whoever_is_asked_for(database: Database, user: UUID) -> None:
    passwords = Counted(QUICK._hasher)
    app = people_api(database, changes={"passwords": passwords})
    attempts = [(WRONG, "jdoe"), (PASSWORD, "nobody"), (PASSWORD, "jdoe")]
    for number, (password, username) in enumerate(attempts, 1):
        log_in(app, password, username)
        assert passwords.compared == number


def test_who_gets_it_wrong_waits_longer_each_time(app: ASGIApp, database: Database, user: UUID) -> None:
    waits = []
    for _ in range(len(PAUSES) + 1):
        set_(database, user, "locked_until = NULL")
        before = datetime.now(UTC)
        assert log_in(app, WRONG).status_code == 401
        with database.statements() as connection:
            until = connection.execute(text("SELECT locked_until FROM px_user")).scalar_one()
        waits.append(round((until - before).total_seconds()))
    assert waits == [*PAUSES, PAUSES[-1]]
    assert log_in(app).status_code == 401  # although it is right
    set_(database, user, "locked_until = now() - interval '1 second'")
    assert log_in(app).status_code == 200
    with database.statements() as connection:
        assert connection.execute(text("SELECT failed_logins FROM px_user")).scalar_one() == 0


def test_however_many_guess_at_once_none_has_a_guess_more(database: Database, user: UUID) -> None:
    passwords = Counted(QUICK._hasher, waiting=100)
    app = people_api(database, changes={"passwords": passwords}, WEB_THREADS="16")
    free = PAUSES.index(60) + 1
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: log_in(app, WRONG), range(40)))
    with database.statements() as connection:
        assert connection.execute(text("SELECT failed_logins FROM px_user")).scalar_one() == free
    assert passwords.compared == 40


def test_a_new_password_ends_every_token_but_the_new_ones(
    app: ASGIApp, database: Database, user: UUID
) -> None:
    old = log_in(app).json()
    body = {"old_password": PASSWORD, "new_password": NEXT, "new_password_confirm": NEXT}
    wrong = ask(app, "POST", CHANGE, token=old["access"], json=body | {"old_password": WRONG})
    assert set(wrong.json()) == {"old_password"}
    weak = ask(app, "POST", CHANGE, token=old["access"], json=body | {"new_password": "Password1234!"})
    assert set(weak.json()) == {"new_password"}
    new = fits(OPERATIONS["change_password"], ask(app, "POST", CHANGE, token=old["access"], json=body))
    assert not is_in(app, old["access"])
    assert is_in(app, new.json()["access"])
    assert refresh(app, old["refresh"]).status_code == 401
    assert refresh(app, new.json()["refresh"]).status_code == 200
    assert (log_in(app).status_code, log_in(app, NEXT).status_code) == (401, 200)


def test_a_password_given_meanwhile_by_somebody_above_stays(database: Database, user: UUID) -> None:
    with database.transaction() as connection:
        token = person_token(a_user(connection, 100))

    class Meanwhile(Passwords):
        def fits(self, hash_: str | None, password: str) -> bool:
            """While the old password is looked at, a PX Admin gives another: perhaps it has leaked."""
            body = {"password": "a third horse staple", "password_confirm": "a third horse staple"}
            answer = ask(
                shared_people_api(database),
                "POST",
                f"/api/auth/users/{user}/set_password/",
                token=token,
                json=body,
            )
            assert answer.status_code == 204
            return super().fits(hash_, password)

    app = people_api(database, changes={"passwords": Meanwhile(PasswordHasher(1, 8, 1))})
    body = {"old_password": PASSWORD, "new_password": NEXT, "new_password_confirm": NEXT}
    assert ask(app, "POST", CHANGE, token=person_token(user), json=body).status_code == 401
    app = shared_people_api(database)
    assert (log_in(app, NEXT).status_code, log_in(app, "a third horse staple").status_code) == (401, 200)


def test_who_is_deactivated_or_has_another_password_is_out_at_once(
    app: ASGIApp, database: Database, user: UUID
) -> None:
    with database.transaction() as connection:
        root = a_user(connection, 100)
    path, token = f"/api/auth/users/{user}/", person_token(root)
    old = log_in(app).json()
    body = {"password": NEXT, "password_confirm": NEXT}
    assert ask(app, "POST", f"{path}set_password/", token=token, json=body).status_code == 204
    assert not is_in(app, old["access"])
    old = log_in(app, NEXT).json()
    assert ask(app, "DELETE", path, token=token).status_code == 204
    assert not is_in(app, old["access"])
    assert refresh(app, old["refresh"]).status_code == 401
    assert ask(app, "PATCH", path, token=token, json={"is_active": True}).status_code == 200
    assert not is_in(app, old["access"])  # not even when he is active again
    assert refresh(app, old["refresh"]).status_code == 401


def test_px_keys_rotate(database: Database, user: UUID) -> None:
    app = people_api(database, PX_HS_KEY=PX_KEY[::-1], PX_HS_KEY_PREVIOUS=PX_KEY)
    assert is_in(app, person_token(user))
    assert is_in(app, log_in(app).json()["access"])
    assert not is_in(people_api(database, PX_HS_KEY=PX_KEY[::-1]), person_token(user))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda user: internal("px"), id="the platform's"),
        pytest.param(lambda user: person_token(user, key="y" * 80), id="another key"),
        pytest.param(lambda user: person_token(user, lifetime=-60), id="expired"),
        pytest.param(lambda user: person_token(user, generation=2), id="another generation"),
        pytest.param(lambda user: person_token(UUID(int=1)), id="nobody"),
        pytest.param(lambda user: signed(_claims(sub="x"), PX_KEY), id="no uuid"),
        pytest.param(lambda user: signed(_claims(sub=[1]), PX_KEY), id="a list"),
        pytest.param(lambda user: signed(_claims(sub=str(user), gen="one"), PX_KEY), id="no number"),
        pytest.param(lambda user: signed(_claims(sub=str(user), gen=2**70), PX_KEY), id="a long number"),
        pytest.param(lambda user: signed(_claims(sub=str(user), iss="other"), PX_KEY), id="another issuer"),
        pytest.param(lambda user: signed(_claims(sub=str(user), aud="other"), PX_KEY), id="another audience"),
    ],
)
def test_a_token_that_is_not_quite_right_is_refused(app: ASGIApp, user: UUID, token: Any) -> None:
    answer = ask(app, "GET", ME, token=token(user))
    assert answer.status_code == 401
    assert set(answer.json()) == {"detail"}


def _claims(**changes: Any) -> dict[str, Any]:
    claims = {"iss": "px", "aud": "px", "exp": int(datetime.now(UTC).timestamp()) + 60, "gen": 1}
    return claims | changes


def test_without_a_key_the_wing_is_not_offered(database: Database, user: UUID) -> None:
    app = api(database)
    assert ask(app, "GET", ME, token=person_token(user)).status_code == 501
    assert ask(app, "POST", TOKEN, json={"username": "a", "password": "b"}).status_code == 501
    assert ask(app, "POST", REFRESH, json={"refresh": "b"}).status_code == 501
    assert ask(app, "GET", "/dhos/v1/delivery", token=person_token(user)).status_code == 401


def test_an_address_asks_for_ten_tokens_a_minute(database: Database, user: UUID) -> None:
    app = people_api(database, AUTH_REQUESTS_PER_MINUTE="10", TRUSTED_PROXIES="127.0.0.0/8")

    def status(told: str) -> int:
        body = {"username": "jdoe", "password": PASSWORD}
        return ask(app, "POST", TOKEN, json=body, headers={"X-Forwarded-For": told}).status_code

    assert [status("192.0.2.1") for _ in range(11)] == [200] * 10 + [429]
    assert status("198.51.100.7, 192.0.2.1") == 429  # what stands before it anybody may have written
    assert status("192.0.2.1, 192.0.2.2") == 200
    unknown = people_api(database, AUTH_REQUESTS_PER_MINUTE="1")
    assert ask(unknown, "GET", ME, token=person_token(user)).status_code == 200


def test_a_role_that_goes_while_requests_run_counts_for_none_that_comes_after(
    app: ASGIApp, database: Database
) -> None:
    with database.transaction() as connection:
        hospital = a_hospital(connection)
        root, admin = a_user(connection, 100), a_user(connection, 80, hospital_id=hospital)
        role = {"role_id": str(role_id(connection, 80))}
    done, late = threading.Event(), []

    def keep_asking() -> None:
        for _ in range(200):
            is_late = done.is_set()
            status = ask(app, "GET", "/api/auth/users/", token=person_token(admin)).status_code
            if is_late:
                late.append(status)
            if len(late) >= 5:
                return

    askers = [threading.Thread(target=keep_asking) for _ in range(4)]
    for each in askers:
        each.start()
    path = f"/api/auth/users/{admin}/remove_role/"
    assert ask(app, "POST", path, token=person_token(root), json=role).status_code == 200
    done.set()
    for each in askers:
        each.join()
    assert late
    assert set(late) == {403}


def test_two_last_admins_who_remove_each_other_or_themselves_leave_one(
    app: ASGIApp, database: Database
) -> None:
    for removes in ((1, 0), (0, 1)):  # each other, then each himself
        with database.transaction() as connection:
            connection.execute(text("DELETE FROM user_role"))
            admins = [a_user(connection, 100), a_user(connection, 100)]
            role = {"role_id": str(role_id(connection, 100))}
        together = threading.Barrier(2)

        def remove(pair: tuple[UUID, UUID], role: Any = role, together: Any = together) -> int:
            together.wait()
            path = f"/api/auth/users/{pair[1]}/remove_role/"
            return ask(app, "POST", path, token=person_token(pair[0]), json=role).status_code

        pairs = [(admins[0], admins[removes[0]]), (admins[1], admins[removes[1]])]
        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(pool.map(remove, pairs))
        assert statuses[0] == 200
        assert statuses[1] in (403, 409)
        with database.statements() as connection:
            assert connection.execute(text("SELECT count(*) FROM user_role")).scalar_one() == 1


def test_too_many_at_once_are_told_to_come_again(database: Database, user: UUID) -> None:
    passwords = Passwords(QUICK._hasher, waiting=0)
    app = people_api(database, changes={"passwords": passwords})
    with passwords.turn(), passwords.turn():
        refused = log_in(app)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert log_in(app).status_code == 200
