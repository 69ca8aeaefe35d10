"""What the HIS door does, without HTTP, and what can be seen of it in the database."""

import json
from typing import Any

from sqlalchemy import text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY
from dhos_connector_api.db.engine import Database
from dhos_connector_api.intake.arrival import Intake, Receipt
from dhos_connector_api.intake.his_patients import Result
from dhos_connector_api.intake.take import take
from dhos_connector_api.messages.kinds import Kind
from tests.builders.his import INTAKE, raw_of
from tests.builders.intake import an_arrival


def send(database: Database, value: dict[str, Any], intake: Intake = INTAKE) -> Receipt:
    """What the door does with a payload."""
    return take(an_arrival(raw_of(value), Kind.HIS, caller="his"), intake, database)


def result(receipt: Receipt) -> Result:
    (only,) = receipt.answer
    assert isinstance(only, Result)
    return only


def is_refused(receipt: Receipt) -> bool:
    """Whether no patient was taken."""
    assert (receipt.error is not None) is not any(isinstance(each, Result) for each in receipt.answer)
    return receipt.error is not None


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
