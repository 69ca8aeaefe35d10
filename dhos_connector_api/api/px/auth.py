"""Users, their roles and their tokens, over HTTP."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import Connection, RowMapping, true

from dhos_connector_api import clock
from dhos_connector_api.api.px import asking, auth_schemas
from dhos_connector_api.api.px.audited import audited
from dhos_connector_api.api.px.auth_schemas import uuid_in
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import InvalidFields, NotFound, TokenRejected
from dhos_connector_api.http import call
from dhos_connector_api.http.numbered_pages import Page, flag_filter, numbered_page, uuid_filter
from dhos_connector_api.http.paging import json_answer, uuid_of
from dhos_connector_api.http.versions import expected_version, versioned
from dhos_connector_api.px.people import changes, sessions, store, token_store
from dhos_connector_api.px.people import search as users
from dhos_connector_api.px.people.changes import UNKNOWN, By, Done
from dhos_connector_api.px.people.models import UserRow
from dhos_connector_api.px.people.scope import Scope
from dhos_connector_api.px.people.search import Filters
from dhos_connector_api.px.people.sessions import Pair

_REFUSED = "no active user has this name and password, or he has to wait after too many attempts"
_SPENT = "the refresh token is not valid, or no longer; log in again"


def obtain_token() -> flask.Response:
    """Answer with tokens for a name and a password."""
    body, here = call.current().body, services()
    pair = here.px.logging_in().log_in(
        here.database, body["username"], body["password"], request_id=_request_id()
    )
    if pair is None:
        raise TokenRejected(_REFUSED)
    return _tokens(pair)


def refresh_token() -> flask.Response:
    """Answer with the next tokens for a refresh token, which is spent."""
    logging_in, refresh = asking.parts().logging_in(), call.current().body["refresh"]
    with services().database.transaction() as connection:
        pair = logging_in.refresh(connection, refresh, request_id=_request_id())
    if pair is None:  # only now: that it came twice has to stay known
        raise TokenRejected(_SPENT)
    return _tokens(pair)


def list_roles() -> flask.Response:
    """Answer with the eight roles."""
    with services().database.statements() as connection:
        found = store.roles(connection)
    return json_answer([auth_schemas.role(row) for row in found])


def list_users(page: int, page_size: int, **asked: str | None) -> flask.Response:
    """Answer with a page of the users within the person's scope."""
    wanted, within = Page(page, page_size), _within(asking.scope())
    with services().database.statements() as connection:
        filters = _filters(connection, asked)
        count = users.count(connection, within, filters)
        order, part = asked["ordering"] or "username", {"limit": wanted.rows(count), "offset": wanted.offset}
        rows = users.page(connection, within, filters, ordering=order, count=count, **part)
        roles = store.roles_of(connection, [row["id"] for row in rows])
    texts = [auth_schemas.user(row, roles[row["id"]]) for row in rows]
    return numbered_page(texts, count, wanted, asked, asking.parts().public_url)


def create_user() -> flask.Response:
    """Make a user, without roles."""
    body, scope = call.current().body, asking.scope()
    columns = _columns(body, scope, whole=True)
    hash_ = _hashed(body, "password", columns)
    with services().database.transaction() as connection:
        id_ = changes.make(connection, columns, hash_, _by())
        given = [name for name, value in columns.items() if value is not None]
        _audit(connection, "create", id_, columns["hospital_id"], [*given, "password"])
        row = store.get(connection, id_, true())
        return _shown(connection, row, 201)


def get_user(user_id: str) -> flask.Response:
    """Answer with one user."""
    id_ = uuid_of(user_id, UNKNOWN)
    with services().database.statements() as connection:
        return _shown(connection, store.get(connection, id_, _within(asking.scope())))


def replace_user(user_id: str) -> flask.Response:
    """Change all fields of a user."""
    return _change(user_id, whole=True)


def change_user(user_id: str) -> flask.Response:
    """Change some fields of a user."""
    return _change(user_id, whole=False)


def deactivate_user(user_id: str) -> flask.Response:
    """Deactivate a user; every token of his is void."""
    id_, version, scope = uuid_of(user_id, UNKNOWN), expected_version(), asking.scope()
    with services().database.transaction() as connection:
        columns = {"is_active": False}
        done = changes.change(connection, id_, columns, _by(), within=_within(scope), version=version)
        _audit_done(connection, "deactivate", done)
    return flask.Response(status=204)


def get_me() -> flask.Response:
    """Answer with the person who asks."""
    with services().database.statements() as connection:
        return _shown(connection, store.get(connection, asking.person().id, true()))


def update_profile() -> flask.Response:
    """Change the profile of the person who asks."""
    columns, version = auth_schemas.own_columns(call.current().body), expected_version()
    with services().database.transaction() as connection:
        done = changes.change_own(connection, asking.person(), columns, clock.now(), version)
        _audit_done(connection, "change", done)
        return _shown(connection, done.row)


