"""Every operation that writes leaves its entries in the audit trail, and none of what was sent.

Made from the specification, as the rights matrix is, and asked in its world by a PX Admin. An operation that
writes and has no sample in `tests/builders/audit_samples.py` fails.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from httpx import Response
from sqlalchemy import RowMapping, text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.spec.document import Operation
from tests.builders.api import ask, internal
from tests.builders.audit_samples import SAMPLES, WORDS, Sample, with_canaries
from tests.builders.canaries import CANARY
from tests.builders.people import PASSWORD, a_user, person_token, role_id
from tests.builders.rights_samples import LINES
from tests.rigs.answers import OPERATIONS, fits
from tests.rigs.rights_world import World, of_examples

_TOKENS = "/api/auth/token"
WRITING = [
    each
    for each in OPERATIONS.values()
    if each.method in {"post", "put", "patch", "delete"}
    and (each.right is not None or each.path.startswith(_TOKENS))
]
#: Of the Connector's own those that a person's token opens.
OTHERS = [each for each in WRITING if not each.is_of_wing]
#: What an entry may name beside the fields of the body.
_NAMES = {
    *("roles", "password", "is_active", "status", "state", "is_processed", "revoked_at", "expires_at"),
    *("source_system", "event_code", "canonical_code", "identifiers"),
}


@pytest.fixture(scope="module")
def world(_session_database: Database) -> World:
    """Whoever asks, asks one application and one database."""
    return World(_session_database)


def entries(database: Database, request_id: str) -> list[RowMapping]:
    """The entries of that request, in their order."""
    query = text("SELECT * FROM audit_event WHERE request_id = :id ORDER BY id")
    with database.statements() as connection:
        return list(connection.execute(query, {"id": request_id}).mappings())


def schema_fields(operation: Operation) -> dict[str, Any]:
    """The fields of the operation's body."""
    content = operation.definition.get("requestBody", {}).get("content", {})
    found: dict[str, Any] = content.get("application/json", {}).get("schema", {}).get("properties", {})
    return found


def new_admin(world: World) -> tuple[UUID, str]:
    """A new PX Admin and his name."""
    with world.database.transaction() as connection:
        id_ = a_user(connection, 100, hospital_id=world.home.hospital, department_id=world.home.department)
        name = connection.execute(text("SELECT username FROM px_user WHERE id = :id"), {"id": id_})
        return id_, name.scalar_one()


def asked(world: World, operation: Operation, sample: Sample) -> tuple[UUID, UUID | None, Any, Response]:
    """Return who asked, of what object, what was sent and the answer."""
    admin, name = new_admin(world)
    sent, object_ = request_of(world, operation, sample, admin, name)
    return admin, object_, sent.get("json"), fits(operation, ask(world.app, **sent))


def request_of(
    world: World, operation: Operation, sample: Sample, admin: UUID, name: str
) -> tuple[dict[str, Any], UUID | None]:
    token, path, method = person_token(admin), operation.path, operation.method.upper()
    if operation.path.startswith(_TOKENS):
        body: Any = {"username": name, "password": PASSWORD}
        if operation.id == "refresh_token":
            body = {"refresh": ask(world.app, "POST", f"{_TOKENS}/", json=body).json()["refresh"]}
        return {"method": method, "path": path, "json": body}, admin
    if operation.tag in LINES:
        made, body = world.prepared(operation, world.home)
        if operation.id == "remove_role":
            with world.database.transaction() as connection:
                columns = {"hospital_id": world.home.hospital, "department_id": world.home.department}
                made, body = a_user(connection, 30, **columns), {"role_id": str(role_id(connection, 30))}
        object_ = made if "{" in path else admin if operation.right == "self" else None
        sent = {} if body is None else {"json": with_canaries(body, schema_fields(operation))}
        return {
            "method": method,
            "path": world.path(operation, made),
            "token": token,
            **sent,
        }, object_
    with world.database.transaction() as connection:
        object_ = sample.make(connection) if sample.make else None
    request = of_examples(operation)
    if "{" in path:
        request["path"] = re.sub(r"\{\w+\}", str(object_), path)
    return {**request, "token": token}, object_ if "{" in path else None


def test_every_operation_that_writes_has_its_sample() -> None:
    assert {each.id for each in WRITING} - set(SAMPLES) == set()


