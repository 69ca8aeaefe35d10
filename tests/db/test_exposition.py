"""The exposition on a real PostgreSQL: the gauges of every room, and none while the database is away."""

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from dhos_connector_api.app.exposition import exposition
from dhos_connector_api.clock import new_uuid, now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.messages import store
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