def change_password() -> flask.Response:
    """Give the person who asks another password; all his tokens are void but those answered."""
    body, here, id_ = call.current().body, services(), asking.person().id
    with here.database.statements() as connection:
        found = store.get(connection, id_, true())
    _check(body, "new_password", found or {})
    passwords = here.px.passwords
    with passwords.turn():
        with here.database.transaction() as connection:
            known = token_store.attempt(connection, id_, clock.now())
        if not passwords.fits(known.password_hash if known else None, body["old_password"]):
            with here.database.transaction() as connection:
                sessions.refused(connection, known, request_id=_request_id())
            raise InvalidFields({"old_password": ["is not your password, or you have to wait"]})
        hash_ = passwords.hash(body["new_password"])
    with here.database.transaction() as connection:
        if known is None or token_store.generation_of(connection, id_) != known.token_generation:
            raise TokenRejected(_SPENT)  # somebody else gave him another meanwhile
        changes.replace_password(connection, id_, hash_, clock.now())
        _audit(connection, "change_password", id_, asking.person().hospital_id, ["password"])
        pair = here.px.logging_in().begin(connection, id_)
    if pair is None:
        raise TokenRejected(_SPENT)
    return _tokens(pair)


def set_user_password(user_id: str) -> flask.Response:
    """Give a user another password; every token of his is void."""
    body, id_, within = call.current().body, uuid_of(user_id, UNKNOWN), _within(asking.scope())
    with services().database.statements() as connection:
        columns = store.get(connection, id_, within)
    if columns is None:
        raise NotFound(UNKNOWN)
    hash_ = _hashed(body, "password", columns)
    with services().database.transaction() as connection:
        row = changes.set_password(connection, id_, hash_, _by(), within=within)
        _audit(connection, "set_password", id_, row["hospital_id"], ["password"])
    return flask.Response(status=204)


def assign_role(user_id: str) -> flask.Response:
    """Give a user a role."""
    return _with_role(user_id, "assign_role", changes.grant)


def remove_role(user_id: str) -> flask.Response:
    """Take a role from a user."""
    return _with_role(user_id, "remove_role", changes.take_away)


def _with_role(user_id: str, action: str, do: Callable[..., Done]) -> flask.Response:
    id_, role_id = uuid_of(user_id, UNKNOWN), uuid_in("role_id", call.current().body["role_id"])
    within = _within(asking.scope())
    with services().database.transaction() as connection:
        done = do(connection, id_, role_id, _by(), within=within)
        if done.columns:  # else he had it, or had it not
            _audit_done(connection, action, done)
        return _shown(connection, done.row)


def _change(user_id: str, *, whole: bool) -> flask.Response:
    id_, version, scope = uuid_of(user_id, UNKNOWN), expected_version(), asking.scope()
    columns = _columns(call.current().body, scope, whole=whole)
    with services().database.transaction() as connection:
        done = changes.change(connection, id_, columns, _by(), within=_within(scope), version=version)
        _audit_done(connection, "change", done)
        return _shown(connection, done.row)


def _audit_done(connection: Connection, action: str, done: Done) -> None:
    _audit(connection, action, done.row["id"], done.row["hospital_id"], done.columns)


def _audit(
    connection: Connection, action: str, id_: UUID, hospital_id: UUID | None, columns: Iterable[str]
) -> None:
    audited(connection, action, "user", id_, hospital_id, auth_schemas.names(columns))


def _request_id() -> str:
    return call.current().request_id


def _columns(body: Mapping[str, Any], scope: Scope, *, whole: bool) -> dict[str, Any]:
    columns = auth_schemas.columns(body, whole=whole)
    if "hospital_id" in columns:
        columns["hospital_id"] = scope.hospital_of_body(columns["hospital_id"])
    return columns


def _within(scope: Scope) -> Any:
    return scope.condition(UserRow.hospital_id, UserRow.department_id, person=UserRow.id)


def _by() -> By:
    return By(asking.person(), clock.now())


def _check(body: Mapping[str, Any], field: str, columns: Mapping[Any, Any]) -> None:
    names = [columns.get(name) for name in ("username", "first_name", "last_name")]
    names.append((columns.get("email") or "").partition("@")[0])
    changes.check_password(body[field], body[f"{field}_confirm"], names, field)


def _hashed(body: Mapping[str, Any], field: str, columns: Mapping[Any, Any]) -> str:
    _check(body, field, columns)
    passwords = asking.parts().passwords
    with passwords.turn():
        return passwords.hash(body[field])


def _filters(connection: Connection, asked: Mapping[str, str | None]) -> Filters:
    return Filters(
        is_active=flag_filter(asked["is_active"]),
        hospital_id=uuid_filter("hospital", asked["hospital"]),
        department_id=uuid_filter("department", asked["department"]),
        role_id=_role_id(connection, asked["groups"]),
        search=asked["search"],
    )


def _role_id(connection: Connection, group: str | None) -> UUID | None:
    """The role that the filter `groups` names, by its name or id."""
    if group is None:
        return None
    for each in store.roles(connection):
        if group.lower() in (each["name"].lower(), str(each["id"])):
            found: UUID = each["id"]
            return found
    raise InvalidFields({"groups": ["is not a role"]})


def _shown(connection: Connection, row: RowMapping | None, status: int = 200) -> flask.Response:
    if row is None:
        raise NotFound(UNKNOWN)
    roles = store.roles_of(connection, (row["id"],))[row["id"]]
    return versioned(auth_schemas.user(row, roles), row["version"], status)


def _tokens(pair: Pair) -> flask.Response:
    response = json_answer({"access": pair.access, "refresh": pair.refresh})
    response.headers["Cache-Control"] = "no-store"  # nobody in between may keep them
    return response
