"""Counts of integration events for people, by status. Nothing of what they say."""

from typing import Any

from sqlalchemy import Connection, text

from dhos_connector_api.events.views import JOINS, STATUS

_BY_STATUS = text(f"""
SELECT {STATUS} AS status, count(*) AS events, min(e.received_at) AS oldest, max(e.received_at) AS newest
FROM integration_event e {JOINS} GROUP BY 1 ORDER BY 1
""")  # noqa: S608  constants only
_KEYS = text(
    "SELECT count(*) AS keys, count(*) FILTER (WHERE answer IS NULL) AS running, min(claimed_at) AS oldest"
    " FROM idempotency_key"
)


def by_status(connection: Connection) -> dict[str, Any]:
    """Return how many events there are of each status, and how many Idempotency-Keys."""
    return {
        "events": [dict(row) for row in connection.execute(_BY_STATUS).mappings()],
        "idempotency_keys": dict(connection.execute(_KEYS).mappings().one()),
    }
