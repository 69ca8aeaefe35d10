"""Make, change and deactivate patients as people say. Never commits.

What a person says of a group of columns (`fold.GROUPS`) is stamped with when he says it, so that the feed
undoes it by newer facts alone. Locks are taken in one order: the hospital (it keeps MRNs unique), then
identifiers, then the patient.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, true

from dhos_connector_api import clock
from dhos_connector_api.errors import Conflict, NotFound, PreconditionFailed
from dhos_connector_api.px.organizations import fold, patient_store, store
from dhos_connector_api.px.organizations.given import Faults
from dhos_connector_api.px.organizations.identity import MRN, NHS_NUMBER, SHARED, Identifier, patient_id
from dhos_connector_api.px.organizations.patient_given import (
    FIELDS,
    check_contact,
    columns_of,
    identifiers_of,
)
from dhos_connector_api.px.organizations.resources import Status
from dhos_connector_api.px.organizations.store import Row
from dhos_connector_api.px.organizations.unmerge import unmerge as undo

UNKNOWN = "there is no patient with that id"
_CHANGED = "the object is not in the version that If-Match names"
_MERGED = "the patient is merged into another one, who can be changed"
_NO_HOSPITAL = "there is no such hospital"
_INACTIVE = "is inactive and takes nothing new"
_TAKEN = "is taken"
_NAMES_HIM = "cannot be changed: the feed calls the patient so"
_ANOTHERS = "one of them is another patient's"
_BLANK = "may not be blank"


@dataclass(frozen=True, slots=True)
class Done:
    """A patient as he is now, his identifiers, and the names of the fields that were changed."""

    row: Row
    identifiers: list[Identifier]
    fields: tuple[str, ...]


@dataclass(slots=True)
class _New:
    """What is to be stored: columns, and identifiers that are added and removed."""

    columns: dict[str, Any]
    added: set[Identifier]
    removed: set[Identifier]


def create(connection: Connection, body: Mapping[str, Any], *, at: datetime) -> Done:
    """Store a new patient of these fields, and return him. Raises InvalidFields.

    He has the id that the feed would give him, where it is known what it calls his hospital.
    """
    faults = Faults()
    columns = columns_of(body, None, faults, whole=True)
    if columns["mrn"] is None and "mrn" not in faults.found:
        faults.add("mrn", _BLANK)
    given = identifiers_of(body.get("identifiers") or (), faults)
    faults.check()
    _hospital(connection, columns, None, faults)
    faults.check()
    facility = patient_store.facility_of(connection, columns["hospital_id"])
    if facility is None:
        id_ = clock.new_uuid(at)
    else:
        id_ = patient_id(SHARED, facility, MRN, columns["mrn"])
        columns |= {"namespace": SHARED, "facility": facility}
        given.add(Identifier(facility, MRN, columns["mrn"]))
    _check_unique(connection, id_, None, _New(columns, given, set()), faults)
    columns["is_deceased"] = columns["deceased_at"] is not None
    stamps = fold.stamped([name for name, value in columns.items() if value not in (None, False)], at)
    if not patient_store.add(connection, id_, columns, stamps, at=at):
        faults.add("mrn", _TAKEN)
        faults.check()
    patient_store.add_identifiers(connection, id_, given, at=at)
    said = [name for name, column in FIELDS.items() if columns[column] is not None]
    return _done(connection, id_, said + (["identifiers"] if body.get("identifiers") else []))


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

    Raises NotFound for who is not `seen`, Conflict for who is merged, InvalidFields, and PreconditionFailed
    where he has not that `version`.
    """
    faults = Faults()
    before = _seen(connection, id_, seen)
    given = identifiers_of(body.get("identifiers") or (), faults)
    hospital = columns_of(body, before, faults, whole=whole)["hospital_id"]
    faults.check()
    region_of = _lock_all(connection, hospital, given)
    _seen(connection, id_, seen)
    before = patient_store.lock(connection, id_)
    _check_version(before, version)
    new = _new(connection, before, body, given, whole=whole)
    _hospital(connection, new.columns, before, faults, region_of)
    _check_unique(connection, id_, before, new, faults)
    changed = {name for name, value in new.columns.items() if before[name] != value}
    if not changed and not new.added and not new.removed:
        return _done(connection, id_, ())
    columns = {name: new.columns[name] for name in new.columns}
    if "deceased_at" in changed:
        columns["is_deceased"] = columns["deceased_at"] is not None
        changed.add("is_deceased")
    if not patient_store.change(
        connection, id_, columns, _stamps(before, changed, at), version=version, at=at
    ):
        raise PreconditionFailed(_CHANGED)
    patient_store.add_identifiers(connection, id_, new.added, at=at)
    patient_store.remove_identifiers(connection, id_, new.removed)
    fields = [name for name, column in FIELDS.items() if column in changed]
    return _done(connection, id_, fields + (["identifiers"] if new.added or new.removed else []))


