"""The JSON of users and roles (marshmallow), for the tag `auth`, and what their bodies mean."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields

from dhos_connector_api.api.schemas import Instant
from dhos_connector_api.errors import InvalidFields
from dhos_connector_api.http.dumping import dumper

#: Fields of a body, and the columns they are kept in.
_TEXTS = {name: name for name in ("username", "email", "first_name", "last_name", "phone", "employee_id")}
_REFERENCES = {"hospital": "hospital_id", "department": "department_id"}
_OTHERS = {"language": "language", "is_active": "is_active"}
#: What a PUT without these fields means.
_DEFAULTS: dict[str, Any] = {"language": "en", "is_active": True}
_OWN = ("first_name", "last_name", "phone", "language")


class RoleSchema(Schema):
    """A role; `openapi/px/schemas/auth.yaml` describes it."""

    id = fields.UUID()
    name = fields.String()
    name_ar = fields.String()
    level = fields.Integer()


class UserRoleSchema(Schema):
    """A role as it stands in a user."""

    id = fields.UUID()
    name = fields.String()
    level = fields.Integer()


class UserSchema(Schema):
    """A user; `openapi/px/schemas/auth.yaml` describes it. His roles are added where he is shown."""

    id = fields.UUID()
    username = fields.String()
    email = fields.String()
    first_name = fields.String()
    last_name = fields.String()
    phone = fields.String()
    employee_id = fields.String()
    language = fields.String()
    hospital = fields.UUID(attribute="hospital_id")
    hospital_name = fields.String()
    department = fields.UUID(attribute="department_id")
    is_active = fields.Boolean()
    last_login = Instant(attribute="last_login_at")
    created_at = Instant()
    updated_at = Instant()


role = dumper(RoleSchema())
_user = dumper(UserSchema())
_role_of_user = dumper(UserRoleSchema())


def user(row: Mapping[Any, Any], roles: Sequence[Mapping[Any, Any]]) -> bytes:
    """Return a user with his roles as JSON."""
    return json.dumps({**_user(row), "roles": [_role_of_user(each) for each in roles]}).encode()


def columns(body: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    """Return the columns that a body means: all of them for a `whole` user, else those given.

    Raises InvalidFields for a reference that is no uuid.
    """
    names = {**_TEXTS, **_REFERENCES, **_OTHERS}
    given = {**dict.fromkeys(names), **_DEFAULTS, **body} if whole else body
    found = {column: given[name] for name, column in names.items() if name in given}
    for name, column in _REFERENCES.items():
        if found.get(column) is not None:
            found[column] = uuid_in(name, found[column])
    return found


def names(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the fields that these columns are shown as."""
    fields_of = {column: name for name, column in _REFERENCES.items()}
    return tuple(fields_of.get(each, each) for each in columns)


def own_columns(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a person's own profile that a body means: all of them."""
    return {name: body.get(name, _DEFAULTS.get(name)) for name in _OWN}


def uuid_in(name: str, text: str) -> UUID:
    """Return the uuid in a field of a body. Raises InvalidFields for what is none."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidFields({name: ["is no UUID"]}) from None