@pytest.mark.parametrize("operation", WRITING, ids=lambda each: each.id)
def test_what_succeeds_leaves_its_entries_and_nothing_of_what_was_sent(
    world: World, operation: Operation
) -> None:
    sample = SAMPLES[operation.id]
    admin, object_, body, answer = asked(world, operation, sample)
    assert answer.is_success, answer.text
    found = entries(world.database, answer.headers["X-Request-ID"])
    assert tuple(each["action"] for each in found) == sample.actions
    for each in found:
        assert (each["actor_kind"], each["actor_id"], each["object_type"]) == ("user", admin, sample.type)
        assert set(each["fields"]) <= set(schema_fields(operation)) | _NAMES
    if found and object_ is not None:
        assert found[0]["object_id"] == object_
    if found and operation.is_of_wing:
        id_ = UUID(answer.json()["id"]) if object_ is None else object_
        is_new_hospital = operation.id == "create_hospital"
        assert (found[0]["object_id"], found[0]["hospital_id"]) == (
            id_,
            id_ if is_new_hospital else hospital_of(world, operation),
        )
    if operation.id not in {"obtain_token", "reprocess_event", "unmerge_patient"}:  # nobody is merged here
        assert all(each["fields"] for each in found)
    assert not set(values(body)) & {str(cell) for each in found for cell in each.values()}
    written = json.dumps([dict(each) for each in found], default=str).lower()
    assert CANARY.lower() not in written
    assert WORDS["phone"] not in written


def hospital_of(world: World, operation: Operation) -> UUID | None:
    """The hospital of what was changed: a PUT of a user without one takes it away."""
    return None if operation.id == "replace_user" else world.home.hospital


def values(body: Any) -> Iterator[str]:
    """All texts of a body but ids."""
    if isinstance(body, dict):
        for each in body.values():
            yield from values(each)
    elif isinstance(body, list):
        for each in body:
            yield from values(each)
    elif isinstance(body, str) and not re.fullmatch(r"[0-9a-f-]{36}", body):
        yield body


@pytest.mark.parametrize("operation", OTHERS, ids=lambda each: each.id)
def test_what_services_ask_for_is_not_the_trails(world: World, operation: Operation) -> None:
    scopes = {s for each in operation.definition["security"] for s in each.get("token", ())}
    sample = SAMPLES[operation.id]
    sent, _ = request_of(world, operation, sample, *new_admin(world))
    answer = ask(world.app, **{**sent, "token": internal(*scopes)})
    assert answer.is_success, answer.text
    assert entries(world.database, answer.headers["X-Request-ID"]) == []


def test_wrong_passwords_a_pause_and_a_stolen_refresh_token_are_the_systems_to_tell(world: World) -> None:
    admin, name = new_admin(world)
    right, wrong = {"username": name, "password": PASSWORD}, {"username": name, "password": f"{CANARY} wrong"}

    def left(path: str, body: Any) -> list[tuple[Any, ...]]:
        answer = ask(world.app, "POST", path, json=body)
        found = entries(world.database, answer.headers["X-Request-ID"])
        assert all(each["hospital_id"] == world.home.hospital for each in found)
        return [(each["actor_kind"], each["action"], each["object_id"]) for each in found]

    first = ask(world.app, "POST", f"{_TOKENS}/", json=right).json()["refresh"]
    ask(world.app, "POST", f"{_TOKENS}/refresh/", json={"refresh": first})
    assert left(f"{_TOKENS}/refresh/", {"refresh": first}) == [("system", "revoke_tokens", admin)]
    for _ in range(4):
        assert left(f"{_TOKENS}/", wrong) == [("system", "refuse_password", admin)]
    assert left(f"{_TOKENS}/", wrong) == [("system", "refuse_password", admin), ("system", "lock_out", admin)]
    assert left(f"{_TOKENS}/", right) == [], "he waits: nothing was tried"
    assert left(f"{_TOKENS}/", {"username": f"{CANARY}-nobody", "password": PASSWORD}) == []


def test_what_fails_leaves_nothing(world: World) -> None:
    admin, _ = new_admin(world)
    path = f"/api/organizations/hospitals/{world.home.hospital}/"
    token = person_token(admin)
    for method, more in (("PATCH", {"json": {"name": None}}), ("DELETE", {})):
        headers = {"If-Match": '"999"'}
        answer = ask(world.app, method, path, token=token, headers=headers, **more)
        assert answer.status_code in (400, 412)
        assert entries(world.database, answer.headers["X-Request-ID"]) == []
