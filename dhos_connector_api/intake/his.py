"""One HIS patient payload: read it, keep it, and queue those of its events that are new.

Every payload is kept, also one that is refused. Its bytes are known again only when every patient in
it was taken: else the same bytes are judged anew once the site's configuration is mended.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.actions.his.events import SOURCE
from dhos_connector_api.errors import BadInput, ConnectorError, Details, NotRead
from dhos_connector_api.hl7v2.rules import OWN_FAILURE
from dhos_connector_api.intake import his_stored
from dhos_connector_api.intake.arrival import Arrival, Intake, Outcome, Read, Receipt
from dhos_connector_api.intake.his_events import add_events, takes_back
from dhos_connector_api.intake.his_patients import (
    BAD_FORMAT,
    Admission,
    Refusal,
    Result,
    identifiers_of,
    outcomes_of,
)
from dhos_connector_api.intake.json_rows import json_row, reason
from dhos_connector_api.messages import store
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.store import Effects, NewMessage
from dhos_connector_api.spec.kept_body import CheckedBody, body_of, check_of

MESSAGE_TYPE = "HIS patient data"
#: `keep` writes by several statements: a payload has as many events as it has visits.
IN_TRANSACTION = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HisRead(Read):
    """A payload, read. `outcomes` are in the order of the patients.

    `failed`: it could not be read because of a fault of ours; it is kept, and a replay takes it.
    """

    row: NewMessage
    outcomes: Sequence[Admission | Refusal]
    failed: bool = False

    @property
    def admissions(self) -> list[Admission]:
        """The patients that are taken."""
        return [each for each in self.outcomes if isinstance(each, Admission)]


def read(arrival: Arrival, intake: Intake) -> HisRead:
    """Return what the payload says and of whom it can be taken. Never raises, whatever it is."""
    return body_of(
        arrival.raw, check_of("post_his_patient_data"), lambda body: _judged(body, arrival, intake)
    )


def _judged(body: CheckedBody, arrival: Arrival, intake: Intake) -> HisRead:
    row = json_row(arrival, body, source=SOURCE, message_type=MESSAGE_TYPE)
    if body.failed:
        effects = _keyed(Effects(), f"{SOURCE} failed", arrival.raw)
        outcomes: list[Admission | Refusal] = [Refusal(str(OWN_FAILURE.text), {})]
        return HisRead(
            arrival=arrival, intake=intake, row=row, effects=effects, outcomes=outcomes, failed=True
        )
    if body.details:
        outcomes = [Refusal(BAD_FORMAT, body.details)]
    else:
        outcomes = outcomes_of(body.value, intake, arrival.day)
    left_out = [one for each in outcomes if isinstance(each, Admission) for one in each.patient.left_out]
    effects = Effects(identifiers=identifiers_of(outcomes), left_out=left_out)
    refusals = [each for each in outcomes if isinstance(each, Refusal)]
    if not refusals:
        effects = _keyed(effects, SOURCE, arrival.raw)
    admissions = [each for each in outcomes if isinstance(each, Admission)]
    row = replace(
        row,
        state=MessageState.ACCEPTED if admissions else row.state,
        sending_facility=admissions[0].hospital.code if admissions else None,
        error_text=reason({name: why for each in refusals for name, why in each.details.items()}),
    )
    return HisRead(arrival=arrival, intake=intake, row=row, effects=effects, outcomes=outcomes)


def _keyed(effects: Effects, room: str, raw: bytes) -> Effects:
    """With a key by which the same bytes are known again. Bytes we failed to read have one of their own, so
    that retries are counted and not kept, and yet are taken once they can be read.
    """
    key = hashlib.sha256(f"{room}\0".encode() + raw).digest()
    return replace(effects, key=key, content_hash=key)


def keep(connection: Connection, read: HisRead) -> Receipt | None:
    """Store the payload and those of its events that are new; None where its bytes are known.

    Known bytes are stored again, without a key, where another payload has told of another patient since.
    `connection` is a transaction's.
    """
    row, window = read.row, read.intake.duplicate_window
    if not store.insert(connection, row, read.effects, window=window):
        if not takes_back(connection, row, read.admissions):
            return None
        store.insert(connection, row, replace(read.effects, key=None, content_hash=b""), window=window)
    added = add_events(connection, row, read.admissions)
    if row.state == MessageState.ACCEPTED and not added.queued:  # nobody will ever say that it is processed
        store.mark_processed(connection, row.uuid, by=None, at=row.at)
    return _receipt(row.uuid, Outcome(row.state), read, _results(connection, read, added.new))


def known(connection: Connection, read: HisRead) -> Receipt | None:
    """Count a payload whose bytes are known on the message that holds them, and return what is known.

    `connection` commits each statement: many copies at once must not wait for one another longer
    than it takes to count.
    """
    key = read.effects.key
    if key is None:
        return None
    window = read.intake.duplicate_window
    holder = store.key_holder(connection, key, at=read.row.at, window=window)
    store.count_repeat(connection, key, at=read.row.at)
    uuid = read.uuid if holder is None else holder.message_uuid
    return _receipt(uuid, Outcome.REPEATED, read, _results(connection, read, ()))


def _receipt(uuid: UUID, outcome: Outcome, read: HisRead, results: Sequence[Result | Refusal]) -> Receipt:
    return Receipt(uuid, outcome, results, _error(read, results))


def _error(read: HisRead, results: Sequence[Result | Refusal]) -> ConnectorError | None:
    """Why no patient was taken; None where one was."""
    if read.failed:
        return NotRead(str(read.row.error_text))
    refusals = [each for each in results if isinstance(each, Refusal)]
    if len(refusals) < len(results):
        return None
    errors = {each.error for each in refusals}
    details: Details = {name: why for each in refusals for name, why in each.details.items()}
    return BadInput(errors.pop() if len(errors) == 1 else BAD_FORMAT, details)


def _results(connection: Connection, read: HisRead, new: Collection[UUID]) -> list[Result | Refusal]:
    kept = his_stored.completed(connection, [each.encounter for each in read.admissions])
    return [
        each if isinstance(each, Refusal) else _result(each, kept[each.encounter], new)
        for each in read.outcomes
    ]


def _result(admission: Admission, kept: Sequence[tuple[UUID, str]], new: Collection[UUID]) -> Result:
    completed = dict.fromkeys(type_ for _, type_ in kept)
    added = dict.fromkeys(type_ for id_, type_ in kept if id_ in new)
    return Result(admission.patient.stay, admission.hospital.code, list(completed), list(added))
