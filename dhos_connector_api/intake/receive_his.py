"""Receive one HIS patient payload: judge it, keep it, and queue those of its events that are new.

As with HL7 all the thinking (`judge_his.judge`) comes before anything is written; `keep` writes, and
only when that is committed does the caller answer. Every payload is kept, also one that is refused.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.actions import his_actions
from dhos_connector_api.actions.his_events import SOURCE
from dhos_connector_api.actions.his_names import read_name
from dhos_connector_api.actions.his_payload import Stay
from dhos_connector_api.events import mappings, visits
from dhos_connector_api.events import store as events
from dhos_connector_api.events.mappings import Mappings
from dhos_connector_api.events.store import NewEvent
from dhos_connector_api.intake.judge_his import Admission, ReceivedPayload, Refusal
from dhos_connector_api.messages import store
from dhos_connector_api.metrics import HIS_PAYLOADS, REPEATED

_log = logging.getLogger(__name__)

_SENDER_LENGTH = 200


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
    new = add_events(connection, received)
    return Receipt(row.uuid, _results(connection, received, new))


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
    return Receipt(uuid, _results(connection, received, set()), repeated=True)


def add_events(connection: Connection, received: ReceivedPayload) -> set[UUID]:
    """Keep and queue the events that are new; their ids."""
    if not received.admissions:
        return set()
    meanings = mappings.load(connection, [SOURCE])
    return set(events.insert(connection, list(_new_events(received, meanings))))


def _new_events(received: ReceivedPayload, meanings: Mappings) -> Iterator[NewEvent]:
    row = received.row
    for admission in received.admissions:
        stay, hospital, zone = admission.patient.stay, admission.hospital, admission.zone
        companions = his_actions.companions(stay, hospital, zone)
        fields = his_actions.event_fields(stay, hospital, zone)
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
                sender=f"{SOURCE}|{hospital.code}"[:_SENDER_LENGTH],
                correlation_id=row.correlation_id,
                identity=event.identity,
                message_uuid=row.uuid,
                event_fields=fields,
                companions=companions,
            )


def _results(connection: Connection, received: ReceivedPayload, new: set[UUID]) -> list[Result | Refusal]:
    encounters = [each.encounter for each in received.admissions]
    known = visits.of_encounters(connection, SOURCE, encounters) if encounters else {}
    return [
        each if isinstance(each, Refusal) else _result(each, known[each.encounter], new)
        for each in received.outcomes
    ]


def _result(admission: Admission, known: Sequence[tuple[UUID, str]], new: set[UUID]) -> Result:
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
