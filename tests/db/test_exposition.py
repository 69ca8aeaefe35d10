"""The exposition on a real PostgreSQL: the gauges of every room, and none while the database is away."""

from contextlib import nullcontext
from datetime import datetime, timedelta

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection

from dhos_connector_api.app.exposition import exposition
from dhos_connector_api.clock import new_uuid, now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.messages import store
from dhos_connector_api.workers.exposition import KnownGauges
from tests.builders.api import NO_DATABASE
from tests.builders.outbox import put
from tests.builders.rows import WINDOW, effects, new_message, settings


def _shown(database: Database, **environ: str) -> dict[str, list[float]]:
    """The samples of each metric whose value the database knows."""
    text = exposition(settings(**environ), database).text().decode()
    return {
        family.name: [sample.value for sample in family.samples]
        for family in text_string_to_metric_families(text)
        if family.name.startswith(("connector_outbox", "connector_deliveries", "connector_messages_unp"))
    }


def test_the_gauges_of_every_room_are_shown(database: Database) -> None:
    at = now() - timedelta(minutes=10)
    message = new_message(at=at, uuid=new_uuid(at))
    with database.transaction() as connection:
        put(connection, 3)
        store.insert(connection, message, effects(message, envelopes=[]), window=WINDOW)
    shown = _shown(database)
    assert shown["connector_outbox_waiting"] == [3]
    assert shown["connector_outbox_dead"] == [0]
    assert shown["connector_deliveries_waiting"] == []
    assert shown["connector_messages_unprocessed_late"] == [0]
    assert _shown(database, UNPROCESSED_AFTER="9m")["connector_messages_unprocessed_late"] == [1]


def test_no_gauge_is_shown_while_the_database_is_away() -> None:
    assert _shown(NO_DATABASE) == {}


def test_a_database_that_does_not_answer_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[datetime] = []

    def gauges(_connection: Connection, now: datetime) -> list[Metric]:
        asked.append(now)
        raise StorageUnavailable("it did not answer in time")

    monkeypatch.setattr(NO_DATABASE, "statements", nullcontext)
    known = KnownGauges(NO_DATABASE, [gauges], None)
    assert [known.text() for _ in range(5)] == [b""] * 5
    assert len(asked) == 1
