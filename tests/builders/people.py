"""Hospitals, departments and users with roles, and their tokens."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from argon2 import PasswordHasher
from sqlalchemy import Connection, insert, text, update
from starlette.types import ASGIApp

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.organizations.models import DepartmentRow, HospitalRow
from dhos_connector_api.px.people import store, tokens, words
from dhos_connector_api.px.people.models import UserRow
from dhos_connector_api.px.people.passwords import Passwords
from dhos_connector_api.px.people.person import Person
from dhos_connector_api.px.people.tokens import AccessClaims
from tests.builders.api import UNLIMITED, api

PX_KEY = "px" * 40
PASSWORD = "correct horse battery"
SIGNER = tokens.issuer((PX_KEY,))
#: Passwords that take next to no time, and with room for all who wait.
QUICK = Passwords(PasswordHasher(1, 8, 1), waiting=1000)
_number: Iterator[int] = count(1)
_hash = QUICK.hash(PASSWORD)


class Anybody:
    """Takes every token for a PX Admin's, without a database: for what is checked before a handler."""

    is_set_up = True

    def claims(self, _token: str) -> None:
        """Return nothing: nothing is asked of it."""

    def find(self, _claims: None) -> Person:
        """Return a PX Admin."""
        return Person(UUID(int=1), 100, None, None, frozenset({"PX Admin"}))

    def allow(self, _person: Person, _right: str) -> None:
        """Allow everything."""


def people_api(database: Database, *, changes: dict[str, Any] | None = None, **environ: str) -> ASGIApp:
    """The application, where persons can log in quickly and as often as they like."""
    given = {"PX_HS_KEY": PX_KEY, "AUTH_REQUESTS_PER_MINUTE": "100000", **environ}
    return api(database, changes={**UNLIMITED, "passwords": QUICK, **(changes or {})}, **given)


@cache
def shared_people_api(database: Database) -> ASGIApp:
    """The same, made once for all tests that do not end it."""
    return people_api(database)


def a_hospital(connection: Connection, **columns: Any) -> UUID:
    """A new hospital."""
    id_, now = uuid4(), datetime.now(UTC)
    row = {"code": f"H{next(_number)}", "name": "Hospital", "created_at": now, "updated_at": now}
    connection.execute(insert(HospitalRow).values(id=id_, **(row | columns)))
    return id_


def a_department(connection: Connection, hospital: UUID, parent: UUID | None = None, **columns: Any) -> UUID:
    """A new department of that hospital."""
    id_, now = uuid4(), datetime.now(UTC)
    row = {"code": f"D{next(_number)}", "name": "Department", "created_at": now, "updated_at": now}
    row |= {"hospital_id": hospital, "parent_id": parent}
    connection.execute(insert(DepartmentRow).values(id=id_, **(row | columns)))
    return id_


def a_user(connection: Connection, *levels: int, **columns: Any) -> UUID:
    """A new user with the roles of these levels."""
    now = clock.now()
    id_, number = clock.new_uuid(now), next(_number)
    row: dict[str, Any] = {"username": f"user{number}", "email": f"user{number}@hospital.example.com"}
    row |= {"password_hash": _hash, "created_at": now, "updated_at": now} | columns
    found = words.of_user(row["username"], row["email"], row.get("first_name"), row.get("last_name"))
    connection.execute(insert(UserRow).values(id=id_, words=found, **row))
    for level in levels:
        store.grant(connection, id_, role_id(connection, level), at=now, by=None)
    return id_


def role_id(connection: Connection, level: int) -> UUID:
    """The id of the role of that level."""
    found: UUID = connection.execute(
        text("SELECT id FROM role WHERE level = :level"), {"level": level}
    ).scalar_one()
    return found


def person_token(user: UUID, *, generation: int = 1, lifetime: float = 600, key: str = PX_KEY) -> str:
    """An access token of that user."""
    signer = tokens.issuer((key,))
    claims, now = AccessClaims(user, generation), clock.now()
    return tokens.access_token(signer, claims, now=now, lifetime=timedelta(seconds=lifetime))


def deactivated(connection: Connection, user: UUID) -> UUID:
    """That user, who is not active any more."""
    connection.execute(update(UserRow).where(UserRow.id == user).values(is_active=False))
    return user


def a_px_admin(database: Database) -> str:
    """An access token of a new PX Admin."""
    with database.transaction() as connection:
        return person_token(a_user(connection, 100))
