"""`process_event` of a message: when (EVN), where (MSH-4, PV1-3) and to whom (PID, PV1) it happened."""

from dataclasses import dataclass
from datetime import tzinfo

from dhos_connector_api.actions import process_event as every_event
from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.hl7.subject import Subject
from dhos_connector_api.actions.hl7.values import moment, sent
from dhos_connector_api.hl7v2.groups import WITH_PRIOR
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.segment import Segment

SOURCE_SYSTEM = "hl7v2"
_WITH_PRIOR = frozenset(f"ADT_{trigger}" for trigger in WITH_PRIOR)


@dataclass(frozen=True, slots=True)
class Occasion:
    """The event of a message, which all its patient groups share. `occurred_at` is ISO 8601."""

    event_code: str
    occurred_at: str | None
    facility: str | None


def read_occasion(message: Message, zone: tzinfo) -> Occasion:
    """Return what the message as a whole says: when (EVN-2, else MSH-7) and where (MSH-4.1) it happened."""
    header = message.msh
    occurred_at = moment(message.first("EVN"), 2, zone) or moment(header, 7, zone)
    return Occasion(message.event_code, occurred_at, sent(header, 4))


def process_event(subject: Subject, occasion: Occasion, event_uuid: str) -> Action:
    """Return the action every envelope has; null where nothing or `""` was sent.

    Decision: `previous` is there for triggers that have a prior (`WITH_PRIOR`) alone. It is null where MRG
    names nothing, or what the patient or the encounter is called still.
    """
    return every_event.action(
        {
            "source_system": SOURCE_SYSTEM,
            "event_code": occasion.event_code,
            "event_uuid": event_uuid,
            "occurred_at": occasion.occurred_at,
            "encounter_id": subject.encounter_id,
            "patient": {"mrn": subject.identity.mrn, "nhs_number": subject.identity.nhs_number},
            **_previous(subject, occasion.event_code),
            "facility": occasion.facility,
            "location": subject.location,
            "discharged_at": subject.discharged_at,
            "physician": _physician(subject.pv1),
            "contact": subject.contact,
        }
    )


def _previous(subject: Subject, event_code: str) -> dict[str, dict[str, str | None]]:
    """The numbers before the event: those of MRG-1 that were given up, and MRG-5."""
    if event_code not in _WITH_PRIOR:
        return {}
    encounter_id = sent(subject.mrg, 5)
    return {
        "previous": {
            "mrn": subject.previous.mrn,
            "nhs_number": subject.previous.nhs_number,
            "encounter_id": None if encounter_id == subject.encounter_id else encounter_id,
        }
    }


def _physician(pv1: Segment | None) -> dict[str, str | None]:
    """The attending doctor: the first repetition of PV1-7 (XCN)."""
    return {
        "id": sent(pv1, 7, 1),
        "family_name": sent(pv1, 7, 2),
        "given_name": sent(pv1, 7, 3),
        "prefix": sent(pv1, 7, 6),
    }
