"""Operations on deliveries for people: retry and cancel. Nothing here commits."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.deliveries.destinations import release
from dhos_connector_api.deliveries.states import DeliveryState
from dhos_connector_api.errors import Conflict, NotFound
from dhos_connector_api.messages import outgoing

# A delivery at its end is not sent again when a newer one of its series is on its way, or has arrived,
# or may have: what is late must not overwrite what corrected it.
_RETRY = """
WITH chosen AS (
    SELECT uuid, position FROM delivery AS one
    WHERE {which} AND NOT EXISTS (
        SELECT FROM delivery AS newer
        WHERE newer.destination = one.destination AND newer.series = one.series
            AND newer.position > one.position
            AND (newer.state IN ('waiting', 'sending', 'delivered') OR newer.ambiguous > 0))
    FOR UPDATE SKIP LOCKED
), spread AS (
    SELECT uuid, row_number() OVER (ORDER BY position) - 1 AS place FROM chosen
), retried AS (
    UPDATE delivery SET state = 'waiting', failures = 0, settled_at = NULL, superseded_by = NULL,
        due_at = CASE WHEN :apart > 0
            THEN CAST(:now AS timestamptz) + spread.place * make_interval(secs => :apart)
            ELSE least(due_at, CAST(:now AS timestamptz)) END
    FROM spread WHERE delivery.uuid = spread.uuid
    RETURNING message_uuid
)
SELECT message_uuid FROM retried
"""


def retry(connection: Connection, uuid: UUID, *, by: str | None, now: datetime) -> None:
    """Make one delivery due now, its schedule begun anew.

    Raises NotFound; Conflict for one that is delivered, under way, or overtaken by a newer one.
    """
    state, destination = _state(connection, uuid)
    if state is DeliveryState.SENDING:
        raise Conflict("the delivery is under way")
    if state is DeliveryState.DELIVERED:
        raise Conflict("the delivery has arrived")
    release(connection, destination)
    query = _RETRY.format(which="uuid = :uuid AND state NOT IN ('delivered', 'sending')")
    retried = connection.execute(text(query), {"uuid": uuid, "now": now, "apart": 0.0}).scalars().all()
    outgoing.mark_queued(connection, retried, by=by, at=now)
    if not retried:
        raise Conflict("a newer delivery of the same series has taken its place, or it is under way")


def retry_dead(
    connection: Connection,
    *,
    destination: str | None,
    since: datetime | None,
    seconds_apart: float,
    by: str | None,
    now: datetime,
) -> int:
    """Make dead deliveries due again, so many seconds apart, and return their number.

    Those to one destination (None: to all) that died at or after `since` (None: ever), oldest first.
    """
    release(connection, destination)
    which = (
        "state = 'dead' AND (CAST(:destination AS text) IS NULL OR destination = :destination)"
        " AND (CAST(:since AS timestamptz) IS NULL OR settled_at >= :since)"
    )
    values = {"destination": destination, "since": since, "now": now, "apart": seconds_apart}
    retried = connection.execute(text(_RETRY.format(which=which)), values).scalars().all()
    outgoing.mark_queued(connection, retried, by=by, at=now)
    return len(retried)


def cancel(connection: Connection, uuid: UUID, *, by: str | None, now: datetime) -> None:
    """Give a delivery up that waits or is dead; a second time changes nothing.

    Raises NotFound; Conflict for one that is under way, delivered or superseded.
    """
    state, _ = _state(connection, uuid)
    if state is DeliveryState.CANCELLED:
        return
    cancelled = connection.execute(
        text(
            "UPDATE delivery SET state = 'cancelled', settled_at = :now"
            " WHERE uuid = :uuid AND state IN ('waiting', 'dead') RETURNING message_uuid"
        ),
        {"uuid": uuid, "now": now},
    )
    given_up = cancelled.scalars().all()
    outgoing.mark_cancelled(connection, given_up, by=by, at=now)
    if not given_up:
        raise Conflict("the delivery is under way, delivered or superseded: it cannot be cancelled")


def _state(connection: Connection, uuid: UUID) -> tuple[DeliveryState, str]:
    """Return state and destination. Raises NotFound."""
    found = connection.execute(
        text("SELECT state, destination FROM delivery WHERE uuid = :uuid"), {"uuid": uuid}
    ).one_or_none()
    if found is None:
        raise NotFound("there is no delivery with that uuid")
    return DeliveryState(found.state), found.destination
