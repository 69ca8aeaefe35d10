"""Changes to users by those above them: made, changed, deactivated, given and taken roles and passwords.

Who changes and who is changed are locked first, and their levels are those of that moment: a role that was
taken away meanwhile does not count any more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import ColumnElement, Connection, RowMapping, select, true
from sqlalchemy.exc import IntegrityError

from dhos_connector_api import clock
from dhos_connector_api.errors import Conflict, InvalidFields, NotFound, PreconditionFailed, RightMissing
from dhos_connector_api.px.organizations.tree import hospital_exists, hospital_of_department
from dhos_connector_api.px.people import password_rules, store, token_store, words
from dhos_connector_api.px.people.person import Person
from dhos_connector_api.px.people.rights import PX_ADMIN

UNKNOWN = "there is no user with that id"
_UNKNOWN_ROLE = "is not a role"
_ABOVE = "that is for somebody of a higher level than yours"
_LAST = "the last PX Admin keeps his role and stays active"
_TAKEN = "is taken"
#: What a role changes of a user.
_ROLES = ("roles",)


@dataclass(frozen=True, slots=True)
class By:
    """The one who changes a user: a person; None: the command line, which may everything."""

    person: Person | None
    at: datetime

    @property
    def id(self) -> UUID | None:
        return self.person.id if self.person else None


@dataclass(frozen=True, slots=True)
class Done:
    """A user as he is now, and the columns that are others than before."""

    row: RowMapping
    columns: tuple[str, ...]


def may_deal_with(own: int, other: int) -> bool:
    """Return whether a person of level `own` may deal with a user or role of level `other`."""
    return own > other or own >= PX_ADMIN


def make(connection: Connection, columns: Mapping[str, Any], hash_: str, by: By) -> UUID:
    """Store a new user without roles and return his id. Raises InvalidFields."""
    columns = _checked(connection, columns)
    id_ = clock.new_uuid(by.at)
    row = {**columns, "id": id_, "password_hash": hash_, "created_at": by.at, "updated_at": by.at}
    if not store.add(connection, {**row, "words": _words(row)}):
        raise _taken(connection, columns, None)
    return id_


def change(
    connection: Connection,
    id_: UUID,
    columns: Mapping[str, Any],
    by: By,
    *,
    within: ColumnElement[bool],
    version: int | None = None,
) -> Done:
    """Change a user and return him.

    Raises NotFound for who is not `within` that condition, RightMissing for who is not below, InvalidFields,
    PreconditionFailed, and Conflict where it would deactivate the last PX Admin.
    """
    now = _locked(connection, id_, by, within)
    columns = _checked(connection, {"hospital_id": now["hospital_id"], **columns}, now)
    return _changed(connection, id_, columns, now, by.at, version)


def change_own(
    connection: Connection, person: Person, columns: Mapping[str, Any], at: datetime, version: int | None
) -> Done:
    """Change a person's own profile and return him. Raises InvalidFields, PreconditionFailed."""
    store.lock(connection, (person.id,))
    now = store.get(connection, person.id, true())
    if now is None:
        raise NotFound(UNKNOWN)
    return _changed(connection, person.id, columns, now, at, version)


def grant(connection: Connection, id_: UUID, role_id: UUID, by: By, *, within: ColumnElement[bool]) -> Done:
    """Give a user a role and return him; nothing happens where he has it. Raises as `change` does."""
    now = _locked(connection, id_, by, within)
    _role(connection, role_id, by)
    if not store.grant(connection, id_, role_id, at=by.at, by=by.id):
        return Done(now, ())
    return Done(store.change(connection, id_, {}, at=by.at) or now, _ROLES)


def take_away(
    connection: Connection, id_: UUID, role_id: UUID, by: By, *, within: ColumnElement[bool]
) -> Done:
    """Take a role from a user and return him; nothing happens where he has it not. Raises as `change`."""
    now = _locked(connection, id_, by, within)
    level = _role(connection, role_id, by)
    if level >= PX_ADMIN and now["is_active"] and not store.other_active(connection, level, id_):
        raise Conflict(_LAST)
    if not store.take_away(connection, id_, role_id):
        return Done(now, ())
    return Done(store.change(connection, id_, {}, at=by.at) or now, _ROLES)


