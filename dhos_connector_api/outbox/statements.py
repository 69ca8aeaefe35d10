"""The statements by which the relay selects what to publish. Each is bounded, however much waits.

`survey` tells what waits under each routing key: one index probe for the oldest row of each, and the
newest rows. `walk` passes by a bounded number of streams in the order of their names, so that whatever
the newest rows do not show is found all the same. `take` reads rows, with their bodies, of the senders
that were chosen. They look streams up one by one (loose index scans), and never sort what waits.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection

from dhos_connector_api.actions.envelope import Envelope
from dhos_connector_api.outbox.rows import Stream, Survey, Taken, WaitingRow

#: A body of more bytes is published alone: RabbitMQ closes the channel over one that is too large for it,
#: and then nobody is beside it.
LARGE = 500_000

WAITING = "published_at IS NULL AND dead_at IS NULL"
#: The condition of `outbox_waiting_by_key`. Without "position > 0" that index is not to be had: the rows of
#: one stream must come from `outbox_waiting`, whatever the statistics say.
BY_KEY = f"{WAITING} AND position > 0"

#: The routing keys under which something waits, each with its oldest row.
OLDEST = f"""
WITH RECURSIVE oldest AS (
    (SELECT routing_key, position, sender FROM outbox WHERE {BY_KEY} ORDER BY routing_key, position LIMIT 1)
    UNION ALL
    SELECT next.routing_key, next.position, next.sender FROM oldest, LATERAL (
        SELECT routing_key, position, sender FROM outbox
        WHERE {BY_KEY} AND routing_key > oldest.routing_key ORDER BY routing_key, position LIMIT 1) AS next
)"""  # noqa: S608  constants only

_SURVEY = f"""{OLDEST}
SELECT routing_key, sender, position, true AS is_oldest FROM oldest
UNION ALL
SELECT oldest.routing_key, newest.sender, newest.position, false FROM oldest, LATERAL (
    SELECT sender, position FROM outbox
    WHERE {BY_KEY} AND routing_key = oldest.routing_key
        AND position > greatest(oldest.position, %(seen)s::bigint)
    ORDER BY position DESC LIMIT %(rows)s::int) AS newest
WHERE oldest.routing_key <> ALL (%(held)s::text[])
"""  # noqa: S608  constants only

_WALK = f"""
WITH RECURSIVE stream AS (
    (SELECT sender, routing_key, 1 AS number FROM outbox
    WHERE {WAITING} AND (sender, routing_key) > (%(sender)s::text, %(key)s::text)
    ORDER BY sender, routing_key LIMIT 1)
    UNION ALL
    SELECT next.sender, next.routing_key, stream.number + 1 FROM stream, LATERAL (
        SELECT sender, routing_key FROM outbox
        WHERE {WAITING} AND (sender, routing_key) > (stream.sender, stream.routing_key)
        ORDER BY sender, routing_key LIMIT 1) AS next
    WHERE stream.number < %(streams)s::int
)
SELECT sender, routing_key FROM stream
"""  # noqa: S608  constants only

# The same number of rows from each sender, over all its routing keys, in its order; none from where a row
# under a key of `barriers` waits. The first rows of all senders come before the second ones; what does not
# fit into the bytes is left out from there on. Or else a large row alone, which is the next one of its
# sender. Neither octet_length() nor sorting reads a body that is stored out of line: only returning it does.
_TAKE = f"""{OLDEST}, free AS MATERIALIZED (
    SELECT routing_key FROM oldest WHERE routing_key <> ALL (%(held)s::text[] || %(barriers)s::text[])
), row AS (
    SELECT chosen.sender, chosen.place, shared.*
    FROM unnest(%(senders)s::text[]) WITH ORDINALITY AS chosen (sender, place), LATERAL (
        SELECT *, row_number() OVER (ORDER BY position) AS rank FROM (
            SELECT free.routing_key, waiting.* FROM free, LATERAL (
                SELECT id, body, correlation_id, created, position, xmin AS version FROM outbox
                WHERE {WAITING} AND sender = chosen.sender AND routing_key = free.routing_key
                ORDER BY position LIMIT %(share)s::int) AS waiting
            ORDER BY position LIMIT %(share)s::int) AS each
        WHERE each.position < coalesce((
            SELECT min(first.position) FROM unnest(%(barriers)s::text[]) AS barrier (routing_key), LATERAL (
                SELECT position FROM outbox
                WHERE {WAITING} AND sender = chosen.sender AND routing_key = barrier.routing_key
                ORDER BY position LIMIT 1) AS first), each.position + 1)) AS shared
), sized AS (
    SELECT *, octet_length(body) AS size,
        octet_length(body) > least(%(large)s::int, %(bytes)s::int) AS is_large
    FROM row
), held_up AS (
    SELECT *, bool_or(is_large) OVER (PARTITION BY place ORDER BY rank) AS is_held_up FROM sized
), counted AS (
    SELECT *, count(*) OVER () AS candidates, count(*) FILTER (WHERE NOT is_held_up) OVER () AS small,
        min(place) FILTER (WHERE is_large AND rank = 1) OVER () AS alone,
        sum(CASE WHEN is_held_up THEN 0 ELSE size END) OVER (ORDER BY rank, place) AS total
    FROM held_up
), turn AS (
    SELECT *, alone IS NOT NULL AND (%(large_first)s::bool OR small = 0) AS is_alone FROM counted
)
SELECT sender, routing_key, id, body, correlation_id, created, version::text, candidates,
    CASE WHEN is_alone THEN candidates ELSE small END
