"""Counts of deliveries for people. Nothing of what they say, nor of what a destination said."""

from typing import Any

from sqlalchemy import Connection, text

_BY_STATE = text("""
SELECT destination, state, count(*) AS deliveries, min(created) AS oldest, max(settled_at) AS last_settled,
    max(attempts) AS most_attempts, min(leased_until) AS first_lease_ends
FROM delivery GROUP BY destination, state ORDER BY destination, state LIMIT 200
""")
_ATTEMPTS = text("""
SELECT outcome, http_status, CASE WHEN ack_code ~ '^[AC][AER]$' THEN ack_code END AS ack_code,
    count(*) AS attempts, max(started_at) AS last
FROM delivery_attempt WHERE started_at > now() - interval '7 days'
GROUP BY 1, 2, 3 ORDER BY attempts DESC LIMIT 200
""")


def by_state(connection: Connection) -> dict[str, Any]:
    """Return how many deliveries each destination has in each state, and how attempts of a week ended."""
    return {
        "deliveries": [dict(row) for row in connection.execute(_BY_STATE).mappings()],
        "attempts_of_a_week": [dict(row) for row in connection.execute(_ATTEMPTS).mappings()],
    }
