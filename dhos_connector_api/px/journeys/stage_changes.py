"""Make, change and deactivate stages of templates. Never commits.

Whoever changes a stage holds its template's row until he commits, so that versions follow one another.
Whoever changes several calls `add` and `alter`, and `settle` once.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, true

from dhos_connector_api.errors import InvalidFields, NotFound, PreconditionFailed
from dhos_connector_api.px.journeys import template_store as store
from dhos_connector_api.px.journeys import template_versions as versions
from dhos_connector_api.px.journeys.resources import STAGE, TEMPLATE
from dhos_connector_api.px.journeys.template_changes import CHANGED
from dhos_connector_api.px.organizations.changes import Done
from dhos_connector_api.px.organizations.given import Faults, changed_fields, values_of
from dhos_connector_api.px.organizations.store import Row

_NO_TEMPLATE = "there is no such template"
_UNCHANGED = "cannot be changed"
_NO_CODE = "may not be blank"
_TAKEN = "is taken by another stage of the template"


def create(
    connection: Connection, id_: UUID, body: Mapping[str, Any], *, seen: ColumnElement[bool], at: datetime
) -> Done:
    """Store a new one of these fields, for a template that is `seen`, and return it. Raises InvalidFields."""
    done = add(connection, id_, body, seen=seen, at=at)
    settle(connection, done.row["journey_template_id"], at=at)
    return done


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

    Where nothing differs its version stays, and that of its template, which others may be editing. Raises
    NotFound for what is not `seen`, InvalidFields, and PreconditionFailed where it has not that `version`.
    """
    done = alter(connection, id_, body, whole=whole, seen=seen, version=version, at=at)
    if done.fields:
        settle(connection, done.row["journey_template_id"], at=at)
    return done


def deactivate(
    connection: Connection, id_: UUID, *, seen: ColumnElement[bool], version: int | None, at: datetime
) -> Done:
    """Make one inactive, if it is not yet. Raises NotFound, PreconditionFailed."""
    before = _held(connection, id_, seen, version)
    if not before["is_active"]:
        return Done(before, ())
    return change(connection, id_, {"is_active": False}, whole=False, seen=seen, version=version, at=at)


def add(
    connection: Connection, id_: UUID, body: Mapping[str, Any], *, seen: ColumnElement[bool], at: datetime
) -> Done:
    """Store a new one as `create` does, without a version of its template."""
    values = _values(body, None, whole=True)
    template_id = values["journey_template_id"]
    try:
        hospital_id = store.get(connection, TEMPLATE, template_id, seen)["hospital_id"]
    except NotFound:
        raise InvalidFields({"journey_template": [_NO_TEMPLATE]}) from None
    store.lock(connection, template_id)
    _check_code(connection, id_, values)
    store.add(connection, STAGE, id_, {**values, "hospital_id": hospital_id}, at=at)
    return Done(store.get(connection, STAGE, id_, true()), changed_fields(STAGE, None, values))


def alter(
    connection: Connection,
    id_: UUID,
    body: Mapping[str, Any],
    *,
    whole: bool,
    seen: ColumnElement[bool],
    version: int | None,
    at: datetime,
) -> Done:
    """Take fields over as `change` does, without a version of the template."""
    before = _held(connection, id_, seen, version)
    values = _values(body, before, whole=whole)
    _check_code(connection, id_, values)
    fields = changed_fields(STAGE, before, values)
    if not fields:
        return Done(before, ())
    store.change(connection, STAGE, id_, values, at=at)
    return Done(store.get(connection, STAGE, id_, true()), fields)


def settle(connection: Connection, template_id: UUID, *, at: datetime) -> None:
    """Count what was done to stages of a template as its change, and add its version."""
    store.touch(connection, template_id, at=at)
    versions.keep(connection, template_id, at=at)


def differing(body: Mapping[str, Any], before: Row) -> tuple[str, ...]:
    """Return the names of the fields that would differ if a body were all that a stage has."""
    return changed_fields(STAGE, before, _values(body, before, whole=True))


def _held(connection: Connection, id_: UUID, seen: ColumnElement[bool], version: int | None) -> Row:
    """Return a stage as it stays until we commit."""
    store.lock(connection, store.get(connection, STAGE, id_, seen)["journey_template_id"])
    before = store.get(connection, STAGE, id_, seen)
    if version is not None and before["version"] != version:
        raise PreconditionFailed(CHANGED)
    return before


def _values(body: Mapping[str, Any], before: Row | None, *, whole: bool) -> dict[str, Any]:
    values = values_of(STAGE, body, before, whole=whole)
    faults = Faults()
    if before is not None and values["journey_template_id"] != before["journey_template_id"]:
        faults.add("journey_template", _UNCHANGED)
    values["trigger_event_code"] = _codes(values["trigger_event_code"])
    faults.add("trigger_event_code", None if values["trigger_event_code"] else _NO_CODE)
    faults.check()
    return values


def _codes(given: str) -> str:
    """Return codes separated by `|`, each trimmed and once; "" where there is none."""
    codes = [each.strip() for each in given.split("|")]
    return "|".join(dict.fromkeys(each for each in codes if each))


def _check_code(connection: Connection, id_: UUID, values: Mapping[str, Any]) -> None:
    """Raise InvalidFields where another stage of the template has the code; the template is locked."""
    other = store.by_code(connection, values["journey_template_id"], values["code"])
    if other is not None and other["id"] != id_:
        raise InvalidFields({"code": [_TAKEN]})
