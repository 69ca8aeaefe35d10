"""The events that a HIS payload brings: those that are new are kept and queued."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.actions.his.companions import with_discharge
from dhos_connector_api.actions.his.events import SENDER_BEGINS, SOURCE, Event, correction, encounter
from dhos_connector_api.actions.his.visits import CORRECTED
from dhos_connector_api.events import mappings, visits
from dhos_connector_api.events import store as events
from dhos_connector_api.events.mappings import Mappings
from dhos_connector_api.events.store import NewEvent
from dhos_connector_api.events.visits import Encounter
from dhos_connector_api.intake import his_stored
from dhos_connector_api.intake.his_patients import Admission
from dhos_connector_api.intake.his_stored import Told
from dhos_connector_api.messages.store import NewMessage
from dhos_connector_api.outbox.models import SENDER_LENGTH

#: Events written by one statement.
GROUP = 250


@dataclass(frozen=True, slots=True)
class Added:
    """The ids of the events that were new, and how many of them wait to be published."""

    new: frozenset[UUID] = frozenset()
    queued: int = 0


def add_events(
    connection: Connection,
    row: NewMessage,
    admissions: Sequence[Admission],
    *,
    received_at: datetime | None = None,
) -> Added:
    """Keep and queue the events that are new, GROUP by GROUP; `connection` is a transaction's.

    `row` is the message by which the payload is kept; `received_at` when it came, where that was before
    (a replay). Of a stay of which a newer payload has told, events say what that one said. Where nothing
    is new but who the patient is, an event says so.
    """
    if not admissions:
        return Added()
    stays = {each.encounter for each in admissions}
    visits.lock(connection, stays)
    told = his_stored.told(connection, stays)
    newer = {stay: known for stay, known in told.items() if known.at > (received_at or row.at)}
    meanings = mappings.load(connection, [SOURCE])
    meant = _Meant(row, admissions, meanings, _known_discharges(connection, admissions), newer)
    new: set[UUID] = set()
    heard: Counter[Encounter] = Counter()
    for waiting in (_events_of(meant), _corrections(meant, told, heard)):
        while group := list(islice(waiting, GROUP)):
            kept = set(events.insert(connection, group))
            new |= kept
            heard.update(_encounter(each) for each in group if each.id in kept and each.envelope_id)
    return Added(frozenset(new), heard.total())


def takes_back(connection: Connection, row: NewMessage, admissions: Sequence[Admission]) -> bool:
    """Return whether a payload tells of another patient than a payload since: A, B, and the bytes of A again.

    Then its stays are locked until the transaction ends: of copies at the same moment one is the first,
    and the others tell what was told last.
    """
    if not _tells_another(connection, row, admissions):
        return False
    if mappings.load(connection, [SOURCE]).meaning(SOURCE, CORRECTED, CORRECTED) is None:
        return False
    visits.lock(connection, {each.encounter for each in admissions})
    return _tells_another(connection, row, admissions)


def _tells_another(connection: Connection, row: NewMessage, admissions: Sequence[Admission]) -> bool:
    """Whether it says of a patient what was not told last, before it came."""
    said = {each.encounter: each.companions[0] for each in admissions}
    told = his_stored.told(connection, said)
    return any(known.at <= row.at and known.companions[0] != said[stay] for stay, known in told.items())


@dataclass(frozen=True, slots=True)
class _Meant:
    """A payload with what is known of its codes and stays; `newer` is what newer payloads told."""

    row: NewMessage
    admissions: Sequence[Admission]
    meanings: Mappings
    discharges: Mapping[Encounter, str]
    newer: Mapping[Encounter, Told]


def _encounter(event: NewEvent) -> Encounter:
    return encounter(event.payload, event.encounter_id)


def _corrections(
    meant: _Meant, told: Mapping[Encounter, Told], heard: Mapping[Encounter, int]
) -> Iterator[NewEvent]:
    """The corrections of patients of whom no event of the payload tells; read after those are kept.

    None is kept where a mapping ignores them: nothing would be told, and the next payload keep another.
    """
    if meant.meanings.meaning(SOURCE, CORRECTED, CORRECTED) is None:
        return
    for admission in meant.admissions:
        known = told.get(admission.encounter)
        if known is None or admission.encounter in meant.newer or admission.encounter in heard:
            continue
        if known.companions[0] != admission.companions[0]:
            event = correction(admission.patient.stay, meant.row.at, meant.row.uuid)
            yield _new_event(meant, admission, event)


def _known_discharges(connection: Connection, admissions: Sequence[Admission]) -> Mapping[Encounter, str]:
    """The discharges known of stays that the payload says nothing of: it may be older than they are."""
    stays = (each.patient.stay for each in admissions)
    return his_stored.discharges(connection, [each.encounter for each in stays if each.discharged is None])


def _events_of(meant: _Meant) -> Iterator[NewEvent]:
    for admission in meant.admissions:
        for event in admission.events:
            yield _new_event(meant, admission, event)


def _new_event(meant: _Meant, admission: Admission, event: Event) -> NewEvent:
    row, stay = meant.row, admission.patient.stay
    companions, fields = admission.companions, admission.event_fields
    if newer := meant.newer.get(stay.encounter):
        companions, fields = newer.companions, newer.fields
    if ended := meant.discharges.get(stay.encounter):
        companions, fields = with_discharge(companions, fields, ended)
    return NewEvent(
        id=clock.new_uuid(row.at),
        source_system=SOURCE,
        event_code=event.type,
        default_code=event.code,
        canonical_code=meant.meanings.meaning(SOURCE, event.type, event.code),
        encounter_id=stay.admission_id,
        patient_identifier=stay.patient_id,
        payload=event.payload,
        occurred_at=event.at.value,
        received_at=row.at,
        sender=f"{SENDER_BEGINS}{admission.hospital.code}"[:SENDER_LENGTH],
        correlation_id=row.correlation_id,
        identity=event.identity,
        message_uuid=row.uuid,
        event_fields=fields,
        companions=companions,
    )
