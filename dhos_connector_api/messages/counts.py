"""Counts of messages for people: by what became of them, and since when. Nothing of what they say."""

from typing import Any

from sqlalchemy import Connection, text

_BY_OUTCOME = text("""
SELECT kind, state, CASE WHEN ack_status ~ '^[AC][AER]$' THEN ack_status END AS ack_status,
    CASE WHEN error_code ~ '^[0-9]{1,4}$' THEN error_code END AS error_code,
    is_processed, count(*) AS messages, min(created) AS oldest, max(created) AS newest
FROM message GROUP BY 1, 2, 3, 4, 5 ORDER BY messages DESC LIMIT 200
""")


def by_outcome(connection: Connection) -> list[dict[str, Any]]:
    """Return how many messages there are of each kind, state, ACK and error code (HL7 table 0357)."""
    return [dict(row) for row in connection.execute(_BY_OUTCOME).mappings()]
