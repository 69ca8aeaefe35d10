"""Make, change and deactivate hospitals, departments, physicians and employees. Never commits.

Whoever changes anything of a hospital holds its row until he commits: of two who move departments at once, or
give the same code, the second sees what the first has done. So checks read first, and then it is written.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, true

from dhos_connector_api.errors import PreconditionFailed
from dhos_connector_api.px.organizations import checks, store
from dhos_connector_api.px.organizations.given import changed_fields, hold, values_of
from dhos_connector_api.px.organizations.resources import HOSPITAL, Resource, Status
from dhos_connector_api.px.organizations.store import Row

#: Returns which of these users are active ones of that hospital; the room `people` knows.
ActiveUsers = Callable[[Connection, UUID, Collection[UUID]], Collection[UUID]]

_CHANGED = "the object is not in the version that If-Match names"


@dataclass(frozen=True, slots=True)
class Done:
    """A row as it is now, and the names of the fields that were changed."""

    row: Row
    fields: tuple[str, ...]


def create(
    connection: Connection,
    resource: Resource,
    id_: UUID,
    body: Mapping[str, Any],
    *,
    users: ActiveUsers,
    at: datetime,
) -> Done:
    """Store a new one of these fields, and return it. Raises InvalidFields."""
    values = values_of(resource, body, None, whole=True)
    hospital = _lock(connection, resource, values.get("hospital_id"))
    checks.check(connection, resource, id_, None, values, hospital, users)
    store.add(connection, resource, id_, values, at=at)
    return Done(store.get(connection, resource, id_, true()), changed_fields(resource, None, values))


def change(
    connection: Connection,
    resource: Resource,
    id_: UUID,
    body: Mapping[str, Any],
    *,
    whole: bool,
    seen: ColumnElement[bool],
    version: int | None,
    users: ActiveUsers,
    at: datetime,
    held: Collection[str] = (),
) -> Done:
    """Take the fields of a body over, all of them (`whole`) or those it names, and return what is there now.

    Raises NotFound for what is not `seen`, InvalidFields, also where a field that is `held` would change, and
    PreconditionFailed where it has not that `version`.
    """
    before, hospital = _held(connection, resource, id_, seen, version)
    values = values_of(resource, body, before, whole=whole)
    hold(resource, before, values, held)
    checks.check(connection, resource, id_, before, values, hospital, users)
    if not store.change(connection, resource, id_, values, version=version, at=at):
        raise PreconditionFailed(_CHANGED)
    return Done(store.get(connection, resource, id_, true()), changed_fields(resource, before, values))


def deactivate(
    connection: Connection,
    resource: Resource,
    id_: UUID,
    *,
    seen: ColumnElement[bool],
    version: int | None,
    at: datetime,
) -> Done:
    """Make one inactive, if it is not yet: what refers to it stays. Raises NotFound, PreconditionFailed."""
    before, _ = _held(connection, resource, id_, seen, version)
    if before["status"] == Status.INACTIVE:
        return Done(before, ())
    if not store.deactivate(connection, resource, id_, version=version, at=at):
        raise PreconditionFailed(_CHANGED)
    return Done(store.get(connection, resource, id_, true()), ("status",))


def _held(
    connection: Connection, resource: Resource, id_: UUID, seen: ColumnElement[bool], version: int | None
) -> tuple[Row, Row | None]:
    """Return a row as it stays until we commit, and its hospital where it is of one."""
    found = store.get(connection, resource, id_, seen)
    hospital = _lock(connection, resource, found.get("hospital_id", id_))
    before = store.get(connection, resource, id_, seen)
    if version is not None and before["version"] != version:
        raise PreconditionFailed(_CHANGED)
    return before, None if resource is HOSPITAL else hospital


def _lock(connection: Connection, resource: Resource, hospital_id: UUID | None) -> Row | None:
    """Wait for whoever changes the same hospital; one that is new has its code alone to wait for."""
    if resource is HOSPITAL:
        store.lock_codes(connection)
    return None if hospital_id is None else store.lock_hospital(connection, hospital_id)
