"""`process_event` of a message: when (EVN), where (MSH-4, PV1-3) and to whom (PID, PV1) it happened."""

from dataclasses import dataclass
from datetime import date, tzinfo

from dhos_connector_api.actions import process_event as every_event
from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.hl7.subject import Subject
from dhos_connector_api.actions.hl7.values import name_in, part, sent, timestamp
from dhos_connector_api.hl7v2.births import birth_of
from dhos_connector_api.hl7v2.datetimes import Precision, Timestamp, is_filler
from dhos_connector_api.hl7v2.groups import WITH_PRIOR
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.segment import Segment

SOURCE_SYSTEM = "hl7v2"
#: The triggers that take an event back: their EVN-6 is the time of that event (chapter 3, EVN-6).
CANCELLATIONS = frozenset(
    {"A11", "A12", "A13", "A23", "A25", "A26", "A27", "A32", "A33", "A38", "A52", "A53", "A55", "A62"}
)
_WITH_PRIOR = frozenset(f"ADT_{trigger}" for trigger in WITH_PRIOR)


@dataclass(frozen=True, slots=True)
class Occasion:
    """The event of a message, which all its patient groups share. `occurred_at` is ISO 8601."""

    event_code: str
    occurred_at: str | None
    facility: str | None


def read_occasion(message: Message, zone: tzinfo) -> Occasion:
    """Return what the message as a whole says: when and where (MSH-4.1) it happened."""
    occurred_at = _occurred_at(message, zone)
    return Occasion(message.event_code, occurred_at.iso() if occurred_at else None, sent(message.msh, 4))


def _occurred_at(message: Message, zone: tzinfo) -> Timestamp | None:
    """The first there is of EVN-6 (not of cancellations), EVN-2 and MSH-7.

    One that is a date alone gives way to the next that has the time of that day.
    """
    evn = message.first("EVN")
    given = [timestamp(evn, 2, zone), timestamp(message.msh, 7, zone)]
    if message.trigger not in CANCELLATIONS:
        given.insert(0, timestamp(evn, 6, zone))
    days = [each for each in given if each and each.precision >= Precision.DAY]
    days = [each for each in days if not is_filler(each.value.date())]
    if not days:
        return None
    first, *others = days
    if first.precision > Precision.DAY:
        return first
    that_day = (each for each in others if each.date_iso() == first.date_iso())
    return next((each for each in that_day if each.precision > Precision.DAY), first)


def process_event(subject: Subject, occasion: Occasion, event_uuid: str, today: date | None = None) -> Action:
    """Return the action every envelope has; null where nothing or `""` was sent.

    In: `today`, the day the message came, bounds the date of birth (`births.possible`).

    Decision: `previous` is there for triggers that have a prior (`WITH_PRIOR`) alone. It is null where MRG
    names nothing, or what the patient or the encounter is called still.
    """
    birth = birth_of(subject.pid, today)
    return every_event.action(
        {
            "source_system": SOURCE_SYSTEM,
            "event_code": occasion.event_code,
            "event_uuid": event_uuid,
            "occurred_at": occasion.occurred_at,
            "encounter_id": subject.encounter_id,
            "encounter_type": sent(subject.pv1, 2),
            "patient": {"mrn": subject.identity.mrn, "nhs_number": subject.identity.nhs_number},
            **_previous(subject, occasion.event_code),
            "facility": occasion.facility,
            "location": subject.location,
            "discharged_at": subject.discharged_at,
            "physician": _physician(subject.pv1),
            "contact": subject.contact,
            "deceased": subject.death.is_dead,
            "date_of_birth": birth and birth.date_iso(),
        }
    )


def _previous(subject: Subject, event_code: str) -> dict[str, dict[str, str | None]]:
    """The numbers before the event: those of MRG-1 that were given up, and the encounter's (MRG-5)."""
    if event_code not in _WITH_PRIOR:
        return {}
    encounter_id = subject.prior_encounter_id
    return {
        "previous": {
            "mrn": subject.previous.mrn,
            "nhs_number": subject.previous.nhs_number,
            "encounter_id": None if encounter_id == subject.encounter_id else encounter_id,
        }
    }


def _physician(pv1: Segment | None) -> dict[str, str | None]:
    """The attending doctor (PV1-7, type XCN)."""
    doctor = name_in(pv1, 7, typed=10, parts=(1, 2, 3))
    return {
        "id": part(doctor, 1),
        "family_name": part(doctor, 2),
        "given_name": part(doctor, 3),
        "prefix": part(doctor, 6),
    }
