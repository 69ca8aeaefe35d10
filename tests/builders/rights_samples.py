"""The lines of the rights matrix: for each tag of the wing, an object to ask for, and bodies that are taken.

A tag's line says how one of its objects is made at a place, and what bodies its operations get there. Whoever
adds an operation to a tag adds its body here; whoever adds a tag adds its line.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, select, true, update

from dhos_connector_api import clock
from dhos_connector_api.errors import NotFound
from dhos_connector_api.px.audit import listing
from dhos_connector_api.px.audit.store import COMMAND, Entry, record
from dhos_connector_api.px.journeys import by_person
from dhos_connector_api.px.journeys.evidence import STAGE_COMPLETED
from dhos_connector_api.px.journeys.opening import By, open_journey
from dhos_connector_api.px.journeys.resources import TEMPLATE
from dhos_connector_api.px.organizations import changes, identifying, patient_changes
from dhos_connector_api.px.organizations.models import PatientRow
from dhos_connector_api.px.organizations.resources import DEPARTMENT, EMPLOYEE, HOSPITAL, PHYSICIAN, Resource
from dhos_connector_api.px.people.active_users import active_users
from tests.builders.journey_rows import journey_body, newest_stage, stages_of
from tests.builders.journey_templates import a_template, stage_body, stage_ids, template_body
from tests.builders.organizations import body_of, patient_body
from tests.builders.people import PASSWORD, a_user, role_id

Body = Callable[[Connection, "Place"], dict[str, Any]]
_number = count(1)


@dataclass(frozen=True, slots=True)
class Place:
    """A department of a hospital: where an object is, or is to be."""

    hospital: UUID
    department: UUID


@dataclass(frozen=True, slots=True)
class Line:
    """A tag's line: `make` an object at a place; the body of each operation that takes one, by its id.

    `parts` make what else a path names, by that parameter: a part of the object.
    """

    make: Callable[[Connection, Place], UUID]
    bodies: Mapping[str, Body] = field(default_factory=dict)
    parts: Mapping[str, Callable[[Connection, UUID], UUID]] = field(default_factory=dict)


def _new_user(_connection: Connection, place: Place) -> dict[str, Any]:
    there = {"hospital": str(place.hospital), "department": str(place.department)}
    return {"username": f"new{next(_number)}", "password": PASSWORD, "password_confirm": PASSWORD, **there}


def _role(connection: Connection, _place: Place) -> dict[str, Any]:
    return {"role_id": str(role_id(connection, 30))}


AUTH = Line(
    make=lambda connection, place: a_user(
        connection, 10, hospital_id=place.hospital, department_id=place.department
    ),
    bodies={
        "create_user": _new_user,
        "replace_user": lambda *_: {"username": f"new{next(_number)}"},
        "change_user": lambda *_: {"language": "ar"},
        "update_profile": lambda *_: {"language": "ar"},
        "change_password": lambda *_: {
            "old_password": PASSWORD,
            "new_password": "another staple battery",
            "new_password_confirm": "another staple battery",
        },
        "set_user_password": lambda *_: {"password": PASSWORD, "password_confirm": PASSWORD},
        "assign_role": _role,
        "remove_role": _role,
    },
)


def _there(connection: Connection, resource: Resource, place: Place) -> dict[str, Any]:
    """The body of a new one there; of hospitals the hospital itself is there."""
    if resource is HOSPITAL:
        return body_of(HOSPITAL)
    # another operation may have deactivated it
    connection.execute(
        update(HOSPITAL.table).where(HOSPITAL.hospital == place.hospital).values(status="active")
    )
    reference = resource.references[0]
    return body_of(resource, place.hospital, **{reference: str(place.department)})


def _organization(resource: Resource) -> Line:
    def make(connection: Connection, place: Place) -> UUID:
        if resource is HOSPITAL:
            return place.hospital
        now, body = clock.now(), _there(connection, resource, place)
        id_ = clock.new_uuid(now)
        changes.create(connection, resource, id_, body, users=active_users, at=now)
        return id_

    def new(connection: Connection, place: Place) -> dict[str, Any]:
        return _there(connection, resource, place)

    def whole(connection: Connection, place: Place) -> dict[str, Any]:
        return new(connection, place) | _held(connection, resource, place)

    name = resource.name
    bodies: dict[str, Body] = {f"create_{name}": new, f"replace_{name}": whole}
    bodies[f"change_{name}"] = lambda *_: {"phone": None}
    if resource is not HOSPITAL:
        return Line(make, bodies)
    bodies["create_hospital_identifier"] = lambda *_: _identifier_body()
    return Line(make, bodies, {"identifier_id": _identifier})


def _identifier_body() -> dict[str, Any]:
    return {"source": "hl7v2", "kind": "facility", "value": f"Ward Hosp {next(_number)}"}


def _identifier(connection: Connection, hospital: UUID) -> UUID:
    """A name of that hospital; of one that is not there the id of none."""
    id_, at = uuid4(), clock.now()
    with suppress(NotFound):
        identifying.identify(connection, id_, hospital, **_identifier_body(), at=at)
    return id_


def _held(connection: Connection, resource: Resource, place: Place) -> dict[str, Any]:
    """What only a PX Admin may change, as it is now."""
    if not resource.held:
        return {}
    columns = [resource.table.c[name] for name in sorted(resource.held)]
    row = connection.execute(select(*columns).where(HOSPITAL.hospital == place.hospital)).mappings().one()
    return dict(row)


ORGANIZATIONS = {f"{each.name}s": _organization(each) for each in (HOSPITAL, DEPARTMENT, PHYSICIAN, EMPLOYEE)}


def _audited(connection: Connection, place: Place) -> UUID:
    """An entry of what was done to a hospital: its only one."""
    object_id = uuid4()
    record(connection, Entry(COMMAND, "change", "hospital", object_id, place.hospital))
    found: UUID = next(listing.every(connection, listing.Filters(object_id=object_id), true()))["id"]
    return found


AUDIT = Line(_audited)


def _patient_there(connection: Connection, place: Place) -> dict[str, Any]:
    # another operation may have deactivated it
    connection.execute(
        update(HOSPITAL.table).where(HOSPITAL.hospital == place.hospital).values(status="active")
    )
    return patient_body(place.hospital)


def _same_patient(connection: Connection, place: Place) -> dict[str, Any]:
    """The body of the patient that was made last, whose number stays: it is the feed's where it names us."""
    body, columns = _patient_there(connection, place), PatientRow.__table__.c
    query = select(columns.mrn).where(columns.hospital_id == place.hospital)
    newest = connection.execute(query.order_by(columns.created_at.desc()).limit(1))
    return body | {"mrn": newest.scalar_one()}


