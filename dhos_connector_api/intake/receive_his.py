"""Receive one HIS patient payload: judge it, keep it, and queue those of its events that are new.

As with HL7 all the thinking (`judge_his.judge`) comes before anything is written; `keep` writes, and
only when that is committed does the caller answer. Every payload is kept, also one that is refused.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.actions.his import actions as his_actions
from dhos_connector_api.actions.his.events import SOURCE, discharge_of
from dhos_connector_api.actions.his.names import read_name
from dhos_connector_api.actions.his.payload import Stay
from dhos_connector_api.events import mappings, visits
from dhos_connector_api.events import store as events
from dhos_connector_api.events.mappings import Mappings
from dhos_connector_api.events.store import NewEvent
from dhos_connector_api.intake.judge_his import Admission, ReceivedPayload, Refusal
from dhos_connector_api.intake.metrics import HIS_PAYLOADS, REPEATED
from dhos_connector_api.messages import store
from dhos_connector_api.outbox.models import SENDER_LENGTH

_log = logging.getLogger(__name__)

#: Events written by one statement.
GROUP = 250


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one patient: types of visits as sent, all that are known and those that were new."""

    stay: Stay
    completed: Sequence[str]
    new: Sequence[str]

    @property
    def patient_name(self) -> str | None:
        """The name without its title."""
        return read_name(self.stay.name).full


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is kept, and what to answer for each patient. `repeated`: these bytes were known."""

    message_uuid: UUID
    results: Sequence[Result | Refusal]
    repeated: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether no patient was taken."""
        return not any(isinstance(each, Result) for each in self.results)


def keep(connection: Connection, received: ReceivedPayload) -> Receipt | None:
    """Store the payload and those of its events that are new; None where its bytes are known (`repeated`).

    `connection` is a transaction's. The caller answers when it is committed.
    """
    row, window = received.row, received.intake.duplicate_window
    if not store.insert(connection, row, received.effects, window=window):
        return None
    added = add_events(connection, received)
    if row.state == "accepted" and not added.queued:  # nobody will ever say that it is processed
        store.mark_processed(connection, row.uuid, by=None, at=row.at)
    return Receipt(row.uuid, _results(connection, received, added.new))


def repeated(connection: Connection, received: ReceivedPayload) -> Receipt:
    """Count a payload whose bytes are known on the message that holds them, and say what is known.

    `connection` commits each statement: many copies at once must not wait for one another longer
    than it takes to count.
    """
    row, window = received.row, received.intake.duplicate_window
    key = received.effects.key or b""
    holder = store.key_holder(connection, key, at=row.at, window=window)
    store.count_repeat(connection, key, at=row.at)
    uuid = row.uuid if holder is None else holder.message_uuid
    return Receipt(uuid, _results(connection, received, ()), repeated=True)


@dataclass(frozen=True, slots=True)
class Added:
    """The ids of the events that were new, and how many of them wait to be published."""

    new: frozenset[UUID] = frozenset()
    queued: int = 0


def add_events(connection: Connection, received: ReceivedPayload) -> Added:
    """Keep and queue the events that are new, GROUP by GROUP."""
    if not received.admissions:
        return Added()
    visits.lock(connection, {each.encounter for each in received.admissions})
    meanings = mappings.load(connection, [SOURCE])
    told = _new_events(received, meanings, _known_discharges(connection, received))
    new: set[UUID] = set()
    queued = 0
    while group := list(islice(told, GROUP)):
        kept = set(events.insert(connection, group))
        new |= kept
        queued += sum(each.envelope_id is not None for each in group if each.id in kept)
    return Added(frozenset(new), queued)


def _known_discharges(connection: Connection, received: ReceivedPayload) -> Mapping[bytes, str]:
    """The discharges known of stays that the payload says nothing of: it may be older than they are."""
    stays = (each.patient.stay for each in received.admissions)
    asked = [discharge_of(stay.encounter) for stay in stays if stay.discharged is None]
    return visits.discharges(connection, asked) if asked else {}


def _new_events(
    received: ReceivedPayload, meanings: Mappings, discharges: Mapping[bytes, str]
) -> Iterator[NewEvent]:
    row = received.row
    for admission in received.admissions:
        stay, hospital = admission.patient.stay, admission.hospital
        companions, fields = admission.companions, admission.event_fields
        if known := discharges.get(discharge_of(stay.encounter)):
            companions, fields = his_actions.with_discharge(companions, fields, known)
        for event in admission.events:
            yield NewEvent(
                id=clock.new_uuid(row.at),
                source_system=SOURCE,
                event_code=event.type,
                default_code=event.code,
                canonical_code=meanings.meaning(SOURCE, event.type, event.code),
                encounter_id=stay.admission_id,
                patient_identifier=stay.patient_id,
                payload=event.payload,
                occurred_at=event.at.value,
                received_at=row.at,
                sender=f"{SOURCE}|{hospital.code}"[:SENDER_LENGTH],
                correlation_id=row.correlation_id,
                identity=event.identity,
                message_uuid=row.uuid,
                event_fields=fields,
                companions=companions,
            )


def _results(
    connection: Connection, received: ReceivedPayload, new: Collection[UUID]
) -> list[Result | Refusal]:
    encounters = [each.encounter for each in received.admissions]
    known = visits.of_encounters(connection, SOURCE, encounters) if encounters else {}
    return [
        each if isinstance(each, Refusal) else _result(each, known[each.encounter], new)
        for each in received.outcomes
    ]


def _result(admission: Admission, known: Sequence[tuple[UUID, str]], new: Collection[UUID]) -> Result:
    completed = dict.fromkeys(type_ for _, type_ in known)
    added = dict.fromkeys(type_ for id_, type_ in known if id_ in new)
    return Result(admission.patient.stay, list(completed), list(added))


def count(received: ReceivedPayload, receipt: Receipt) -> None:
    """Count and log one answered payload. Call it after the commit."""
    row = received.row
    HIS_PAYLOADS.labels("repeated" if receipt.repeated else row.state).inc()
    if receipt.repeated:
        REPEATED.labels("his").inc()
    _log.info(
        "HIS payload received",
        extra={
            "message_uuid": str(receipt.message_uuid),
            "state": row.state,
            "repeated": receipt.repeated,
            "patients": len(received.outcomes),
            "new_stages": sum(len(each.new) for each in receipt.results if isinstance(each, Result)),
            "bytes": len(row.received),
        },
    )