FROM turn
WHERE CASE WHEN is_alone THEN place = alone AND rank = 1 ELSE NOT is_held_up AND total <= %(bytes)s::int END
ORDER BY position
"""  # noqa: S608  constants only

_FIRST = f"""
SELECT sender, routing_key, id, body, correlation_id, created, xmin::text FROM outbox
WHERE {WAITING} AND sender = %(sender)s AND routing_key = %(key)s
ORDER BY position LIMIT 1
"""  # noqa: S608  constants only

# Of the senders of the oldest and newest rows; none that waits behind a row under a key of `barriers`.
_LEAST_TRIED = f"""
SELECT head.sender, head.attempts FROM (
    (SELECT sender FROM outbox WHERE {BY_KEY} AND routing_key = %(key)s
    ORDER BY position LIMIT %(rows)s::int)
    UNION
    (SELECT sender FROM outbox WHERE {BY_KEY} AND routing_key = %(key)s
    ORDER BY position DESC LIMIT %(rows)s::int)) AS one, LATERAL (
    SELECT sender, attempts, position FROM outbox
    WHERE {WAITING} AND sender = one.sender AND routing_key = %(key)s
    ORDER BY position LIMIT 1) AS head
WHERE NOT EXISTS (
    SELECT FROM unnest(%(barriers)s::text[]) AS barrier (routing_key), LATERAL (
        SELECT position FROM outbox
        WHERE {WAITING} AND sender = head.sender AND routing_key = barrier.routing_key
        ORDER BY position LIMIT 1) AS first
    WHERE first.position < head.position)
ORDER BY head.attempts, head.position LIMIT 1
"""  # noqa: S608  constants only
#: How many of the oldest and of the newest rows of a key are looked at for the least tried.
_LOOKED_AT = 50


def survey(connection: Connection, *, seen: int, rows: int, held: Collection[str] = ()) -> Survey:
    """Return what waits; of rows behind the position `seen` the newest `rows` under each key are new."""
    found = connection.exec_driver_sql(_SURVEY, {"seen": seen, "rows": rows, "held": list(held)}).all()
    oldest = {key: sender for key, sender, _, is_oldest in found if is_oldest}
    free = [each for each in found if each[0] not in held]
    new = sorted((each for each in free if each[2] > seen), key=lambda each: -each[2])
    return Survey(
        oldest=oldest,
        fresh=list(dict.fromkeys(each[1] for each in new)),
        newest=max((each[2] for each in free), default=seen),
        left=any(each[2] <= seen for each in free),
    )


def walk(connection: Connection, after: Stream, *, streams: int) -> list[Stream]:
    """Return the next `streams` streams that have waiting rows; fewer: there are no more behind these."""
    values = {"sender": after[0], "key": after[1], "streams": streams}
    return [(sender, key) for sender, key in connection.exec_driver_sql(_WALK, values)]


def take(
    connection: Connection,
    senders: Sequence[str],
    *,
    rows: int,
    most_bytes: int,
    large_first: bool = False,
    held: Collection[str] = (),
    barriers: Collection[str] = (),
) -> Taken:
    """Return up to `rows` waiting rows of these senders, as many of each, in the order of each.

    They have `most_bytes` at most, and none of them is large; or it is one large row alone, where there is
    nothing else, or with `large_first`. Rows under a key of `held` are left out; those under a key of
    `barriers`, and what its sender wrote after them, too.
    """
    if not senders:
        return Taken([], cut=False, more=False)
    share = max(1, rows // len(senders))
    values = {
        "senders": list(senders),
        "share": share,
        "bytes": most_bytes,
        "large": LARGE,
        "large_first": large_first,
        "held": list(held),
        "barriers": list(barriers),
    }
    found = _in_binary(connection, _TAKE, values)
    if not found:
        return Taken([], cut=False, more=False)
    *_, candidates, eligible = found[0]
    full = share in Counter(each[0] for each in found).values()
    return Taken(
        [_row(each[:-2]) for each in found], cut=eligible > len(found), more=full or candidates > len(found)
    )


def first(connection: Connection, stream: Stream) -> list[WaitingRow]:
    """Return the next row of that stream; none where none waits."""
    return [_row(each) for each in _in_binary(connection, _FIRST, {"sender": stream[0], "key": stream[1]})]


def least_tried(
    connection: Connection, routing_key: str, *, barriers: Collection[str] = ()
) -> tuple[str, int] | None:
    """Return the sender whose next row under that key was published least often, and how often.

    A sender whose next row is under a key of `barriers` is none.
    """
    values = {"key": routing_key, "rows": _LOOKED_AT, "barriers": list(barriers)}
    found = connection.exec_driver_sql(_LEAST_TRIED, values).one_or_none()
    return None if found is None else (found[0], found[1])


def _in_binary(connection: Connection, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what a statement found, in binary: as text a body would be twice as long, and be decoded."""
    wire: psycopg.Connection[tuple[Any, ...]] = connection.connection.driver_connection  # type: ignore[assignment]
    return wire.execute(statement.encode(), values, binary=True).fetchall()


def _row(columns: Sequence[Any]) -> WaitingRow:
    sender, routing_key, id_, body, correlation_id, created, version = columns
    envelope = Envelope(id_, routing_key, body, correlation_id)
    return WaitingRow((sender, routing_key), envelope, created, (id_, version))
