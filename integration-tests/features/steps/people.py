"""Steps about people: the administrator is made by the command line, everybody else over HTTP."""

import subprocess
import sys
from typing import Any
from uuid import uuid4

from behave import step

_AUTH = "/api/auth"
_PASSWORD, _NEXT = "correct horse battery", "another staple battery"


def _ask(context: Any, method: str, path: str, token: str | None, status: int, **options: Any) -> Any:
    answer = context.connector.request(method, f"{_AUTH}/{path}", token=token, **options)
    assert answer.status_code == status, f"answered {answer.status_code}: {answer.text}"
    return answer


def _log_in(context: Any, username: str, password: str, status: int = 200) -> Any:
    body = {"username": username, "password": password}
    return _ask(context, "POST", "token/", None, status, json=body).json()


@step("an administrator who has logged in")
def administrator(context: Any) -> None:
    username = f"admin-{uuid4().hex[:8]}"
    command = (sys.executable, "-m", "dhos_connector_api", "people", "create-admin", "--username", username)
    made = subprocess.run(command, env=context.stack.connector, check=True, capture_output=True, text=True)
    context.admin = _log_in(context, username, made.stdout.strip())["access"]


@step("the administrator makes a user")
def make(context: Any) -> None:
    context.username = f"river-{uuid4().hex[:8]}"
    body = {"username": context.username, "password": _PASSWORD, "password_confirm": _PASSWORD}
    context.user = _ask(context, "POST", "users/", context.admin, 201, json=body).json()
    context.path = f"users/{context.user['id']}/"
    context.tokens = _log_in(context, context.username, _PASSWORD)


@step("the user is found by the beginning of his name")
def found(context: Any) -> None:
    query = {"search": context.username[:-2]}
    page = _ask(context, "GET", "users/", context.admin, 200, params=query).json()
    assert [each["id"] for each in page["results"]] == [context.user["id"]]


@step("the user may not list users")
def may_not(context: Any) -> None:
    _ask(context, "GET", "users/", context.tokens["access"], 403)


@step("the user may list users with the token he has")
def may(context: Any) -> None:
    _ask(context, "GET", "users/", context.tokens["access"], 200)


@step("the administrator {does} him the role {name}")
@step("the administrator {does} the role {name} from him")
def change_role(context: Any, does: str, name: str) -> None:
    roles = _ask(context, "GET", "roles/", context.admin, 200).json()
    body = {"role_id": next(each["id"] for each in roles if each["name"] == name)}
    operation = {"gives": "assign_role", "takes": "remove_role"}[does]
    _ask(context, "POST", f"{context.path}{operation}/", context.admin, 200, json=body)


@step("the administrator deactivates him")
def deactivate(context: Any) -> None:
    _ask(context, "DELETE", context.path, context.admin, 204)


@step("the user's token opens nothing")
@step("the token he had before opens nothing")
def opens_nothing(context: Any) -> None:
    _ask(context, "GET", "users/me/", context.tokens["access"], 401)


@step("the user cannot log in")
def cannot_log_in(context: Any) -> None:
    _log_in(context, context.username, _PASSWORD, 401)


@step("the user changes his password")
def change_password(context: Any) -> None:
    body = {"old_password": _PASSWORD, "new_password": _NEXT, "new_password_confirm": _NEXT}
    _ask(context, "POST", "users/change_password/", context.tokens["access"], 200, json=body)


@step("he can log in with the new password")
def logs_in_anew(context: Any) -> None:
    _log_in(context, context.username, _NEXT)


@step("the user refreshes his tokens twice with the same one")
def refresh_twice(context: Any) -> None:
    body = {"refresh": context.tokens["refresh"]}
    context.next = _ask(context, "POST", "token/refresh/", None, 200, json=body).json()
    _ask(context, "POST", "token/refresh/", None, 401, json=body)


@step("the first time works, the second does not, and nothing that followed is good")
def family_ended(context: Any) -> None:
    _ask(context, "POST", "token/refresh/", None, 401, json={"refresh": context.next["refresh"]})


@step("two change him who have both seen the same version")
def change_at_once(context: Any) -> None:
    seen = {"If-Match": _ask(context, "GET", context.path, context.admin, 200).headers["ETag"]}
    context.answers = [
        context.connector.request(
            "PATCH", f"{_AUTH}/{context.path}", token=context.admin, headers=seen, json={"first_name": name}
        )
        for name in ("River", "Otter")
    ]


@step("the first change is kept and the second is refused with 412")
def second_is_refused(context: Any) -> None:
    assert [each.status_code for each in context.answers] == [200, 412]
    shown = _ask(context, "GET", context.path, context.admin, 200).json()
    assert shown["first_name"] == "River"