def deactivate(
    connection: Connection, id_: UUID, *, seen: ColumnElement[bool], version: int | None, at: datetime
) -> Done:
    """Make a patient inactive, if he is not yet. Raises as `change` does."""
    body = {"status": Status.INACTIVE}
    return change(connection, id_, body, whole=False, seen=seen, version=version, at=at)


def unmerge(connection: Connection, id_: UUID, *, seen: ColumnElement[bool], at: datetime, by: str) -> Done:
    """Make a patient who was merged one of his own again, and return him; who is not merged stays as he is.

    Raises NotFound for who is not `seen`, Conflict where another has just done it.
    """
    before = patient_store.get(connection, id_, seen)
    if before is None:
        raise NotFound(UNKNOWN)
    if before["merged_into"] is None:
        return _done(connection, id_, ())
    undo(connection, id_, at=at, by=by)
    return _done(connection, id_, ("merged_into",))


def _done(connection: Connection, id_: UUID, fields: Any) -> Done:
    row = patient_store.get(connection, id_, true())
    if row is None:
        raise NotFound(UNKNOWN)
    return Done(row, patient_store.identifiers(connection, [id_])[id_], tuple(sorted(fields)))


def _seen(connection: Connection, id_: UUID, seen: ColumnElement[bool]) -> Row:
    row = patient_store.get(connection, id_, seen)
    if row is None:
        raise NotFound(UNKNOWN)
    return row


def _lock_all(connection: Connection, hospital_id: UUID | None, given: set[Identifier]) -> Row | None:
    """Return the hospital, which is locked, and lock the identifiers."""
    found = None if hospital_id is None else store.lock_hospital(connection, hospital_id)
    patient_store.lock_identifiers(connection, given)
    return found


def _check_version(row: Row, version: int | None) -> None:
    if version is not None and row["version"] != version:
        raise PreconditionFailed(_CHANGED)
    if row["merged_into"] is not None:
        raise Conflict(_MERGED)


def _new(
    connection: Connection, before: Row, body: Mapping[str, Any], given: set[Identifier], *, whole: bool
) -> _New:
    """Return what is to be stored of a patient; the numbers by which the feed knows him stay."""
    faults = Faults()
    columns = columns_of(body, before, faults, whole=whole)
    faults.check()
    if not whole and "identifiers" not in body:
        return _New(columns, set(), set())
    known = set(patient_store.identifiers(connection, [before["id"]])[before["id"]])
    told = {each for each in known if before["facility"] is not None and each.type in (MRN, NHS_NUMBER)}
    return _New(columns, given - known, known - given - told)


def _hospital(
    connection: Connection,
    columns: dict[str, Any],
    before: Row | None,
    faults: Faults,
    held: Row | None = None,
) -> None:
    """Check the hospital, and what goes by its region. `held`: it, where it is locked already."""
    hospital_id = columns["hospital_id"]
    if held is None and hospital_id is not None:
        held = store.lock_hospital(connection, hospital_id)
    is_new = before is None or before["hospital_id"] != hospital_id
    if held is None and hospital_id is not None:
        faults.add("primary_hospital", _NO_HOSPITAL)
    elif held is not None and is_new and held["status"] != Status.ACTIVE:
        faults.add("primary_hospital", _INACTIVE)
    check_contact(columns, before, None if held is None else held["region"], faults)


def _check_unique(connection: Connection, id_: UUID, before: Row | None, new: _New, faults: Faults) -> None:
    """Raise InvalidFields for all that is wrong so far, or another patient's."""
    mrn, hospital_id = new.columns["mrn"], new.columns["hospital_id"]
    if before is None:
        patient_store.lock_identifiers(connection, new.added)
    elif before["facility"] is not None and before["mrn"] not in (None, mrn):
        faults.add("mrn", _NAMES_HIM)
    is_new = before is None or (before["mrn"], before["hospital_id"]) != (mrn, hospital_id)
    if mrn and hospital_id and is_new and patient_store.has_mrn(connection, hospital_id, mrn, id_):
        faults.add("mrn", _TAKEN)
    if new.added and "mrn" not in faults.found and patient_store.are_taken(connection, new.added, id_):
        faults.add("identifiers", _ANOTHERS)
    faults.check()


def _stamps(before: Row, changed: set[str], at: datetime) -> dict[str, Any]:
    """Return when the groups of these columns were told: now, but never before what they replace."""
    stamps = fold.stamped(changed, at)
    known = before["facts_at"]
    return {group: [max(stamp[0], known.get(group, stamp)[0]), *stamp[1:]] for group, stamp in stamps.items()}
