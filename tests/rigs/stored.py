"""What can be seen in the database of messages that were taken."""

import json
from typing import Any
from uuid import UUID

from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.intake.arrival import Receipt
from dhos_connector_api.messages import store


def uuid_of(receipt: Receipt) -> UUID:
    """The message an arrival is kept as."""
    assert receipt.uuid is not None
    return receipt.uuid


def stored(database: Database, uuid: UUID | None) -> Any:
    """The message of that uuid, as the API shows it."""
    assert uuid is not None
    with database.statements() as connection:
        return store.get(connection, uuid)


def published(database: Database) -> list[Any]:
    """The bodies of all envelopes, in the order in which they are published."""
    with database.statements() as connection:
        bodies = connection.execute(text("SELECT body FROM outbox ORDER BY position")).scalars().all()
    return [json.loads(bytes(body)) for body in bodies]


def count(database: Database, table: str = "message") -> int:
    """How many rows a table has."""
    with database.statements() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
