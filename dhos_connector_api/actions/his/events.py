"""The events of one HIS patient's stay, and the identities by which each is known again (pure)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from dhos_connector_api.actions.his import visits as his_visits
from dhos_connector_api.actions.his.dates import in_zone
from dhos_connector_api.actions.his.payload import Patient, Stay, Visit, folded
from dhos_connector_api.actions.his.visits import ADMITTED, CORRECTED, DISCHARGED, VisitTypes
from dhos_connector_api.hl7v2.datetimes import Precision, Timestamp

SOURCE = "his"
#: Under what an event of a payload is queued, before the hospital's code.
SENDER_BEGINS = f"{SOURCE}|"
#: Fields of an event's payload. Visits alone have VISITED_AT, discharges alone DISCHARGED_AT.
HOSPITAL, ADMITTED_AT, VISITED_AT, DISCHARGED_AT = "HospitalID", "AdmitDate", "BillDate", "DischargeDate"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `type` is as sent, `code` canonical and None where the type is unknown.

    `identity` is a SHA-256: the same for the same event, however often and however spelt it is sent.
    `payload` is the HIS's own words for it, with the time in ISO 8601.
    """

    type: str
    code: str | None
    at: Timestamp
    identity: bytes
    payload: dict[str, str | None]


def events_of(patient: Patient, types: VisitTypes, zone: tzinfo) -> list[Event]:
    """Return the events a patient's data tell of: the admission, the visits as sent, the discharge if any.

    Decisions: HIS_ADMITTED and HIS_DISCHARGED are identified by the encounter alone, so each is
    published once; a date that is changed or taken back later publishes nothing. A visit is
    identified by encounter, Type and BillDate in local time, so that neither another spelling nor a
    mended time zone makes it another one. The same visit twice in one payload is one.
    """
    stay = patient.stay
    found = [_of_stay(stay, ADMITTED, ADMITTED_AT, in_zone(stay.admitted, zone))]
    found += [_of_visit(stay, visit, types, zone) for visit in patient.visits]
    if stay.discharged is not None:
        found.append(_of_stay(stay, DISCHARGED, DISCHARGED_AT, in_zone(stay.discharged, zone)))
    known: dict[bytes, Event] = {}
    for each in found:
        known.setdefault(each.identity, each)
    return list(known.values())


def correction(stay: Stay, at: datetime, message: UUID) -> Event:
    """Return the event that the patient of the stay is said to be another, by a payload that came `at`.

    A payload tells it once: it is identified by the `message` as which the payload is kept.
    """
    identity = _identity(stay.encounter, CORRECTED, str(message))
    return Event(CORRECTED, CORRECTED, Timestamp(at, Precision.FRACTION), identity, _ids(stay))


def encounter(payload: Mapping[str, Any], encounter_id: str | None) -> tuple[str, str]:
    """Return the encounter (`Stay.encounter`) of an event with that payload."""
    return folded(payload.get(HOSPITAL) or ""), encounter_id or ""


def discharge_of(encounter: tuple[str, str]) -> bytes:
    """Return the identity of the HIS_DISCHARGED of a stay (`Stay.encounter`), known or not."""
    return _identity(encounter, DISCHARGED)


def _of_stay(stay: Stay, code: str, field: str, at: Timestamp) -> Event:
    return Event(code, code, at, _identity(stay.encounter, code), {**_ids(stay), field: at.iso()})


def _of_visit(stay: Stay, visit: Visit, types: VisitTypes, zone: tzinfo) -> Event:
    identity = _identity(stay.encounter, his_visits.kind(visit.type), visit.at)
    at = in_zone(visit.at, zone)
    payload = {**_ids(stay), "Type": visit.type, VISITED_AT: at.iso()}
    return Event(visit.type, types.code(visit.type), at, identity, payload)


def _ids(stay: Stay) -> dict[str, str | None]:
    return {"PatientID": stay.patient_id, "AdmissionID": stay.admission_id, HOSPITAL: stay.hospital_id}


def _identity(encounter: tuple[str, str], *event: str) -> bytes:
    """SHA-256 of source, encounter and what tells the event apart; none of them holds a NUL."""
    parts = (SOURCE, *encounter, *event)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
