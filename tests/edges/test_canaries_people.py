"""No name, password, token or telephone number of a user anywhere it should not be: each is a canary."""

from pathlib import Path
from typing import Any

import pytest
import requests

from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.builders.canaries import CANARY
from tests.builders.people import PASSWORD, PX_KEY, a_hospital, a_user, person_token
from tests.rigs.processes import Process, Web, environment

_AUTH = "/api/auth/"
_SECRET = f"{CANARY} horse battery"
_USER = {
    "username": f"{CANARY}-name",
    "email": f"x{CANARY}@hospital.example.com",
    "password": _SECRET,
    "password_confirm": _SECRET,
    "first_name": f"{CANARY} first",
    "last_name": f"{CANARY} last",
    "employee_id": f"{CANARY}-id",
}
_BODIES: list[Any] = [
    {"username": f"{CANARY}-name", "password": _SECRET},
    {"username": f"{CANARY}-name", "password": CANARY},
    {"refresh": CANARY},
    _USER,
    _USER,
    _USER | {"phone": CANARY},
    _USER | {"email": CANARY},
    _USER | {"password_confirm": CANARY},
    _USER | {"hospital": CANARY, "department": CANARY},
    _USER | {CANARY: CANARY},
    _USER | {"language": [CANARY]},
    {"old_password": CANARY, "new_password": _SECRET, "new_password_confirm": _SECRET},
    {"role_id": CANARY},
    {CANARY: CANARY},
    CANARY,
]
_POSTS = ("token/", "token/refresh/", "users/", "users/change_password/")
_OF_USER = ("assign_role/", "remove_role/", "set_password/")
_GETS = (f"users/?search={CANARY}&ordering={CANARY}", f"users/?groups={CANARY}", f"users/{CANARY}/", "roles/")


@pytest.mark.parametrize("style", ["json", pytest.param("plain", marks=pytest.mark.slow)])
def test_no_canary_reaches_a_log_a_metric_or_an_error(
    address: DatabaseAddress, database: Database, tmp_path: Path, style: str
) -> None:
    more = {"PX_HS_KEY": PX_KEY, "AUTH_REQUESTS_PER_MINUTE": "10"}
    environ = environment(address, LOG_FORMAT=style, LOG_LEVEL="DEBUG", **more)
    with database.transaction() as connection:
        hospital = a_hospital(connection)
        askers = [a_user(connection, level, hospital_id=hospital) for level in (100, 10)]
        target = a_user(connection, 30, hospital_id=hospital)
    tokens = [person_token(each) for each in askers]
    texts: list[str] = []
    statuses: set[int] = set()

    def note(method: str, path: str, token: str | None, body: Any = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = requests.request(method, web.url + _AUTH + path, json=body, headers=headers, timeout=10)
        statuses.add(answer.status_code)
        if not answer.ok:
            texts.append(answer.text)

    with (
        Web(environ, tmp_path) as web,
        Process(["dhos_connector_api", "relay"], environ, tmp_path / "relay.log"),
    ):
        for token in (None, *tokens):
            for body in _BODIES:
                for path in (*_POSTS, *(f"users/{target}/{each}" for each in _OF_USER)):
                    note("POST", path, token, body)
                note("PATCH", f"users/{target}/", token, body)
                note("PUT", "users/update_profile/", token, body)
            for path in _GETS:
                note("GET", path, token)
        metrics = requests.get(f"{web.url}/metrics", timeout=10).text
    assert {200, 201, 400, 401, 403, 404, 429} <= statuses
    assert max(statuses) < 500
    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    assert "answered" in logs
    assert "connector_logins_total" in metrics
    for place in (logs, metrics, *texts):
        for secret in (CANARY, PASSWORD, *tokens):
            assert secret not in place