PATIENTS = Line(
    make=lambda connection, place: patient_changes.create(
        connection, _patient_there(connection, place), at=clock.now()
    ).row["id"],
    bodies={
        "create_patient": _patient_there,
        "replace_patient": _same_patient,
        "change_patient": lambda *_: {"phone": None},
    },
)


def _a_stage(connection: Connection, place: Place) -> UUID:
    """The first stage of a new journey."""
    return next(iter(stages_of(connection, _a_journey(connection, place)).values()))


def _a_journey(connection: Connection, place: Place) -> UUID:
    by = By(UUID(int=1), true(), must_place=False)
    return open_journey(connection, _journey_body(connection, place), by, clock.now())


def _journey_body(connection: Connection, place: Place) -> dict[str, Any]:
    hospital = _active_there(connection, place)
    return journey_body(connection, hospital, department=str(place.department))


def _reason(*_: Any) -> dict[str, Any]:
    return {"reason": "It took place"}


def _details(*_: Any) -> dict[str, Any]:
    return {"metadata": {"admission_type": "scheduled"}}


def _of_complete(connection: Connection, place: Place) -> dict[str, Any]:
    """The body to reopen the stage that was made last, which is complete by now."""
    stage = newest_stage(connection, place.hospital)
    how: dict[str, Any] = {"seen": true(), "by": UUID(int=1), "at": clock.now()}
    by_person.settle(connection, stage, STAGE_COMPLETED, "It took place", **how)
    return _reason()


JOURNEYS = Line(
    make=_a_journey,
    bodies={
        "create_journey": _journey_body,
        "replace_journey": _details,
        "change_journey": _details,
        "close_journey": _reason,
        "cancel_journey": _reason,
    },
)
JOURNEY_STAGES = Line(
    make=_a_stage,
    bodies={
        "complete_journey_stage": _reason,
        "skip_journey_stage": _reason,
        "reopen_journey_stage": _of_complete,
    },
)


def _active_there(connection: Connection, place: Place) -> UUID:
    """The hospital, which another operation may have deactivated."""
    connection.execute(
        update(HOSPITAL.table).where(HOSPITAL.hospital == place.hospital).values(status="active")
    )
    return place.hospital


def _template_body(journey_type: str) -> Body:
    """The body of a template of that type: of each a name is there once."""
    return lambda connection, place: template_body(
        _active_there(connection, place), journey_type=journey_type
    )


def _template_there(connection: Connection, place: Place) -> UUID:
    return a_template(connection, place.hospital, journey_type="day_case", is_default=False)


JOURNEY_TEMPLATES = Line(
    make=_template_there,
    bodies={
        "create_journey_template": _template_body("ems"),
        "replace_journey_template": _template_body("inpatient"),
        "change_journey_template": lambda *_: {"description": "New"},
    },
)


def _stage_there(connection: Connection, place: Place) -> UUID:
    return next(iter(stage_ids(connection, _template_there(connection, place)).values()))


def _same_template(connection: Connection, place: Place) -> dict[str, Any]:
    """The body of the stage that was made last, which keeps its template."""
    columns = TEMPLATE.table.c
    query = select(columns.id).where(
        columns.hospital_id == place.hospital, columns.journey_type == "day_case"
    )
    newest = connection.execute(query.order_by(columns.created_at.desc()).limit(1))
    return stage_body(newest.scalar_one())


STAGE_TEMPLATES = Line(
    make=_stage_there,
    bodies={
        "create_stage_template": lambda connection, place: stage_body(_template_there(connection, place)),
        "replace_stage_template": _same_template,
        "change_stage_template": lambda *_: {"survey_delay_hours": 24},
    },
)
#: By tag.
LINES: dict[str, Line] = {
    "auth": AUTH,
    "audit": AUDIT,
    **ORGANIZATIONS,
    "patients": PATIENTS,
    "journey_templates": JOURNEY_TEMPLATES,
    "stage_templates": STAGE_TEMPLATES,
    "journeys": JOURNEYS,
    "journey_stages": JOURNEY_STAGES,
}
