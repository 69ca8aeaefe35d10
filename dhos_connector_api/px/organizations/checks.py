"""What must hold of hospitals, departments, physicians and employees before they are stored."""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.px.organizations import contact, store
from dhos_connector_api.px.organizations.given import Faults, becomes_active
from dhos_connector_api.px.organizations.resources import DEPARTMENT, HOSPITAL, Resource, Status
from dhos_connector_api.px.organizations.store import Row

_NO_HOSPITAL = "there is no such hospital"
_NO_DEPARTMENT = "is no department of this hospital"
_INACTIVE = "is inactive and takes nothing new"
_CIRCLE = "would be below itself"
_NO_USER = "is no active user of this hospital"
_TAKEN = "is taken"
_WARD_TAKEN = "belongs to another department of the hospital"

Users = Callable[[Connection, UUID, Collection[UUID]], Collection[UUID]]


def check(
    connection: Connection,
    resource: Resource,
    id_: UUID,
    before: Row | None,
    values: Mapping[str, Any],
    hospital: Row | None,
    users: Users,
) -> None:
    """Raise InvalidFields with all that is wrong with values, by column, that are to be stored under that id.

    `hospital` is the one they are of, locked; of a hospital's own values None.
    """
    faults = Faults()
    _contact(
        faults,
        before,
        values,
        values.get("region") if resource is HOSPITAL else (hospital or {}).get("region"),
    )
    if resource is not HOSPITAL:
        if hospital is None:
            faults.add("hospital", _NO_HOSPITAL)
            faults.check()
        elif hospital["status"] != Status.ACTIVE and becomes_active(before, values):
            faults.add("hospital", _INACTIVE)
        _departments(connection, faults, resource, id_, before, values)
        _users(connection, faults, resource, before, values, users)
    _key(connection, faults, resource, id_, values)
    if resource is DEPARTMENT:
        _wards(connection, faults, id_, values)
    faults.check()


def _contact(faults: Faults, before: Row | None, values: Mapping[str, Any], region: str | None) -> None:
    """Check what is new: a number kept from times of another region does not hinder other changes."""

    def new(name: str) -> str | None:
        text: str | None = values.get(name)
        return text if before is None or before.get(name) != text else None

    if given := new("region"):
        faults.add("region", contact.region_fault(given))
        region = None if "region" in faults.found else region
    if (given := new("phone")) and "region" not in faults.found:
        faults.add("phone", contact.phone_fault(given, region))
    if given := new("email"):
        faults.add("email", contact.email_fault(given))


def _departments(
    connection: Connection,
    faults: Faults,
    resource: Resource,
    id_: UUID,
    before: Row | None,
    values: Mapping[str, Any],
) -> None:
    for name in resource.references:
        column = resource.fields[name]
        wanted = values[column]
        is_new = before is None or before[column] != wanted
        if wanted is None or not (is_new or becomes_active(before, values)):
            continue
        found = store.departments(connection, [wanted]).get(wanted)
        if found is None or found["hospital_id"] != values["hospital_id"]:
            faults.add(name, _NO_DEPARTMENT)
        elif found["status"] != Status.ACTIVE and values["status"] == Status.ACTIVE:
            faults.add(name, _INACTIVE)
        elif resource is DEPARTMENT and is_new and store.is_below(connection, wanted, id_):
            faults.add(name, _CIRCLE)


def _users(
    connection: Connection,
    faults: Faults,
    resource: Resource,
    before: Row | None,
    values: Mapping[str, Any],
    users: Users,
) -> None:
    for name in resource.users:
        column = resource.fields[name]
        wanted = values[column]
        if wanted is None or (before is not None and before[column] == wanted):
            continue
        if wanted not in users(connection, values["hospital_id"], [wanted]):
            faults.add(name, _NO_USER)


def _key(
    connection: Connection, faults: Faults, resource: Resource, id_: UUID, values: Mapping[str, Any]
) -> None:
    key = values[resource.fields[resource.key]]
    other = store.by_key(connection, resource, key, values.get("hospital_id"))
    if other is not None and other["id"] != id_:
        faults.add(resource.key, _TAKEN)


def _wards(connection: Connection, faults: Faults, id_: UUID, values: Mapping[str, Any]) -> None:
    codes = values["ward_codes"]
    if codes and store.wards_taken(connection, values["hospital_id"], codes, id_):
        faults.add("ward_codes", _WARD_TAKEN)
