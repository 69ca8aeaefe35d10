"""Evidence applied: stored, and every journey it touches folded anew. Nothing here commits.

    with database.transaction() as connection:
        applied = add(connection, [evidence], clock.now())

A journey is folded from all of its evidence under the locks of its names (`locks`), so it does not matter
what came first or twice. What is to be announced goes to the outbox in the same transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.px.journeys import (
    codes,
    counting,
    evidence_store,
    folding,
    journey_store,
    link_store,
    locks,
    publishing,
)
from dhos_connector_api.px.journeys.changing import Change
from dhos_connector_api.px.journeys.evidence import Evidence, Move, Name
from dhos_connector_api.px.journeys.evidence_store import Became, Kept, State
from dhos_connector_api.px.journeys.folding import Outcome
from dhos_connector_api.px.journeys.metrics import IGNORED


@dataclass(frozen=True, slots=True)
class Applied:
    """The journeys that changed, and the messages of evidence of which something else became."""

    journeys: frozenset[UUID] = frozenset()
    messages: frozenset[UUID] = frozenset()


def add(connection: Connection, given: Sequence[Evidence], at: datetime) -> Applied:
    """Store these pieces of evidence, and fold each journey that they touch."""
    told = [each for each in given if each.encounter_id]
    moves = [move for each in given if (move := move_of(each))]
    names = {each.name for each in told}
    linked = {Name(each.namespace, link) for each in told if (link := link_store.link_of(each))}
    is_alone = bool(moves or linked)
    locks.enter(connection, alone=is_alone)
    for each in moves:
        link_store.add_move(connection, each, at)
    if moves:
        names |= link_store.names_of_patients(connection, {each.prior_id for each in moves})
    names = link_store.also_called(connection, names | linked)
    if not is_alone:  # else nobody else is here; and a move may name more than there are locks
        locks.hold(connection, names)
    evidence_store.add(connection, told, at)
    return _settle(connection, names, at)


def settle(
    connection: Connection, names: Collection[Name], at: datetime, *, renew: UUID | None = None
) -> Applied:
    """Fold the journeys with these names anew, by what is known by now; `renew`: see `folding.folded`."""
    locks.enter(connection, alone=False)
    all_names = link_store.also_called(connection, names)
    locks.hold(connection, all_names)
    return _settle(connection, all_names, at, renew)


def preview(connection: Connection, names: Collection[Name], *, renew: UUID | None = None) -> list[Change]:
    """Return what `settle` would change, and change nothing."""
    few, _ = counting.bounded(evidence_store.of_names(connection, link_store.also_called(connection, names)))
    found = folding.folded(connection, counting.placed(few), renew)
    return folding.changes(connection, found.outcomes)


def move_of(evidence: Evidence) -> Move | None:
    """Return the move of all that is a patient's, where the event names no encounter; None: it is none."""
    before = evidence.previous
    if evidence.encounter_id or codes.folded(evidence.code) not in codes.MOVING_ALL or before is None:
        return None
    if not before.patient_id or not evidence.patient_id or before.patient_id == evidence.patient_id:
        return None
    return Move(
        event_uuid=evidence.event_uuid,
        occurred_at=evidence.occurred_at,
        prior_id=before.patient_id,
        patient_id=evidence.patient_id,
    )


def _settle(
    connection: Connection, names: Collection[Name], at: datetime, renew: UUID | None = None
) -> Applied:
    """Fold what goes by these names, which are held."""
    kept = evidence_store.of_names(connection, names)
    few, too_many = counting.bounded(kept)
    found = folding.folded(connection, counting.placed(few), renew)
    changes = folding.changes(connection, found.outcomes)
    _save(connection, changes, at)
    became = _became(few, found.outcomes, found.waiting)
    became += [Became(each, State.IGNORED, "too_many", None, None) for each in too_many]
    evidence_store.settle(connection, became)
    IGNORED.labels(reason="too_many").inc(len(too_many))
    publishing.publish(connection, changes, at)
    messages = {each.evidence.event_uuid: each.evidence.message_uuid for each in kept}
    return Applied(
        frozenset(each.id for each in changes), frozenset(messages[each.event_uuid] for each in became)
    )


def _save(connection: Connection, changes: Sequence[Change], at: datetime) -> None:
    columns = {id_: each for change in changes for id_, each in change.rows.items()}
    journey_store.save(connection, columns, at)
    stages = [each for change in changes for each in change.stages]
    dropped = [each for change in changes for each in change.dropped]
    journey_store.save_stages(connection, stages, dropped, at)
    journey_store.save_names(
        connection, {key: change.id for change in changes for key in change.new_names}, at
    )


def _became(
    kept: Sequence[Kept], outcomes: Sequence[Outcome], waiting: Mapping[UUID, tuple[str, UUID | None]]
) -> list[Became]:
    """What has become of each piece, as far as that is new."""
    applied = {
        piece.event_uuid: outcome
        for outcome in outcomes
        for piece in outcome.encounter.evidence
        if outcome.folded is not None
    }
    found: list[Became] = []
    for each in kept:
        event, outcome = each.evidence.event_uuid, applied.get(each.evidence.event_uuid)
        if outcome is not None:
            key = outcome.encounter.key
            now = Became(event, State.APPLIED, None, key.hospital_id, key.journey_id)
        else:
            # what was given up stays so until it can be applied
            state = State.IGNORED if each.state == State.IGNORED else State.WAITING
            reason, hospital = waiting.get(event, (None, None))
            now = Became(event, state, reason, hospital, None)
        if now != Became(event, State(each.state), each.reason, each.hospital_id, each.journey_id):
            found.append(now)
    return found
