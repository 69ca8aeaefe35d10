"""Make, change and deactivate templates of journeys. Never commits.

Whoever changes a template of a hospital holds the hospital's row until he commits: of two who make a default,
or give the same name, the second sees what the first has done.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, true

from dhos_connector_api.errors import PreconditionFailed
from dhos_connector_api.px.journeys import template_store as store
from dhos_connector_api.px.journeys import template_versions as versions
from dhos_connector_api.px.journeys.resources import TEMPLATE
from dhos_connector_api.px.organizations.changes import Done
from dhos_connector_api.px.organizations.given import Faults, changed_fields, values_of
from dhos_connector_api.px.organizations.resources import Status
from dhos_connector_api.px.organizations.store import Row, lock_hospital

CHANGED = "the object is not in the version that If-Match names"
_NO_HOSPITAL = "there is no such hospital"
_INACTIVE = "is inactive and takes nothing new"
_TAKEN = "is taken by another template of the hospital and type"


def create(connection: Connection, id_: UUID, body: Mapping[str, Any], *, at: datetime) -> Done:
    """Store a new one of these fields with its first version, and return it. Raises InvalidFields."""
    values = values_of(TEMPLATE, body, None, whole=True)
    _check(connection, id_, None, values)
    store.add(connection, TEMPLATE, id_, values, at=at)
    versions.keep(connection, id_, at=at)
    return Done(store.get(connection, TEMPLATE, id_, true()), changed_fields(TEMPLATE, None, values))


def change(
    connection: Connection,
    id_: UUID,
    body: Mapping[str, Any],
    *,
    whole: bool,
    seen: ColumnElement[bool],
    version: int | None,
    at: datetime,
) -> Done:
    """Take the fields of a body over, all of them (`whole`) or those it names, and return what is there now.

    Where nothing differs its version stays. Raises NotFound for what is not `seen`, InvalidFields, and
    PreconditionFailed where it has not that `version`.
    """
    before = _held(connection, id_, seen, version)
    values = values_of(TEMPLATE, body, before, whole=whole)
    _check(connection, id_, before, values)
    return _changed(connection, before, values, at)


def deactivate(
    connection: Connection, id_: UUID, *, seen: ColumnElement[bool], version: int | None, at: datetime
) -> Done:
    """Make one inactive, if it is not yet: journeys keep their version.

    Raises NotFound, PreconditionFailed.
    """
    before = _held(connection, id_, seen, version)
    if not before["is_active"]:
        return Done(before, ())
    values = {column: before[column] for column in TEMPLATE.fields.values()}
    return _changed(connection, before, values | {"is_active": False}, at)


def _changed(connection: Connection, before: Row, values: Mapping[str, Any], at: datetime) -> Done:
    id_, fields = before["id"], changed_fields(TEMPLATE, before, values)
    if not fields:
        return Done(before, ())
    store.change(connection, TEMPLATE, id_, values, at=at)
    versions.keep(connection, id_, at=at)
    return Done(store.get(connection, TEMPLATE, id_, true()), fields)


def _held(connection: Connection, id_: UUID, seen: ColumnElement[bool], version: int | None) -> Row:
    """Return a template as it stays until we commit."""
    lock_hospital(connection, store.get(connection, TEMPLATE, id_, seen)["hospital_id"])
    store.lock(connection, id_)
    before = store.get(connection, TEMPLATE, id_, seen)
    if version is not None and before["version"] != version:
        raise PreconditionFailed(CHANGED)
    return before


def _check(connection: Connection, id_: UUID, before: Row | None, values: Mapping[str, Any]) -> None:
    """Raise InvalidFields with all that is wrong with values, by column, that are to be stored."""
    faults = Faults()
    hospital_id, journey_type = values["hospital_id"], values["journey_type"]
    hospital = lock_hospital(connection, hospital_id)
    if hospital is None:
        faults.add("hospital", _NO_HOSPITAL)
        faults.check()
    elif hospital["status"] != Status.ACTIVE and (before is None or not before["is_active"]):
        faults.add("hospital", _INACTIVE if values["is_active"] else None)
    same = store.by_name(connection, hospital_id, journey_type, values["name"])
    if same is not None and same["id"] != id_:
        faults.add("name", _TAKEN)
    if values["is_default"] and values["is_active"]:
        other = store.default(connection, hospital_id, journey_type)
        if other is not None and other["id"] != id_:
            faults.add("is_default", f"the default of the hospital for this type is {other['id']}")
    faults.check()
