"""Journeys folded anew from their evidence, piece by piece: what would change, and changing it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.px.journeys import applying, evidence_store, journey_store
from dhos_connector_api.px.journeys.changing import Change
from dhos_connector_api.px.journeys.folded import StageStatus
from dhos_connector_api.px.journeys.rows import stage_id

#: Journeys of one transaction.
AT_ONCE = 200
FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which journeys: of which something was told `since`, of a hospital, of a template.

    With a template they get its newest version in place of the one they have.
    """

    since: datetime | None = None
    hospital: UUID | None = None
    template: UUID | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Some journeys that were looked at, up to `last` (None: there were none), and what changes of them.

    `codes` are those of stages that go, by the stage's id.
    """

    looked_at: int
    last: UUID | None
    changes: tuple[Change, ...]
    codes: Mapping[UUID, str]


def preview(connection: Connection, wanted: Wanted, after: UUID) -> Piece:
    """Return what would change of the next journeys behind that one."""
    kind = {"hospital": wanted.hospital, "template": wanted.template}
    rows = journey_store.after(connection, after, AT_ONCE, since=wanted.since, **kind)
    names = journey_store.names_of(connection, [each.id for each in rows])
    changes = applying.preview(connection, names, renew=wanted.template) if rows else []
    return Piece(len(rows), rows[-1].id if rows else None, tuple(changes), _codes(connection, changes))


def refold(connection: Connection, wanted: Wanted, after: UUID, at: datetime) -> Piece:
    """Fold the next journeys behind that one anew; what was announced is not announced again."""
    seen = preview(connection, wanted, after)
    names = journey_store.names_of(connection, [each.id for each in seen.changes])
    if names:
        applied = applying.settle(connection, names, at, renew=wanted.template)
        evidence_store.note_done(connection, applied.messages, at)
    return seen


def lines(change: Change, codes: Mapping[UUID, str]) -> Iterator[tuple[str, str, str]]:
    """Return what differs of a journey: the journey or its stage, what it was, what it is to be.

    `codes` are those of `Piece`.
    """
    before = change.before
    for name in ("status", "ending", "journey_type", "patient_id", "completed_at"):
        old, new = before.get(name), change.columns[name]
        if old != new:
            yield name, _text(old), _text(new)
    for each in change.stages:
        status = change.stage_statuses.get(each["stage_template_id"], StageStatus.PENDING)
        if status != each["status"]:
            yield f"stage {each['code']}", str(status), str(each["status"])
    for id_ in change.dropped:
        # by its id where another process removed it between the two looks
        yield f"stage {codes.get(id_, id_)}", "there", "gone"


def _codes(connection: Connection, changes: Iterable[Change]) -> dict[UUID, str]:
    """The codes of the stages that go, while they are there, also those of journeys that become others'."""
    losing = {id_ for each in changes if each.dropped for id_ in (each.id, *each.rows)}
    known = journey_store.get(connection, losing) if losing else {}
    return {
        stage_id(id_, template): stage["code"]
        for id_, each in known.items()
        for template, stage in each.stages.items()
    }


def _text(value: object) -> str:
    return "-" if value is None else str(value)
