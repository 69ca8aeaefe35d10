"""Of whom a HIS payload can be taken, and why of others it cannot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.his import companions
from dhos_connector_api.actions.his.events import Event, events_of
from dhos_connector_api.actions.his.names import read_name
from dhos_connector_api.actions.his.payload import STAYS, Faults, Patient, Stay, folded, read_payload
from dhos_connector_api.actions.his.visits import VisitTypes
from dhos_connector_api.errors import Details
from dhos_connector_api.hl7v2.identifier_values import plain
from dhos_connector_api.hl7v2.identifiers import MRN, VISIT_ID
from dhos_connector_api.hl7v2.rules import LEAVE_OUT
from dhos_connector_api.intake.arrival import Intake
from dhos_connector_api.site.model import Hospital

BAD_FORMAT = "Invalid HIS data format"
_UNKNOWN_HOSPITAL = "is no hospital of the site's configuration"
#: Characters of an unknown hospital's code that are quoted in the answer.
_QUOTED = 64


@dataclass(frozen=True, slots=True)
class Admission:
    """One patient that is taken, with the events its data tell of."""

    patient: Patient
    hospital: Hospital
    events: Sequence[Event]
    companions: Sequence[Action]
    event_fields: Mapping[str, Any]

    @property
    def encounter(self) -> tuple[str, str]:
        """What tells this stay from others of the HIS."""
        return self.patient.stay.encounter


@dataclass(frozen=True, slots=True)
class Refusal:
    """One patient, or with `patient_id` None the whole payload, that is not taken, and why."""

    error: str
    details: Details
    patient_id: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one patient: types of visits as sent, all that are known and those that were new.

    `facility` is the code of the hospital, as events of the stay name it.
    """

    stay: Stay
    facility: str
    completed: Sequence[str]
    new: Sequence[str]

    @property
    def patient_name(self) -> str | None:
        """The name without its title."""
        return read_name(self.stay.name).full


def outcomes_of(
    value: Mapping[str, Any], intake: Intake, today: date | None = None
) -> list[Admission | Refusal]:
    """Return what can be taken of a payload that fits the specification, in the order of its patients.

    `today` is the day it came, in UTC, which bounds dates of birth.
    """
    leave_out = intake.site.inbound.bad_dates == LEAVE_OUT
    found = read_payload(value, today, leave_out_bad_dates=leave_out)
    patients = [found] if isinstance(found, Faults) else found
    return [_outcome(each, intake) for each in patients]


def _outcome(patient: Patient | Faults, intake: Intake) -> Admission | Refusal:
    if isinstance(patient, Faults):
        return Refusal(BAD_FORMAT, patient.details, patient.patient_id)
    stay = patient.stay
    hospital = hospital_named(stay.hospital_id, stay.hospital_name or "", intake.site.his.hospitals)
    if hospital is None:
        error = f"Hospital with code '{_quoted(stay.hospital_id)}' not found"
        return Refusal(error, {f"{STAYS}[{patient.place}].HospitalID": [_UNKNOWN_HOSPITAL]}, stay.patient_id)
    zone = ZoneInfo(hospital.time_zone) if hospital.time_zone else intake.zone
    types = VisitTypes.with_additions(intake.site.his.visit_types)
    return Admission(
        patient,
        hospital,
        events_of(patient, types, zone),
        companions.of_stay(stay, hospital, zone),
        companions.event_fields(stay, hospital, zone),
    )


def hospital_named(id_: str, name: str, hospitals: Sequence[Hospital]) -> Hospital | None:
    """Return the hospital with that HospitalID (or code), else with that HospitalName; case is no matter."""
    by_id = {folded(each): one for one in hospitals for each in (one.code, *one.ids)}
    by_name = {folded(each): one for one in hospitals for each in (one.code, one.name, *one.names)}
    return by_id.get(folded(id_)) or by_name.get(folded(name))


def _quoted(code: str) -> str:
    """The contract quotes the code; nothing but its first printable characters."""
    return "".join(each for each in code if each.isprintable())[:_QUOTED]


def identifiers_of(outcomes: Sequence[Admission | Refusal]) -> list[tuple[str, str]]:
    """Return the identifiers a payload is found under, each once."""
    admissions = [each for each in outcomes if isinstance(each, Admission)]
    stays = [each.patient.stay for each in admissions]
    known = [each.patient_id for each in stays]
    known += [each.patient_id for each in outcomes if isinstance(each, Refusal) and each.patient_id]
    pairs = [(MRN, value) for each in known if (value := plain(each))]
    pairs += [(VISIT_ID, each.admission_id) for each in stays]
    return list(dict.fromkeys(pairs))
