"""Journeys applied from envelopes on a test's database, and what stands in the tables then."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.inbox.apply import Reader
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.messages import store as messages
from dhos_connector_api.px.journeys import applying
from dhos_connector_api.px.journeys.evidence import Name
from dhos_connector_api.px.journeys.on_event import CONSUMER, OnEvent
from tests.builders.encounters import HOSPITAL, RULES, a_hospital, letter
from tests.builders.journey_templates import a_template

STAGES = {"CONSULT": "CONSULTATION", "LAB": "LAB_ORDER_COMPLETED", "PHARMACY": "PRESCRIBED_DRUGS"}
VISIT: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("ADT_A04", 0, {"encounter_type": "O", "location": {"epr_ward_code": "OPD1"}, "physician": {"id": "D1"}}),
    ("CONSULTATION", 20, {}),
    ("LAB_ORDER_COMPLETED", 40, {}),
)


def _processed(connection: Connection, uuids: Collection[UUID], when: datetime) -> None:
    messages.mark_all_processed(connection, uuids, by="test", at=when)


def reader(database: Database) -> Reader:
    """Return the consumer of journeys."""
    return Reader(database, CONSUMER, OnEvent(rules=lambda: RULES, processed=_processed), now)


def apply(database: Database, *letters: Letter) -> None:
    """Give these envelopes to the consumer of journeys; none may be parked."""
    reader(database).take(letters)
    with database.statements() as connection:
        parked = connection.execute(text("SELECT error FROM parked")).scalars().all()
    assert parked == []


def set_up(database: Database, **templates: dict[str, str]) -> None:
    """Store the hospital, and a default template for each type of these triggers by code."""
    with database.transaction() as connection:
        a_hospital(connection)
        for kind, stages in (templates or {"opd": STAGES, "inpatient": {"WARD": "ADT_A02"}}).items():
            a_template(connection, HOSPITAL, stages, journey_type=kind, send_post_discharge_survey=True)


def rows(database: Database, query: str) -> list[Any]:
    """Return the rows of a query."""
    with database.statements() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def journeys(database: Database) -> list[Any]:
    """Journeys and their stages, without what depends on when they were written."""
    found = rows(
        database,
        "SELECT id, encounter_id, patient_id, journey_type, is_type_assumed, status, ending, started_at,"
        " completed_at, last_at, completed_count, journey_template_id FROM journey_instance"
        " WHERE merged_into IS NULL ORDER BY id",
    )
    stages = rows(
        database,
        "SELECT journey_id, code, status, completed_at, event_uuid, is_late FROM stage_instance"
        " ORDER BY journey_id, position, code",
    )
    return [*found, *stages]


def announced(database: Database) -> list[tuple[str, str | None]]:
    """Return what was announced, in order: its name, and the code of the stage."""
    found = rows(database, "SELECT body FROM outbox WHERE routing_key = 'dhos.px_event' ORDER BY position")
    actions = [json.loads(body)["actions"][0] for (body,) in found]
    return [(each["name"], (each["data"].get("stage") or {}).get("code")) for each in actions]


def is_settled(database: Database) -> None:
    """What is in the tables is the fold of all evidence: nothing is left to do."""
    with database.statements() as connection:
        names = {
            Name(*row) for row in connection.execute(text("SELECT namespace, encounter_id FROM evidence"))
        }
        assert applying.preview(connection, names) == []


def visit(encounter: str = "V1", **fields: Any) -> list[Letter]:
    """Return the envelopes of a visit: opened, seen, and in the laboratory."""
    return [letter(code, when, encounter_id=encounter, **told, **fields) for code, when, told in VISIT]


def empty(database: Database) -> None:
    """Remove all journeys and what was told of them."""
    tables = (
        "evidence, encounter_alias, encounter_link, patient_move, stage_instance, journey_instance, inbox"
    )
    with database.transaction() as connection:
        connection.execute(text(f"TRUNCATE {tables}, outbox CASCADE"))
