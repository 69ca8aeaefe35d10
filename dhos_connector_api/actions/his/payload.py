"""Reading a HIS patient payload that fits the specification: patients, their stays and their visits (pure).

What the specification cannot say is checked here by marshmallow: dates, and what belongs to whom.
Whatever does not fit is a value, `Faults`, by field and without quoting it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, post_load, validates_schema

from dhos_connector_api.actions.his import left_out as left_outs
from dhos_connector_api.actions.his.dates import read_birth, read_discharge, read_moment
from dhos_connector_api.actions.his.json_fields import Text, Trimmed
from dhos_connector_api.actions.left_out import LeftOut
from dhos_connector_api.errors import Details

STAYS = "FetchPatientDataTimeStampList"
VISITS = "FetchPatientDataTimeStampVisitDataList"

#: An entry of a list, after its place in it.
_Entry = tuple[int, Mapping[str, Any]]


def folded(text: str) -> str:
    """Return a hospital's id, code or name as it is compared: trimmed, without case.

    Encounters are told apart by this and not by the site's code of the hospital: an edit of the site's
    configuration must not make every known stay a new one.
    """
    return text.strip().casefold()


@dataclass(frozen=True, slots=True)
class Faults:
    """The reasons for which a payload, or one patient of it, cannot be taken: texts by field."""

    details: Details
    patient_id: str | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Something that happened during a stay. `type` is as sent, trimmed; `at` local time in 14 digits."""

    type: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One patient and one encounter as the HIS tells them now. Times are local, in 14 digits."""

    patient_id: str
    admission_id: str
    hospital_id: str
    admitted: str
    hospital_name: str | None = None
    type: str | None = None
    discharged: str | None = None
    national_id: str | None = None
    name: str | None = None
    phone: str | None = None
    gender: str | None = None
    nationality: str | None = None
    birth: str | None = None
    consultant_id: str | None = None
    doctor: str | None = None
    insurer: str | None = None
    bill_type: str | None = None
    vip: str | None = None

    @property
    def encounter(self) -> tuple[str, str]:
        """Return hospital and AdmissionID: together they identify the stay in the HIS."""
        return folded(self.hospital_id), self.admission_id


@dataclass(frozen=True, slots=True)
class Patient:
    """A stay with the visits that belong to it, in the order sent; `place` is its entry's number.

    `left_out` is what was sent of it and is not told.
    """

    place: int
    stay: Stay
    visits: tuple[Visit, ...]
    left_out: tuple[LeftOut, ...] = ()


class _Name(Text):
    """A text that must not be empty: what a thing is known by."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if text is None:
            raise ValidationError("is empty")
        return text


class _Discharge(Text):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str | None:
        return _read(super()._deserialize(value, attr, data, **options), read_discharge)


class _RequiredMoment(_Name):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        return str(_read(super()._deserialize(value, attr, data, **options), read_moment))


