"""From an accepted message to the envelopes of actions that go to RabbitMQ."""

from datetime import date, tzinfo
from uuid import UUID, uuid5

from dhos_connector_api.actions.envelope import (
    EVENT_ROUTING_KEY,
    LEGACY_ROUTING_KEY,
    Action,
    Envelope,
    body,
)
from dhos_connector_api.actions.hl7.encounter import NOT_DISCHARGED, process_encounter
from dhos_connector_api.actions.hl7.event import process_event, read_occasion
from dhos_connector_api.actions.hl7.location import process_location
from dhos_connector_api.actions.hl7.patient import process_patient
from dhos_connector_api.actions.hl7.subject import Subject, read_subjects
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.site.model import Site

#: The ADT triggers whose envelopes existing consumers know, and upsert a patient by.
LEGACY_TRIGGERS = frozenset(
    {
        "A01",  # admit
        "A02",  # transfer
        "A03",  # discharge
        "A04",  # register
        "A05",  # pre-admit
        "A08",  # update patient information
        "A11",  # cancel admit
        "A12",  # cancel transfer
        "A13",  # cancel discharge
        "A14",  # pending admit
        "A15",  # pending transfer
        "A21",  # leave of absence begins
        "A22",  # leave of absence ends
        "A23",  # delete patient record
        "A26",  # cancel pending transfer
        "A27",  # cancel pending admit
        "A28",  # add person information
        "A31",  # update person information
        "A34",  # merge patient, identifier only
        "A35",  # merge account number
        "A38",  # cancel pre-admit
        "A40",  # merge patient, identifier list
        "A44",  # move account
        "A52",  # cancel leave of absence
        "A53",  # cancel return from leave
    }
)


def extract(
    message: Message, *, site: Site, zone: tzinfo, message_uuid: UUID, correlation_id: str
) -> list[Envelope]:
    """Return the envelopes of an accepted message, in the order of its patient groups.

    There is one for each group, but in a merge of patients one for each MRN, or NHS number, that is given up
    (one of each at a time). In: `zone` is where local times are read in. An envelope's id follows from
    `message_uuid` and its place alone, so that a replay publishes under the same id; it is also the
    `event_uuid` of its `process_event`. Bodies are compact UTF-8 JSON.

    Decisions: only ADT messages with one of `LEGACY_TRIGGERS` become a full envelope; everything
    else (an A29, delete person, must not become an upsert) carries its event alone, under another
    routing key. `process_event` stands last: existing consumers look actions up by name. An offset in
    MSH-7 goes before `zone`.
    """
    zone = message.zone(zone)
    occasion = read_occasion(message, zone)
    full, trigger = is_full(message), message.trigger
    envelopes = []
    kind = trigger if message.message_code == "ADT" else ""
    for subject in read_subjects(message, kind, site.inbound, zone):
        envelope_id = uuid5(message_uuid, subject.number)
        if kind in NOT_DISCHARGED:
            subject.discharged_at = None
        actions = _upserts(subject, trigger, zone, message.received_on) if full else []
        actions.append(process_event(subject, occasion, str(envelope_id), message.received_on))
        routing_key = LEGACY_ROUTING_KEY if full else EVENT_ROUTING_KEY
        envelopes.append(Envelope(envelope_id, routing_key, body(message_uuid, actions), correlation_id))
    return envelopes


def is_full(message: Message) -> bool:
    """Return whether a message becomes a full envelope, with the actions that existing consumers apply."""
    return message.message_code == "ADT" and message.trigger in LEGACY_TRIGGERS


def _upserts(subject: Subject, trigger: str, zone: tzinfo, today: date | None) -> list[Action]:
    """The actions existing consumers apply, as far as the message holds what they need."""
    possible = (
        process_patient(subject, trigger, today),
        process_location(subject.known_location, subject.known_previous),
        process_encounter(subject, trigger, zone),
    )
    return [action for action in possible if action is not None]
