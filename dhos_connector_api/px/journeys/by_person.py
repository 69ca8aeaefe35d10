"""What a person does to a journey or one of its stages: evidence like any other. Never commits.

`seen` is the condition under which he sees it (`journey_list`, `stage_list`). All raise NotFound for what is
not seen, Conflict where what he does makes no sense by now, and PreconditionFailed where the journey has not
that `version`. What he does is newer than all that was told of the journey, also by clocks that are ahead.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, true

from dhos_connector_api import clock
from dhos_connector_api.errors import Conflict, NotFound, PreconditionFailed
from dhos_connector_api.px.journeys import (
    applying,
    evidence_store,
    journey_list,
    journey_store,
    link_store,
    locks,
    stage_list,
)
from dhos_connector_api.px.journeys.evidence import (
    JOURNEY_CANCELLED,
    JOURNEY_CLOSED,
    PERSON,
    STAGE_COMPLETED,
    STAGE_REOPENED,
    STAGE_SKIPPED,
    Evidence,
)
from dhos_connector_api.px.journeys.folded import Ending, JourneyStatus, StageStatus
from dhos_connector_api.px.journeys.journey_list import Row

UNKNOWN = "there is no journey with that id"
UNKNOWN_STAGE = "there is no stage with that id"
_CHANGED = "the object is not in the version that If-Match names"
_MERGED = "the journey is merged into another one, which can be changed"
_NOT_ACTIVE = "the journey is not active"
_CANCELLED = "the journey is cancelled"
_CLOSED = "the journey is closed: its stages are not waited for"
_ALREADY = "the stage is so already"
#: The least that a time can be later than another.
_NEXT = timedelta(microseconds=1)


def keep(
    connection: Connection,
    id_: UUID,
    details: Mapping[str, Any],
    *,
    seen: ColumnElement[bool],
    version: int | None,
    at: datetime,
) -> tuple[Row, bool]:
    """Store what people keep of a journey; return it, and whether that is something new."""
    row = _held(connection, id_, seen, version)
    if row["details"] == details:
        return row, False
    journey_store.keep_details(connection, row["id"], details, at)
    return _now(connection, row["id"]), True


def close(
    connection: Connection,
    id_: UUID,
    reason: str,
    *,
    seen: ColumnElement[bool],
    version: int | None = None,
    by: UUID,
    at: datetime,
) -> Row:
    """Close an active journey, and return it."""
    row = _held(connection, id_, seen, version)
    if row["status"] != JourneyStatus.ACTIVE:
        raise Conflict(_NOT_ACTIVE)
    return _done(connection, row, JOURNEY_CLOSED, reason, by, at)


def cancel(
    connection: Connection,
    id_: UUID,
    reason: str | None,
    *,
    seen: ColumnElement[bool],
    version: int | None = None,
    by: UUID,
    at: datetime,
) -> tuple[Row, bool]:
    """Cancel a journey; return it, and whether it was not cancelled before."""
    row = _held(connection, id_, seen, version)
    if row["status"] == JourneyStatus.CANCELLED:
        return row, False
    return _done(connection, row, JOURNEY_CANCELLED, reason, by, at), True


def settle(
    connection: Connection,
    id_: UUID,
    code: str,
    reason: str,
    *,
    seen: ColumnElement[bool],
    version: int | None = None,
    by: UUID,
    at: datetime,
) -> Row:
    """Complete, skip or reopen a stage (STAGE_COMPLETED, STAGE_SKIPPED, STAGE_REOPENED), and return it.

    `version` is that of its journey: a stage has none of its own.
    """
    found = _stage(connection, id_, seen)
    journey = _held(connection, found["journey_id"], true(), version)
    stage = _stage(connection, id_, seen)
    _check_stage(code, journey, stage)
    _done(connection, journey, code, reason, by, at, stage=stage["stage_template_id"])
    return _stage(connection, id_, true())


def _check_stage(code: str, journey: Row, stage: Row) -> None:
    """Raise Conflict where that makes no sense."""
    if journey["status"] == JourneyStatus.CANCELLED:
        raise Conflict(_CANCELLED)
    none = {
        STAGE_COMPLETED: {StageStatus.COMPLETED},
        STAGE_SKIPPED: {StageStatus.COMPLETED, StageStatus.SKIPPED},
        STAGE_REOPENED: {StageStatus.PENDING, StageStatus.IN_PROGRESS},
    }
    if stage["status"] in none[code]:
        raise Conflict(_ALREADY)
    # the completion that closed a journey may have been a mistake, and is taken back with the end
    has_closed = journey["ending"] == Ending.ALL_STAGES and not stage["is_optional"]
    if code == STAGE_REOPENED and journey["status"] != JourneyStatus.ACTIVE and not has_closed:
        raise Conflict(_CLOSED)


def _held(connection: Connection, id_: UUID, seen: ColumnElement[bool], version: int | None) -> Row:
    """Return a journey, which nobody else folds until the transaction ends."""
    if journey_list.get(connection, id_, seen) is None:
        raise NotFound(UNKNOWN)
    locks.enter(connection, alone=False)
    names = journey_store.names_of(connection, [id_])
    locks.hold(connection, link_store.also_called(connection, names))
    row = journey_list.get(connection, id_, seen)
    if row is None:
        raise NotFound(UNKNOWN)
    if row["merged_from"] is not None:
        raise Conflict(_MERGED)
    if version is not None and row["version"] != version:
        raise PreconditionFailed(_CHANGED)
    return row


def _done(
    connection: Connection,
    row: Row,
    code: str,
    reason: str | None,
    by: UUID,
    at: datetime,
    *,
    stage: UUID | None = None,
) -> Row:
    """Apply what a person says of a journey that is held, and return it as it is then."""
    said = Evidence(
        event_uuid=clock.new_uuid(at),
        occurred_at=max(at, row["last_at"] + _NEXT),
        received_at=at,
        message_uuid=clock.new_uuid(at),
        source=PERSON,
        code=code,
        namespace=row["namespace"],
        facility="",
        hospital_id=row["hospital_id"],
        encounter_id=row["encounter_id"],
        stage_id=stage,
        reason=reason,
        actor_id=by,
    )
    applied = applying.add(connection, [said], at)
    evidence_store.note_done(connection, applied.messages, at)
    return _now(connection, row["id"])


def _now(connection: Connection, id_: UUID) -> Row:
    row = journey_list.get(connection, id_, true())
    if row is None:
        raise NotFound(UNKNOWN)
    return row


def _stage(connection: Connection, id_: UUID, seen: ColumnElement[bool]) -> Row:
    row = stage_list.get(connection, id_, seen)
    if row is None:
        raise NotFound(UNKNOWN_STAGE)
    return row
