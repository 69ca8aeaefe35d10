"""Journeys folded anew from their evidence, piece by piece: what would change, and changing it.

First the journeys there are, then evidence that has none because it waited too long for its hospital or
template: that may be set up by now.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.px.journeys import applying, evidence_store, journey_store
from dhos_connector_api.px.journeys.changing import Change
from dhos_connector_api.px.journeys.evidence import Name
from dhos_connector_api.px.journeys.folded import StageStatus
from dhos_connector_api.px.journeys.rows import stage_id

#: Journeys of one transaction.
AT_ONCE = 200
#: Where the next piece begins: after a journey, or among what has none after a name.
Place = UUID | Name
FIRST = UUID(int=0)
_FIRST_NAME = Name("", "")


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
    """Encounters that were looked at, up to `last` (None: no more are left), and what changes of them.

    `codes` are those of stages that go, by the stage's id.
    """

    looked_at: int
    last: Place | None
    changes: tuple[Change, ...]
    codes: Mapping[UUID, str]


def preview(connection: Connection, wanted: Wanted, after: Place) -> Piece:
    """Return what would change of the next journeys behind that place."""
    names, looked_at, last = _next(connection, wanted, after)
    changes = _changes(connection, wanted, names)
    return Piece(looked_at, last, changes, _codes(connection, changes))


def refold(connection: Connection, wanted: Wanted, after: Place, at: datetime) -> Piece:
    """Fold the next journeys behind that place anew; what was announced is not announced again."""
    names, looked_at, last = _next(connection, wanted, after)
    changes = _changes(connection, wanted, names)
    codes = _codes(connection, changes)  # while the stages are there
    if isinstance(after, UUID):
        names = journey_store.names_of(connection, [each.id for each in changes])
    if names:
        applied = applying.settle(connection, names, at, renew=wanted.template)
        evidence_store.note_done(connection, applied.messages, at)
    return Piece(looked_at, last, changes, codes)


def _changes(connection: Connection, wanted: Wanted, names: Collection[Name]) -> tuple[Change, ...]:
    return tuple(applying.preview(connection, names, renew=wanted.template)) if names else ()


def _next(connection: Connection, wanted: Wanted, after: Place) -> tuple[set[Name], int, Place | None]:
    """The names of the next encounters, how many these are, and where the piece after them begins."""
    since, hospital, template = wanted.since, wanted.hospital, wanted.template
    if isinstance(after, Name):
        found = evidence_store.given_up(connection, after, AT_ONCE, since=since, hospital=hospital)
        return set(found), len(found), found[-1] if found else None
    rows = journey_store.after(connection, after, AT_ONCE, since=since, hospital=hospital, template=template)
    names = journey_store.names_of(connection, [each.id for each in rows])
    # What has no journey has no template either.
    nothing_more = None if template else _FIRST_NAME
    return names, len(rows), rows[-1].id if rows else nothing_more


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
