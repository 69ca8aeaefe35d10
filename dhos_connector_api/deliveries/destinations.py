"""How each destination is doing, as all processes see it. Nothing here commits.

A destination's row is always locked before any row of `delivery`: nobody waits in a circle.
"""

from datetime import datetime

from sqlalchemy import Connection, text

from dhos_connector_api.deliveries.rules.schedule import Health


def locked_health(connection: Connection, destination: str) -> Health:
    """Return how the destination is doing; its row is locked until the transaction ends."""
    look = text(
        "SELECT failures, failing_since, held_until FROM delivery_destination WHERE name = :name FOR UPDATE"
    )
    found = connection.execute(look, {"name": destination}).one_or_none()
    if found is None:
        connection.execute(
            text("INSERT INTO delivery_destination (name) VALUES (:name) ON CONFLICT DO NOTHING"),
            {"name": destination},
        )
        found = connection.execute(look, {"name": destination}).one()
    return Health(*found)


def note_failure(
    connection: Connection, destination: str, *, now: datetime, retry_after: float | None
) -> None:
    """Count a failure on the destination. Comes first in a transaction."""
    health = locked_health(connection, destination).after_failure(now, retry_after)
    connection.execute(
        text(
            "UPDATE delivery_destination SET failures = :failures, failing_since = :since,"
            " held_until = :until WHERE name = :name"
        ),
        {
            "name": destination,
            "failures": health.failures,
            "since": health.failing_since,
            "until": health.held_until,
        },
    )


def note_answer(connection: Connection, destination: str) -> None:
    """Note that the destination answers. Comes first in a transaction.

    A pause it has asked for stays: what answers now may have been sent before.
    """
    connection.execute(
        text(
            "UPDATE delivery_destination SET failures = 0, failing_since = NULL"
            " WHERE name = :name AND failures > 0"
        ),
        {"name": destination},
    )


def release(connection: Connection, destination: str | None) -> None:
    """End the pause of the destination (None: of every one). Comes first in a transaction.

    Nothing is claimed for it until the transaction ends: a newer delivery cannot overtake unseen.
    """
    connection.execute(
        text(
            "WITH locked AS (SELECT name FROM delivery_destination"
            " WHERE CAST(:name AS text) IS NULL OR name = :name ORDER BY name FOR UPDATE)"
            " UPDATE delivery_destination SET held_until = NULL FROM locked"
            " WHERE delivery_destination.name = locked.name"
        ),
        {"name": destination},
    )
