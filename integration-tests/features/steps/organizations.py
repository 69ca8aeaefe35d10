"""Steps about hospitals, departments, physicians, employees and patients."""

import secrets
from typing import Any

from behave import step

from driver.organizations import Admin, new_body


def _answered(context: Any, status: int) -> dict[str, Any]:
    response = context.response
    assert response.status_code == status, f"answered {response.status_code}: {response.text}"
    found: dict[str, Any] = response.json()
    return found


@step("a PX Admin has logged in")
def log_in(context: Any) -> None:
    context.admin = Admin.made(context.connector, context.stack.connector)


@step("there is a hospital")
def make_hospital(context: Any) -> None:
    context.response = context.admin.ask("POST", "hospitals", json=new_body("hospitals", None))
    context.hospital = _answered(context, 201)["id"]


@step("the admin makes one of the {kind}")
def make(context: Any, kind: str) -> None:
    context.kind, context.given = kind, new_body(kind, context.hospital)
    context.response = context.admin.ask("POST", kind, json=context.given)
    context.made = _answered(context, 201)


@step("the admin makes another with the same code")
def make_again(context: Any) -> None:
    context.response = context.admin.ask("POST", context.kind, json=context.given)


@step("the admin puts it below itself")
def put_below_itself(context: Any) -> None:
    context.response = context.admin.ask(
        "PATCH", context.kind, context.made["id"], json={"parent": context.made["id"]}
    )


@step("it is answered as it was given, with version 1")
def is_as_given(context: Any) -> None:
    assert context.made | context.given == context.made
    assert context.response.headers["ETag"] == '"1"'


@step("it is found by a word of its Arabic name in other letters")
def is_found(context: Any) -> None:
    arabic = context.given.get("name_ar") or context.given["last_name_ar"]
    word = arabic.replace("أ", "\u0627").replace("ة", "\u0647")
    assert word != arabic
    context.response = context.admin.ask("GET", context.kind, params={"search": word, "page_size": 200})
    found = _answered(context, 200)
    assert context.made["id"] in [each["id"] for each in found["results"]]


@step("it is found by its MRN")
def is_found_by_mrn(context: Any) -> None:
    context.response = context.admin.ask("GET", context.kind, params={"search": context.given["mrn"]})
    found = _answered(context, 200)
    assert [each["id"] for each in found["results"]] == [context.made["id"]]


@step("the admin changes its phone")
def change_phone(context: Any) -> None:
    _change_phone(context, {})


@step("the admin changes its phone, having seen version 1")
def change_phone_of_version(context: Any) -> None:
    _change_phone(context, {"If-Match": '"1"'})


def _change_phone(context: Any, headers: dict[str, str]) -> None:
    context.phone = f"+9665{secrets.randbelow(10**8):08}"
    context.response = context.admin.ask(
        "PATCH", context.kind, context.made["id"], json={"phone": context.phone}, headers=headers
    )


@step("the admin replaces it by what was given first")
def replace(context: Any) -> None:
    context.phone = context.given["phone"]
    context.response = context.admin.ask("PUT", context.kind, context.made["id"], json=context.given)


@step("it has version {version:d} and the {which} phone")
def has_version(context: Any, version: int, which: str) -> None:
    assert _answered(context, 200)["phone"] == context.phone, which
    assert context.response.headers["ETag"] == f'"{version}"'


@step("that is refused, for it is another version")
def is_refused(context: Any) -> None:
    assert set(_answered(context, 412)) == {"detail"}


@step("the admin deletes it")
def delete(context: Any) -> None:
    context.response = context.admin.ask("DELETE", context.kind, context.made["id"])
    assert context.response.status_code == 204


@step("it is still there, inactive")
def is_inactive(context: Any) -> None:
    context.response = context.admin.ask("GET", context.kind, context.made["id"])
    assert _answered(context, 200)["status"] == "inactive"


@step("the field {field} is told to be {wrong}")
def is_told(context: Any, field: str, wrong: str) -> None:
    assert set(_answered(context, 400)) == {field}, wrong
