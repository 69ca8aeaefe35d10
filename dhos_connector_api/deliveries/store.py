"""Queueing deliveries and claiming them to be sent. Nothing here commits; the caller owns the transaction.

Who claims deliveries has locked their destination's row before: so two processes never begin more than
it has room for.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.deliveries.rules.outcome import Outgoing
from dhos_connector_api.deliveries.rules.schedule import Health
from dhos_connector_api.site.model import DeliveryPolicy

#: What is said of an attempt whose process did not live to say how it ended.
LOST = "the process that sent it ended before it knew the answer"


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A message to be delivered. Of one `series` (None: of none) only the newest is sent."""

    uuid: UUID
    message_uuid: UUID
    destination: str
    series: str | None
    at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this process alone may attempt until `until`, by the rules of `policy`.

    `outgoing` is None when the message's bytes are no longer kept. `failures` are those before.
    """

    uuid: UUID
    lease: UUID
    until: datetime
    message_uuid: UUID
    message_created: datetime
    number: int
    failures: int
    policy: DeliveryPolicy
    outgoing: Outgoing | None


# `state || ''` keeps PostgreSQL from the index of all that waits: with statistics from before an
# outage it takes that for the shortest way, and walks the whole backlog for each delivery.
# What is locked is being claimed, retried or cancelled: to wait for it could go round in a circle.
# What comes out of that still waiting is superseded by the next claim (_OVERTAKEN).
_ADD = text("""
WITH older AS (
    SELECT uuid FROM delivery
    WHERE destination = :destination AND series = CAST(:series AS text) AND state || '' = 'waiting'
    FOR UPDATE SKIP LOCKED
), old AS (
    UPDATE delivery SET state = 'superseded', settled_at = :at, superseded_by = :uuid
    FROM older WHERE delivery.uuid = older.uuid
    RETURNING message_uuid
), told AS (
    UPDATE message SET state = 'superseded', modified = :at FROM old WHERE message.uuid = old.message_uuid
)
INSERT INTO delivery (uuid, message_uuid, destination, series, created, due_at, correlation_id)
VALUES (:uuid, :message_uuid, :destination, :series, :at, :at, :correlation_id)
""")

_LOSE = text("""
WITH lost AS (
    UPDATE delivery SET lease = NULL, leased_until = NULL, last_error = :error,
        failures = failures + 1, ambiguous = ambiguous + 1,
        due_at = greatest(CAST(:now AS timestamptz), leased_until
            + make_interval(secs => (CAST(:schedule AS float8[]))[failures + 1] - :leased)),
        state = CASE WHEN failures < cardinality(CAST(:schedule AS float8[])) THEN 'waiting' ELSE 'dead' END,
        settled_at = CASE WHEN failures < cardinality(CAST(:schedule AS float8[])) THEN NULL
            ELSE CAST(:now AS timestamptz) END
    WHERE destination = :destination AND state = 'sending' AND leased_until < :now
    RETURNING uuid, message_uuid, attempts, state
), noted AS (
    UPDATE delivery_attempt SET outcome = 'ambiguous', error = :error
    FROM lost WHERE delivery_uuid = lost.uuid AND number = lost.attempts AND outcome IS NULL
), told AS (
    UPDATE message SET state = 'dead', modified = :now, error_text = :error
    FROM lost WHERE message.uuid = lost.message_uuid AND lost.state = 'dead'
)
SELECT count(*) FROM lost
""")

# Nothing is begun while another of its series is under way, and only the newest of a series is.
_CLAIM = """
WITH chosen AS (
    SELECT uuid FROM delivery AS one
    WHERE {which} AND NOT EXISTS (
        SELECT FROM delivery AS other
        WHERE other.destination = one.destination AND other.series = one.series
            AND (other.state = 'sending' OR (other.state = 'waiting' AND other.position > one.position)))
    ORDER BY {order} LIMIT :room FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE delivery SET state = 'sending', lease = :lease, leased_until = :until, attempts = attempts + 1
    FROM chosen WHERE delivery.uuid = chosen.uuid
    RETURNING delivery.*
), begun AS (
    INSERT INTO delivery_attempt (delivery_uuid, number, started_at) SELECT uuid, attempts, :now FROM claimed
)
SELECT claimed.uuid, claimed.message_uuid, claimed.attempts, claimed.failures, claimed.correlation_id,
    m.created, m.message_control_id, b.received
