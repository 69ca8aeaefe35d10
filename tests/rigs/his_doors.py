"""What the HIS door does, without HTTP, and what can be seen of it in the database."""

import json
from typing import Any

from sqlalchemy import text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY
from dhos_connector_api.db.engine import Database
from dhos_connector_api.intake.judge_his import judge
from dhos_connector_api.intake.receive_his import Receipt, Result, keep, repeated
from dhos_connector_api.intake.receive_hl7 import Intake
from tests.builders.his import INTAKE, raw_of, shape_of


def send(database: Database, value: dict[str, Any], intake: Intake = INTAKE) -> Receipt:
    """What the door does with a payload that fits the specification."""
    received = judge(raw_of(value), shape_of(value), intake, created_by="his", correlation_id="request-1")
    with database.transaction() as connection:
        receipt = keep(connection, received)
    if receipt is None:
        with database.statements() as connection:
            receipt = repeated(connection, received)
    return receipt


def result(receipt: Receipt) -> Result:
    (only,) = receipt.results
    assert isinstance(only, Result)
    return only


def published(database: Database) -> list[Any]:
    with database.statements() as connection:
        rows = connection.execute(text("SELECT body, routing_key FROM outbox ORDER BY position")).all()
    assert {key for _, key in rows} <= {EVENT_ROUTING_KEY}
    return [json.loads(bytes(body)) for body, _ in rows]


def codes(database: Database) -> list[str]:
    return [each["actions"][-1]["data"]["event_code"] for each in published(database)]


def rows(database: Database, query: str) -> list[Any]:
    with database.statements() as connection:
        return list(connection.execute(text(query)).all())
