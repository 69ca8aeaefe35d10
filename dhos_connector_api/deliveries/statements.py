"""The statements that queue a delivery and claim what is due.

They write this room's tables alone, and give the uuids of messages whose state follows
(`messages.outgoing`). The claim also reads `message` and `message_body` of the messages room, so that
what is to be sent comes with the claim and not by one more trip to the server. It is sent to us in binary
(`db.large_rows`), and so written as psycopg writes parameters.
"""

from sqlalchemy import text

from dhos_connector_api.db.within_bytes import IN_PSYCOPG, first_within

# `state || ''` keeps PostgreSQL from the index of all that waits: with statistics from before an
# outage it takes that for the shortest way, and walks the whole backlog for each delivery.
# What is locked is being claimed, retried or cancelled: to wait for it could go round in a circle.
# What comes out of that still waiting is superseded by the next claim (OVERTAKEN).
ADD = text("""
WITH older AS (
    SELECT uuid FROM delivery
    WHERE destination = :destination AND series = CAST(:series AS text) AND state || '' = 'waiting'
    FOR UPDATE SKIP LOCKED
), old AS (
    UPDATE delivery SET state = 'superseded', settled_at = :at, superseded_by = :uuid
    FROM older WHERE delivery.uuid = older.uuid
    RETURNING message_uuid
), added AS (
    INSERT INTO delivery (uuid, message_uuid, destination, series, created, due_at, correlation_id)
    VALUES (:uuid, :message_uuid, :destination, :series, :at, :at, :correlation_id)
)
SELECT message_uuid FROM old
""")

LOSE = text("""
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
)
SELECT message_uuid, state FROM lost
""")

# Nothing is begun while another of its series is under way, and only the newest of a series is. Of what could
# be begun as much is as there is room for in bytes, in its order: one that is too large for now waits until
# nothing else is in hand, and nothing passes it by meanwhile.
_CLAIM = """
WITH free AS (
    SELECT uuid, message_uuid, failures, due_at, position FROM delivery AS one
    WHERE {which} AND NOT EXISTS (
        SELECT FROM delivery AS other
        WHERE other.destination = one.destination AND other.series = one.series
            AND (other.state = 'sending' OR (other.state = 'waiting' AND other.position > one.position)))
    ORDER BY {order} LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), chosen AS ({chosen}
), claimed AS (
    UPDATE delivery SET state = 'sending', lease = %(lease)s, leased_until = %(until)s,
        attempts = attempts + 1
    FROM chosen WHERE delivery.uuid = chosen.uuid
    RETURNING delivery.*
), begun AS (
    INSERT INTO delivery_attempt (delivery_uuid, number, started_at)
    SELECT uuid, attempts, %(now)s FROM claimed
)
SELECT claimed.uuid, claimed.message_uuid, claimed.attempts, claimed.failures, claimed.correlation_id,
    m.created, m.message_control_id, b.received
FROM claimed JOIN message m ON m.uuid = claimed.message_uuid
LEFT JOIN message_body b ON b.message_uuid = m.uuid AND b.created = m.created
ORDER BY claimed.due_at, claimed.position
"""
_SIZED = """
    SELECT free.*, coalesce(octet_length(b.received), 0) AS size
    FROM free JOIN message m ON m.uuid = free.message_uuid
    LEFT JOIN message_body b ON b.message_uuid = m.uuid AND b.created = m.created
"""


def _claim(which: str, order: str) -> str:
    chosen = first_within(_SIZED, order=order, values=IN_PSYCOPG)
    return _CLAIM.format(which=which, order=order, chosen=chosen)


_DUE = "destination = %(destination)s AND state = 'waiting' AND due_at <= %(now)s"
IN_TURN = _claim(_DUE, "due_at, position")
# A failing destination is probed with what has failed least and came last: messages that fail wherever
# they are sent must not be the only ones that are tried. Only of a few of these is it asked whether
# another of their series is before them: of a whole backlog that takes ten times as long.
_LEAST_FAILED = "failures, due_at DESC, position DESC"
_FEW = f"SELECT uuid FROM delivery WHERE {_DUE} ORDER BY {_LEAST_FAILED} LIMIT 20"  # noqa: S608  constants only
PROBE = _claim(f"uuid IN ({_FEW}) AND state || '' = 'waiting'", _LEAST_FAILED)

# What came back to the queue, or was locked, while a newer one of its series was already there;
# `state || ''` as above.
OVERTAKEN = text("""
UPDATE delivery AS one SET state = 'superseded', settled_at = :now, superseded_by = newer.uuid
FROM delivery AS newer
WHERE newer.uuid = ANY(:claimed) AND one.destination = newer.destination AND one.series = newer.series
    AND one.position < newer.position AND one.state || '' = 'waiting'
RETURNING one.message_uuid
""")
