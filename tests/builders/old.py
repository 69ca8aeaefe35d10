"""Builders of what is old: messages, deliveries and events that were kept a while ago, and are done with."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.messages import store
from dhos_connector_api.messages.store import NewMessage
from tests.builders.rows import WINDOW, effects, new_message

#: When retention looks, and when everything that is old was kept.
NOW = datetime(2031, 12, 9, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=300)


def old_message(database: Database, *, processed: bool = True, **changes: Any) -> NewMessage:
    """An HL7 message of long ago whose envelopes were published and pruned, applied by the platform."""
    message = new_message(**({"at": LONG_AGO} | changes))
    with database.transaction() as connection:
        assert store.insert(connection, message, effects(message, envelopes=()), window=WINDOW)
        if processed:
            store.mark_processed(connection, message.uuid, by="test", at=message.at)
    return message


def run(database: Database, statement: str, **values: Any) -> None:
    """Execute a statement that makes rows as they were long ago."""
    with database.transaction() as connection:
        connection.execute(text(statement), values)


def uuids(database: Database, table: str = "message", column: str = "uuid") -> set[UUID]:
    """What is left in a table."""
    with database.statements() as connection:
        return set(connection.execute(text(f"SELECT {column} FROM {table}")).scalars())
