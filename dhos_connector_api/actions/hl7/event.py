"""`process_event`: what happened, to whom and where, for journeys, surveys and whoever follows events."""

from dataclasses import dataclass
from datetime import tzinfo

from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.hl7.subject import Subject
from dhos_connector_api.actions.hl7.values import moment, sent
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.segment import Segment

SOURCE_SYSTEM = "hl7v2"


@dataclass(frozen=True, slots=True)
class Occasion:
    """What all patient groups of a message share. `occurred_at` is ISO 8601."""

    event_code: str
    occurred_at: str | None
    facility: str | None


def read_occasion(message: Message, zone: tzinfo) -> Occasion:
    """The message's event: EVN-2 says when (MSH-7 where it is missing or partial), MSH-4.1 where."""
    header = message.msh
    occurred_at = moment(message.first("EVN"), 2, zone) or moment(header, 7, zone)
    return Occasion(message.event_code, occurred_at, sent(header, 4))


def process_event(subject: Subject, occasion: Occasion, event_uuid: str) -> Action:
    """The action every envelope has.

    Decision: every key is always there, in the nested objects too, and is null where nothing or
    `""` was sent; nested objects are never null themselves, so a consumer can read
    `data["physician"]["id"]` of any event.
    """
    return {
        "name": "process_event",
        "data": {
            "source_system": SOURCE_SYSTEM,
            "event_code": occasion.event_code,
            "event_uuid": event_uuid,
            "occurred_at": occasion.occurred_at,
            "encounter_id": subject.encounter_id,
            "patient": {"mrn": subject.identity.mrn, "nhs_number": subject.identity.nhs_number},
            "facility": occasion.facility,
            "location": subject.location,
            "discharged_at": subject.discharged_at,
            "physician": _physician(subject.pv1),
            "contact": subject.contact,
        },
    }


def _physician(pv1: Segment | None) -> dict[str, str | None]:
    """The attending doctor: the first repetition of PV1-7 (XCN)."""
    return {
        "id": sent(pv1, 7, 1),
        "family_name": sent(pv1, 7, 2),
        "given_name": sent(pv1, 7, 3),
        "prefix": sent(pv1, 7, 6),
    }
