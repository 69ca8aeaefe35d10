"""Builders of HL7 v2 messages: every call gives a fresh control id and a later time."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

_number = count(1)
_RUN = secrets.token_hex(4).upper()
_START = datetime(2026, 1, 1, 8, tzinfo=UTC)
#: PID-8 as SNOMED CT codes.
SEX_CODES = {"M": "248153007", "F": "248152002"}


def _fresh(prefix: str) -> str:
    """A text that no other call and no other run gives."""
    return f"{prefix}{_RUN}{next(_number):04}"


def _nhs_number() -> str:
    """A fresh NHS number with its check digit (modulus 11)."""
    while True:
        digits = f"9{next(_number):04}{secrets.randbelow(10**4):04}"
        check = -sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True)) % 11
        if check < 10:
            return f"{digits}{check}"


def _later() -> datetime:
    return _START + timedelta(minutes=next(_number))


def timestamp(at: datetime) -> str:
    """HL7 DTM to the second, in UTC without offset (SERVER_TIMEZONE of this run is UTC)."""
    return at.strftime("%Y%m%d%H%M%S")


@dataclass(frozen=True)
class Patient:
    """Somebody in hospital, unlike any other patient of this run."""

    mrn: str = field(default_factory=lambda: _fresh("M"))
    nhs_number: str = field(default_factory=_nhs_number)
    visit: str = field(default_factory=lambda: _fresh("V"))
    first_name: str = field(default_factory=lambda: _fresh("ANN"))
    last_name: str = field(default_factory=lambda: _fresh("EXAMPLE"))
    sex: str = "F"
    admitted: datetime = field(default_factory=_later)

    def identifier(self, kind: str) -> str:
        """The identifier by its name in the search: MRN, NHS number or Visit ID."""
        return {"MRN": self.mrn, "NHS number": self.nhs_number, "Visit ID": self.visit}[kind]


@dataclass(frozen=True)
class Sender:
    """A sending application (MSH-3) unlike any other, so that no scenario waits behind another's."""

    application: str = field(default_factory=lambda: _fresh("EPR"))
    facility: str = "RBH"


@dataclass(frozen=True)
class Message:
    """One HL7 v2 message and what a test needs to know about it."""

    control_id: str
    trigger: str
    segments: tuple[str, ...]

    @property
    def raw(self) -> bytes:
        """The bytes as sent, each segment ended by CR (chapter 2.4)."""
        return "".join(f"{each}\r" for each in self.segments).encode()

    def without(self, name: str) -> "Message":
        """The same message without the segments of that name."""
        return replace(self, segments=tuple(each for each in self.segments if not each.startswith(name)))


def segment(name: str, fields: dict[int, str]) -> str:
    """A segment with `fields` at their numbers."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def adt(
    trigger: str,
    sender: Sender,
    patient: Patient,
    *,
    ward: str = "WARD 1",
    merged_mrn: str = "",
    control_id: str = "",
) -> Message:
    """An ADT message of version 2.5 about `patient`; with MRG (chapter 3.4.9) when `merged_mrn` is given."""
    at = timestamp(_later())
    control_id = control_id or _fresh("C")
    header = (
        f"MSH|^~\\&|{sender.application}|{sender.facility}|DHOS|DHOS|{at}||ADT^{trigger}|{control_id}|P|2.5"
    )
    segments = [header, segment("EVN", {1: trigger, 2: at}), _pid(patient)]
    if merged_mrn:
        segments.append(segment("MRG", {1: f"{merged_mrn}^^^{sender.facility}^MRN"}))
    segments.append(_pv1(patient, ward))
    return Message(control_id, trigger, tuple(segments))


def _pid(patient: Patient) -> str:
    identifiers = f"{patient.mrn}^^^RBH^MRN~{patient.nhs_number}^^^NHS^NHSNBR"
    names = f"{patient.last_name}^{patient.first_name}"
    return segment("PID", {1: "1", 3: identifiers, 5: names, 7: "19700131", 8: patient.sex})


def _pv1(patient: Patient, ward: str) -> str:
    stay = {1: "1", 2: "INPATIENT", 3: f"{ward}^BAY 2^BED 3", 19: patient.visit}
    return segment("PV1", stay | {44: timestamp(patient.admitted)})
