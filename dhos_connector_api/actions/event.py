"""`process_event`: what happened, to whom and where, for journeys, surveys and whoever follows events."""

from dataclasses import dataclass
from datetime import tzinfo

from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.subject import Subject
from dhos_connector_api.actions.values import moment, part, sent
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.segment import Repetition, Segment

SOURCE_SYSTEM = "hl7v2"

#: XTN.2 and XTN.3 codes (HL7 tables 0201 and 0202) of what is an address, or does not take a call.
EMAIL_CODES = frozenset({"NET", "INTERNET", "X.400", "EMAIL"})
NO_CALL_CODES = frozenset({"FX", "BP", "BPN", "MD"})


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
            "contact": _contact(subject.pid),
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


def _contact(pid: Segment) -> dict[str, str | None]:
    """How to reach the patient: PID-13 (XTN), and PID-15.1, the language's code.

    `phone` is the first number of PID-13 that takes a call: XTN.1, else XTN.12 or, from senders
    that split it, country, area and local number (XTN.5 to XTN.7). `email` is the first XTN.4, or
    XTN.1 of a repetition that XTN.2 or XTN.3 marks as an address.
    """
    phone = email = None
    for repetition in pid.repeated(13):
        codes = {(part(repetition, 2) or "").upper(), (part(repetition, 3) or "").upper()}
        address = part(repetition, 4)
        if codes & EMAIL_CODES:
            address = address or part(repetition, 1)
        elif phone is None and not codes & NO_CALL_CODES:
            phone = _number(repetition)
        email = email or address
    return {"phone": phone, "email": email, "language": sent(pid, 15)}


def _number(repetition: Repetition) -> str | None:
    whole = part(repetition, 1) or part(repetition, 12)
    if whole is not None:
        return whole
    country, area, local = (part(repetition, component) or "" for component in (5, 6, 7))
    if country and local:
        return f"+{country.lstrip('+')}{area.removeprefix('0')}{local}"
    return f"{area}{local}" or None
