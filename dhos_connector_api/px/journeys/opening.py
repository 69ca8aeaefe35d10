"""A journey that a person opens by hand: what must hold of it, and the evidence of it. Never commits."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_

from dhos_connector_api import clock
from dhos_connector_api.errors import NotFound
from dhos_connector_api.px.journeys import (
    applying,
    evidence_store,
    journey_store,
    link_store,
    locks,
    template_store,
)
from dhos_connector_api.px.journeys.evidence import JOURNEY_OPENED, PERSON, EncounterKey, Evidence, Name
from dhos_connector_api.px.journeys.resources import TEMPLATE
from dhos_connector_api.px.organizations import shown, store
from dhos_connector_api.px.organizations.given import Faults
from dhos_connector_api.px.organizations.identity import SHARED
from dhos_connector_api.px.organizations.resources import DEPARTMENT, Status
from dhos_connector_api.px.organizations.store import Row

_BLANK = "may not be blank"
_NO_UUID = "is no UUID"
_NO_TEMPLATE = "is no active template of this hospital"
_NO_PATIENT = "is no patient of this hospital"
_NO_DEPARTMENT = "is no active department of this hospital that is yours"
_NO_HOSPITAL = "is no active hospital"
_TAKEN = "has a journey already"
_IDS = ("journey_template", "patient", "hospital", "department")


@dataclass(frozen=True, slots=True)
class By:
    """The person who acts, and which departments are his (`people.scope`): he may name one of them.

    `must_place`: his right reaches no further than these.
    """

    id: UUID
    departments: ColumnElement[bool]
    must_place: bool


def open_journey(connection: Connection, body: Mapping[str, Any], by: By, at: datetime) -> UUID:
    """Store that a person has opened a journey, and return its id. Raises InvalidFields."""
    faults = Faults()
    ids = {name: _id(name, body.get(name), faults) for name in _IDS}
    encounter = body["encounter_id"].strip()
    faults.add("encounter_id", None if encounter else _BLANK)
    faults.check()
    hospital: Any = ids["hospital"]
    held = store.lock_hospital(connection, hospital)
    if held is None or held["status"] != Status.ACTIVE:
        faults.add("hospital", _NO_HOSPITAL)
    template = _template(connection, ids["journey_template"], hospital, faults)
    patient = _patient(connection, ids["patient"], hospital, faults)
    department = _department(connection, ids["department"], hospital, by, faults)
    faults.check()
    key = EncounterKey(SHARED, hospital, encounter)
    _take(connection, key, faults)
    told = replace(_opened(key, by, at, template), patient_id=patient, department=department)
    applied = applying.add(connection, [told], at)
    evidence_store.note_done(connection, applied.messages, at)
    journey = journey_store.journey_of(connection, key) or key.journey_id
    if body.get("metadata"):
        journey_store.keep_details(connection, journey, body["metadata"], at)
    return journey


def _opened(key: EncounterKey, by: By, at: datetime, template: Row) -> Evidence:
    return Evidence(
        event_uuid=clock.new_uuid(at),
        occurred_at=at,
        received_at=at,
        message_uuid=clock.new_uuid(at),
        source=PERSON,
        code=JOURNEY_OPENED,
        namespace=key.namespace,
        facility="",
        hospital_id=key.hospital_id,
        encounter_id=key.encounter_id,
        journey_type=template["journey_type"],
        actor_id=by.id,
        template_version_id=template["current_version_id"],
    )


def _take(connection: Connection, key: EncounterKey, faults: Faults) -> None:
    """Keep others from the encounter until we commit. Raises InvalidFields where it has a journey."""
    name = Name(key.namespace, key.encounter_id)
    locks.enter(connection, alone=False)
    locks.hold(connection, link_store.also_called(connection, [name]))
    if journey_store.journey_of(connection, key) is not None:
        faults.add("encounter_id", _TAKEN)
    faults.check()


def _template(connection: Connection, id_: UUID | None, hospital: UUID, faults: Faults) -> Row:
    found: Row = {}
    if id_ is not None:
        with suppress(NotFound):
            found = template_store.get(connection, TEMPLATE, id_, TEMPLATE.table.c.hospital_id == hospital)
    if not found.get("is_active"):
        faults.add("journey_template", _NO_TEMPLATE)
    return found


def _patient(connection: Connection, id_: UUID | None, hospital: UUID, faults: Faults) -> UUID | None:
    """The patient, or the one he is merged into."""
    found = shown.patients(connection, [id_] if id_ else []).get(id_) if id_ else None
    if found is None or found["hospital_id"] != hospital:
        faults.add("patient", _NO_PATIENT)
        return None
    return UUID(str(found["id"]))


def _department(
    connection: Connection, id_: UUID | None, hospital: UUID, by: By, faults: Faults
) -> str | None:
    """The code of the department."""
    if id_ is None:
        faults.add("department", _NO_DEPARTMENT if by.must_place else None)
        return None
    seen = and_(by.departments, DEPARTMENT.hospital == hospital, DEPARTMENT.table.c.status == Status.ACTIVE)
    try:
        return str(store.get(connection, DEPARTMENT, id_, seen)["code"])
    except NotFound:
        faults.add("department", _NO_DEPARTMENT)
        return None


def _id(name: str, given: str | None, faults: Faults) -> UUID | None:
    try:
        return None if given is None else UUID(given)
    except ValueError:
        faults.add(name, _NO_UUID)
        return None