def _read(text: str | None, reader: Any) -> str | None:
    try:
        return None if text is None else reader(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


class _StaySchema(Schema):
    patient_id = _Name(data_key="PatientID", required=True)
    admission_id = _Name(data_key="AdmissionID", required=True)
    hospital_id = _Name(data_key="HospitalID", required=True)
    hospital_name = Text(data_key="HospitalName", allow_none=True)
    type = Text(data_key="Type", allow_none=True)
    admitted = _RequiredMoment(data_key="AdmitDate", required=True)
    discharged = _Discharge(data_key="DischargeDate", allow_none=True)
    national_id = Text(data_key="SSN", allow_none=True)
    name = Text(data_key="PatientName", allow_none=True)
    phone = Text(data_key="MobileNo", allow_none=True)
    gender = Text(data_key="Gender", allow_none=True)
    nationality = Text(data_key="PatientNationality", allow_none=True)
    consultant_id = Text(data_key="ConsultantID", allow_none=True)
    doctor = Text(data_key="PrimaryDoctor", allow_none=True)
    insurer = Text(data_key="InsuranceCompanyName", allow_none=True)
    bill_type = Text(data_key="BillType", allow_none=True)
    vip = Text(data_key="IsVIP", allow_none=True)

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        if (data.get("discharged") or "9") < data["admitted"]:
            raise ValidationError("is before AdmitDate", "DischargeDate")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Stay:
        return Stay(**data)


class _VisitSchema(Schema):
    type = Trimmed(data_key="Type", required=True)
    at = _RequiredMoment(data_key="BillDate", required=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Visit:
        return Visit(**data)


_STAY = _StaySchema(unknown=EXCLUDE)
_VISIT = _VisitSchema(unknown=EXCLUDE)


def read_payload(
    value: Mapping[str, Any], today: date | None = None, *, leave_out_bad_dates: bool = False
) -> list[Patient | Faults] | Faults:
    """Return the patients of a payload that fits the specification, each read on its own.

    Nobody is born after the day that follows `today`, the day the payload came in UTC. A DOB that is none
    is a fault, or is left out. Faults instead of the list where it cannot be told which visit belongs
    to whom. A stay that is given twice in the very same words counts once.
    """
    stays, details = _stays(value[STAYS])
    visits: Sequence[Mapping[str, Any]] = value.get(VISITS) or ()
    belonging = _belonging(stays, visits, details)
    if details:
        return Faults(details)
    return [
        _patient(entry, mine, today, leave_out_bad_dates)
        for entry, mine in zip(stays, belonging, strict=True)
    ]


def _stays(entries: Sequence[Mapping[str, Any]]) -> tuple[list[_Entry], Details]:
    """The stays with their places in the list; and which of them are given twice in other words."""
    known: dict[tuple[str, str], _Entry] = {}
    details: Details = {}
    for number, entry in enumerate(entries):
        key = folded(_id(entry, "HospitalID")), _id(entry, "AdmissionID")
        if known.setdefault(key, (number, entry))[1] != entry:
            details[f"{STAYS}[{number}].AdmissionID"] = ["is given twice"]
    return list(known.values()), details


def _belonging(
    stays: Sequence[_Entry], visits: Sequence[Mapping[str, Any]], details: Details
) -> list[list[_Entry]]:
    """The visits of every stay with their places; `details` gets those of which the stay is not clear."""
    mine: list[list[_Entry]] = [[] for _ in stays]
    by_patient: dict[str, list[int]] = {}
    by_both: dict[tuple[str, str], list[int]] = {}
    for index, (_, stay) in enumerate(stays):
        patient_id = _id(stay, "PatientID")
        by_patient.setdefault(patient_id, []).append(index)
        by_both.setdefault((patient_id, _id(stay, "AdmissionID")), []).append(index)
    only = _id(stays[0][1], "PatientID") if len(stays) == 1 else ""
    for at, visit in enumerate(visits):
        patient_id, admission_id = _id(visit, "PatientID") or only, _id(visit, "AdmissionID")
        possible = by_both.get((patient_id, admission_id)) if admission_id else by_patient.get(patient_id)
        if not patient_id and len(stays) > 1:
            details[f"{VISITS}[{at}].PatientID"] = ["is missing, and there are several patients"]
        elif not possible:
            details[f"{VISITS}[{at}].PatientID"] = [f"is in no entry of {STAYS}"]
        elif len(possible) > 1:
            details[f"{VISITS}[{at}].AdmissionID"] = ["does not tell which stay of the patient it is"]
        else:
            mine[possible[0]].append((at, visit))
    return mine


def _id(entry: Mapping[str, Any], name: str) -> str:
    given = entry.get(name)
    return "" if given is None else str(given).strip()


def _patient(
    entry: _Entry, visits: Sequence[_Entry], today: date | None, leave_out: bool
) -> Patient | Faults:
    number, stay = entry
    details: Details = {}
    birth = None
    try:
        birth = read_birth(born, today) if (born := _id(stay, "DOB")) else None
    except ValueError as error:
        if not leave_out:
            details[f"{STAYS}[{number}].DOB"] = [str(error)]
    read = _loaded(_STAY, stay, f"{STAYS}[{number}]", details)
    found = [_loaded(_VISIT, visit, f"{VISITS}[{at}]", details) for at, visit in visits]
    if details:
        return Faults(details, _id(stay, "PatientID"))
    left_out = left_outs.of_stay(
        stay, f"{STAYS}[{number}]", is_born=birth is not None, has_left=read.discharged is not None
    )
    return Patient(number, replace(read, birth=birth), tuple(found), tuple(left_out))


def _loaded(schema: Schema, entry: Mapping[str, Any], place: str, details: Details) -> Any:
    try:
        return schema.load(entry)
    except ValidationError as error:
        for name, texts in error.messages_dict.items():
            details[f"{place}.{name}"] = [str(text) for text in texts]
        return None