def set_password(
    connection: Connection, id_: UUID, hash_: str, by: By, *, within: ColumnElement[bool]
) -> RowMapping:
    """Give a user another password, and return him; his tokens are void. Raises as `change` does."""
    now = _locked(connection, id_, by, within)
    replace_password(connection, id_, hash_, by.at)
    return now


def replace_password(connection: Connection, id_: UUID, hash_: str, at: datetime) -> None:
    """Store another password of a user, who need not wait any more; every token of his is void."""
    store.change(connection, id_, {"password_hash": hash_}, at=at)
    _end_tokens(connection, id_, at)
    token_store.unlock(connection, id_)


def check_password(password: str, confirmed: str, names: Iterable[str | None], field: str) -> None:
    """Raise InvalidFields for a password that is not taken, or was not confirmed."""
    if refused := password_rules.refusals(password, names):
        raise InvalidFields({field: refused})
    if password != confirmed:
        raise InvalidFields({f"{field}_confirm": ["is not the same"]})


def _locked(connection: Connection, id_: UUID, by: By, within: ColumnElement[bool]) -> RowMapping:
    """The user as he is now, once it is known that `by` may deal with him."""
    levels = store.lock(connection, {id_} | ({by.person.id} if by.person else set()))
    now = store.get(connection, id_, within)
    if now is None:
        raise NotFound(UNKNOWN)
    if by.person and not may_deal_with(levels.get(by.person.id, 0), levels[id_]):
        raise RightMissing(_ABOVE)
    return now


def _role(connection: Connection, role_id: UUID, by: By) -> int:
    """The level of a role, once it is known that `by` may grant it."""
    level: int | None = next(
        (each["level"] for each in store.roles(connection) if each["id"] == role_id), None
    )
    if level is None:
        raise InvalidFields({"role_id": [_UNKNOWN_ROLE]})
    if by.person and not may_deal_with(store.lock(connection, {by.person.id})[by.person.id], level):
        raise RightMissing(_ABOVE)
    return level


def _changed(
    connection: Connection,
    id_: UUID,
    columns: Mapping[str, Any],
    now: RowMapping,
    at: datetime,
    version: int | None,
) -> Done:
    ends = now["is_active"] and columns.get("is_active") is False
    if ends and store.lock(connection, (id_,))[id_] >= PX_ADMIN and not _others(connection, id_):
        raise Conflict(_LAST)
    try:
        with connection.begin_nested():
            row = {**columns, "words": _words({**now, **columns})}
            found = store.change(connection, id_, row, at=at, version=version)
    except IntegrityError:
        raise _taken(connection, columns, id_) from None
    if found is None:
        raise PreconditionFailed("the object is not in the version that If-Match names")
    if ends:
        _end_tokens(connection, id_, at)
    return Done(found, tuple(name for name in columns if found[name] != now[name]))


def _others(connection: Connection, id_: UUID) -> int:
    return store.other_active(connection, PX_ADMIN, id_)


def _end_tokens(connection: Connection, id_: UUID, at: datetime) -> None:
    store.void_tokens(connection, id_)
    token_store.revoke_all(connection, id_, at)


def _checked(
    connection: Connection, columns: Mapping[str, Any], before: Mapping[Any, Any] | None = None
) -> dict[str, Any]:
    """The columns, once it is known that address, hospital and department can be meant."""
    found = dict(columns)
    if found.get("email"):
        found["email"] = _address(found["email"])
    hospital_id = found.get("hospital_id")
    if hospital_id and not connection.execute(select(hospital_exists(hospital_id))).scalar():
        raise InvalidFields({"hospital": ["is not a hospital"]})
    department_id = found.get("department_id", before["department_id"] if before else None)
    if department_id:
        of = connection.execute(select(hospital_of_department(department_id))).scalar()
        if of is None or of != hospital_id:
            raise InvalidFields({"department": ["is not a department of the hospital"]})
    return found


def _address(email: str) -> str:
    try:
        return validate_email(email, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise InvalidFields({"email": ["is not an e-mail address"]}) from None


def _taken(connection: Connection, columns: Mapping[str, Any], but: UUID | None) -> InvalidFields:
    names = store.taken(connection, columns.get("username"), columns.get("email"), but)
    return InvalidFields({name: [_TAKEN] for name in names} or {"username": [_TAKEN]})


def _words(row: Mapping[str, Any]) -> list[str]:
    names = (row.get(name) for name in ("first_name", "last_name", "employee_id"))
    return words.of_user(row["username"], row.get("email"), *names)