FROM claimed JOIN message m ON m.uuid = claimed.message_uuid
LEFT JOIN message_body b ON b.message_uuid = m.uuid AND b.created = m.created
ORDER BY claimed.due_at, claimed.position
"""
_DUE = "destination = :destination AND state = 'waiting' AND due_at <= :now"
_IN_TURN = text(_CLAIM.format(which=_DUE, order="due_at, position"))
# A failing destination is probed with what has failed least and came last: messages that fail wherever
# they are sent must not be the only ones that are tried. Only of a few of these is it asked whether
# another of their series is before them: of a whole backlog that takes ten times as long.
_LEAST_FAILED = "failures, due_at DESC, position DESC"
_FEW = f"SELECT uuid FROM delivery WHERE {_DUE} ORDER BY {_LEAST_FAILED} LIMIT 20"  # noqa: S608  constants only
_PROBE = text(_CLAIM.format(which=f"uuid IN ({_FEW}) AND state || '' = 'waiting'", order=_LEAST_FAILED))

# What came back to the queue, or was locked, while a newer one of its series was already there;
# `state || ''` as above.
_OVERTAKEN = text("""
WITH old AS (
    UPDATE delivery AS one SET state = 'superseded', settled_at = :now, superseded_by = newer.uuid
    FROM delivery AS newer
    WHERE newer.uuid = ANY(:claimed) AND one.destination = newer.destination AND one.series = newer.series
        AND one.position < newer.position AND one.state || '' = 'waiting'
    RETURNING one.message_uuid
)
UPDATE message SET state = 'superseded', modified = :now FROM old WHERE message.uuid = old.message_uuid
""")


def add(connection: Connection, delivery: NewDelivery) -> None:
    """Queue a delivery; older ones of its series that wait are superseded."""
    if delivery.series is not None:
        # One at a time for a series: the later of two must see the earlier.
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:series, 0))")
        connection.execute(lock, {"series": f"{delivery.destination} {delivery.series}"})
    values = {name: getattr(delivery, name) for name in delivery.__slots__}
    connection.execute(_ADD, values)


def is_due(connection: Connection, destination: str, now: datetime) -> bool:
    """Whether there is anything to claim, or a lease that has run out: a cheap look without locks."""
    found: bool = connection.execute(
        text(
            "SELECT EXISTS (SELECT FROM delivery WHERE destination = :destination"
            " AND state = 'sending' AND leased_until < :now)"
            # The least of them, and not whether there is any: that PostgreSQL always takes from the index.
            " OR coalesce((SELECT min(due_at) FROM delivery WHERE destination = :destination"
            " AND state = 'waiting') <= :now, false)"
        ),
        {"destination": destination, "now": now},
    ).scalar_one()
    return found


def lose(connection: Connection, destination: str, policy: DeliveryPolicy, now: datetime) -> int:
    """Take back deliveries whose lease has run out, their attempts marked ambiguous; how many it was.

    They are due again as the schedule says from the attempt's beginning. The destination is locked already.
    """
    values = {
        "destination": destination,
        "now": now,
        "error": LOST,
        "schedule": list(policy.schedule),
        "leased": policy.timeout + policy.grace,
    }
    lost: int = connection.execute(_LOSE, values).scalar_one()
    return lost


def claim(
    connection: Connection,
    destination: str,
    policy: DeliveryPolicy,
    *,
    health: Health,
    free: int,
    now: datetime,
    lease: UUID,
) -> list[Claim]:
    """Claim up to `free` due deliveries, as far as the destination has room for them now.

    `health` is of the destination's row, which the same transaction has locked first.
    """
    names = {"destination": destination, "now": now}
    under_way = connection.execute(
        text("SELECT count(*) FROM delivery WHERE destination = :destination AND state = 'sending'"), names
    ).scalar_one()
    room = min(free, health.room(policy, under_way=under_way, now=now))
    if room <= 0:
        return []
    until = now + timedelta(seconds=policy.timeout + policy.grace)
    query = _PROBE if health.failing else _IN_TURN
    rows = connection.execute(query, {**names, "room": room, "lease": lease, "until": until}).all()
    if rows:
        connection.execute(_OVERTAKEN, {"claimed": [row.uuid for row in rows], "now": now})
    return [
        Claim(
            uuid=row.uuid,
            lease=lease,
            until=until,
            message_uuid=row.message_uuid,
            message_created=row.created,
            number=row.attempts,
            failures=row.failures,
            policy=policy,
            outgoing=None
            if row.received is None
            else Outgoing(
                row.uuid, row.message_control_id, bytes(row.received), row.correlation_id, policy.timeout
            ),
        )
        for row in rows
    ]
