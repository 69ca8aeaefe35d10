"""Counts of what is not published, for people. Nothing of what it says."""

from typing import Any

from sqlalchemy import Connection, text

_ERRORS = text("""
SELECT routing_key, last_error, dead_at IS NOT NULL AS is_dead, count(*) AS envelopes,
    min(created) AS oldest, max(attempts) AS most_attempts
FROM outbox WHERE published_at IS NULL GROUP BY 1, 2, 3 ORDER BY envelopes DESC LIMIT 200
""")


def unpublished(connection: Connection) -> list[dict[str, Any]]:
    """Return how many envelopes wait or are dead, by routing key and by why: a text of our own."""
    return [dict(row) for row in connection.execute(_ERRORS).mappings()]
