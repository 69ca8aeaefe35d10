"""What is in the database: messages, envelopes, rows of any table."""

import json
from typing import Any
from uuid import UUID

from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.messages import store


def stored(database: Database, uuid: UUID) -> Any:
    """Return the message of that uuid; None where there is none."""
    with database.statements() as connection:
        return store.get(connection, uuid)


def published(database: Database) -> list[Any]:
    """Return the bodies of all envelopes, in their order."""
    with database.statements() as connection:
        bodies = connection.execute(text("SELECT body FROM outbox ORDER BY position")).scalars().all()
    return [json.loads(bytes(body)) for body in bodies]


def count(database: Database, table: str = "message") -> int:
    """Return the number of rows of a table."""
    with database.statements() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
