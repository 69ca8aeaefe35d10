"""Judge one HIS patient payload: what it says, of whom it can be taken, and why of others it cannot.

Pure but for the clock: nothing is stored here.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dhos_connector_api import clock
from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.his import actions as his_actions
from dhos_connector_api.actions.his.events import SOURCE, Event, events_of
from dhos_connector_api.actions.his.payload import STAYS, Faults, Patient, folded, read_payload
from dhos_connector_api.actions.his.visits import VisitTypes
from dhos_connector_api.errors import Details
from dhos_connector_api.hl7v2.identifiers import MRN, VISIT_ID
from dhos_connector_api.hl7v2.rules import OWN_FAILURE
from dhos_connector_api.intake.receive_hl7 import Intake
from dhos_connector_api.messages.store import Effects, NewMessage
from dhos_connector_api.site.model import Hospital
from dhos_connector_api.spec.kept_body import Shape

MESSAGE_TYPE = "HIS patient data"
BAD_FORMAT = "Invalid HIS data format"
_UNKNOWN_HOSPITAL = "is no hospital of the site's configuration"
#: Of a hospital's code that is not known so much is told back.
_TOLD_BACK = 64
_ERROR_LENGTH = 500


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
class ReceivedPayload:
    """One payload, read; nothing is stored yet. `outcomes` are in the order of the patients.

    `failed`: it could not be read because of a fault of ours.
    """

    row: NewMessage
    effects: Effects
    intake: Intake
    outcomes: Sequence[Admission | Refusal]
    failed: bool = False

    @property
    def admissions(self) -> list[Admission]:
        """The patients that are taken."""
        return [each for each in self.outcomes if isinstance(each, Admission)]


def judge(
    raw: bytes,
    shape: Shape,
    intake: Intake,
    *,
    created_by: str | None,
    correlation_id: str,
    message_uuid: UUID | None = None,
) -> ReceivedPayload:
    """Read `raw`, of which the door knows `shape`. Pure but for the clock.

    `message_uuid` is given when a stored payload is read again; a new one gets a new one.
    """
    row = _row(raw, shape, created_by, correlation_id, message_uuid)
    if shape.failed:
        return ReceivedPayload(
            failed(row),
            _keyed(Effects(), f"{SOURCE} failed", raw),
            intake,
            [Refusal(str(OWN_FAILURE.text), {})],
            failed=True,
        )
    if shape.details:
        outcomes: list[Admission | Refusal] = [Refusal(BAD_FORMAT, shape.details)]
        return _completed(ReceivedPayload(row, Effects(), intake, outcomes))
    found = read_payload(shape.value)
    patients = [found] if isinstance(found, Faults) else found
    return _completed(ReceivedPayload(row, Effects(), intake, [_outcome(each, intake) for each in patients]))


def _row(
    raw: bytes, shape: Shape, created_by: str | None, correlation_id: str, message_uuid: UUID | None
) -> NewMessage:
    """The message by which the payload is kept, before anything of it is taken."""
    now = clock.now()
    return NewMessage(
        uuid=message_uuid or clock.new_uuid(now),
        at=now,
        created_by=created_by,
        src_description=SOURCE,
        dst_description="dhos",
        state="refused" if shape.is_json else "unparseable",
        correlation_id=correlation_id,
        received=raw,
        content=raw.decode() if shape.is_json else None,
        charset="utf-8" if shape.is_json else None,
        ack=None,
        message_type=MESSAGE_TYPE,
    )


def failed(row: NewMessage) -> NewMessage:
    """The message of a body that could not be read because of a fault of ours."""
    return replace(row, state="refused", error_code=OWN_FAILURE.error, error_text=OWN_FAILURE.text)


def _outcome(patient: Patient | Faults, intake: Intake) -> Admission | Refusal:
    if isinstance(patient, Faults):
        return Refusal(BAD_FORMAT, patient.details, patient.patient_id)
    stay = patient.stay
    hospital = hospital_named(stay.hospital_id, stay.hospital_name or "", intake.site.his.hospitals)
    if hospital is None:
        error = f"Hospital with code '{_told_back(stay.hospital_id)}' not found"
        return Refusal(error, {f"{STAYS}[{patient.place}].HospitalID": [_UNKNOWN_HOSPITAL]}, stay.patient_id)
    zone = ZoneInfo(hospital.time_zone) if hospital.time_zone else intake.zone
    types = VisitTypes.with_additions(intake.site.his.visit_types)
    return Admission(
        patient,
        hospital,
        events_of(patient, types, zone),
        his_actions.companions(stay, hospital, zone),
        his_actions.event_fields(stay, hospital, zone),
    )


def hospital_named(id_: str, name: str, hospitals: Sequence[Hospital]) -> Hospital | None:
    """The hospital with that HospitalID (or code), else the one with that HospitalName; case is no matter."""
    by_id = {folded(each): one for one in hospitals for each in (one.code, *one.ids)}
    by_name = {folded(each): one for one in hospitals for each in (one.code, one.name, *one.names)}
    return by_id.get(folded(id_)) or by_name.get(folded(name))


def _told_back(code: str) -> str:
    """The contract quotes the code; nothing but its first printable characters."""
    return "".join(each for each in code if each.isprintable())[:_TOLD_BACK]


def _completed(received: ReceivedPayload) -> ReceivedPayload:
    """The payload with what its outcomes put into its row, and the identifiers it is found under.

    Its bytes are known only when every patient was taken: else the same bytes are judged anew once
    the site's configuration is mended.
    """
    admissions = received.admissions
    refusals = [each for each in received.outcomes if isinstance(each, Refusal)]
    stays = [each.patient.stay for each in admissions]
    pairs = [(MRN, each.patient_id) for each in stays]
    pairs += [(MRN, each.patient_id) for each in refusals if each.patient_id]
    pairs += [(VISIT_ID, each.admission_id) for each in stays]
    effects = Effects(identifiers=list(dict.fromkeys(pairs)))
    if not refusals:
        effects = _keyed(effects, SOURCE, received.row.received)
    row = replace(
        received.row,
        state="accepted" if admissions else received.row.state,
        sending_facility=admissions[0].hospital.code if admissions else None,
        error_text=reason({name: why for each in refusals for name, why in each.details.items()}),
    )
    return replace(received, row=row, effects=effects)


def _keyed(effects: Effects, room: str, raw: bytes) -> Effects:
    """With a key by which the same bytes are known again. Bytes we failed to read have one of their own, so
    that retries are counted and not kept, and yet are taken once they can be read.
    """
    key = hashlib.sha256(f"{room}\0".encode() + raw).digest()
    return replace(effects, key=key, content_hash=key)


def reason(details: Details) -> str | None:
    """Fields that do not fit, and why, on one line; nothing that was sent."""
    return "; ".join(f"{name}: {', '.join(why)}" for name, why in details.items())[:_ERROR_LENGTH] or None
