"""A backlog makes queueing and claiming no dearer, also while PostgreSQL's statistics are from before it."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries import store
from dhos_connector_api.deliveries.destinations import locked_health
from dhos_connector_api.deliveries.store import NewDelivery
from dhos_connector_api.site.model import DeliveryPolicy
from tests.builders.delivery import Clock, queue

_WAITING = 3000
#: Rows of `delivery` that one order may read: far more than it needs, far fewer than wait.
_MOST_READ = 300

_FILL = text("""
INSERT INTO delivery (uuid, message_uuid, destination, series, state, created, due_at, correlation_id)
SELECT gen_random_uuid(), gen_random_uuid(), 'epr', gen_random_uuid()::text, :state, at, at, 'backlog'
FROM (SELECT CAST(:at AS timestamptz) + number * interval '1 second' AS at
    FROM generate_series(1, :count) AS number) AS made
""")


@pytest.fixture(params=["before the first message waited", "when one message waited"])
def backlog(database: Database, request: pytest.FixtureRequest) -> Iterator[Clock]:
    """An hour into an outage, with statistics from its beginning: PostgreSQL goes by them."""
    at = Clock()
    if request.param == "when one message waited":
        queue(database, at=at.now(), series="the first")
    with database.statements() as connection:
        connection.execute(text("ALTER TABLE delivery SET (autovacuum_enabled = false)"))
        connection.execute(_FILL, {"state": "delivered", "count": _WAITING, "at": at.now()})
        connection.execute(text("VACUUM ANALYZE delivery"))
        connection.execute(_FILL, {"state": "waiting", "count": _WAITING, "at": at.now()})
    queue(database, at=at.now(), series="the next")
    at.pass_(3600)
    yield at
    with database.statements() as connection:
        connection.execute(text("ALTER TABLE delivery RESET (autovacuum_enabled)"))


def _rows_read(connection: Connection) -> int:
    """Rows of `delivery` that this connection has read lately, by any way."""
    read: int = connection.execute(
        text(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
            " WHERE relname = 'delivery'"
        )
    ).scalar_one()
    return read


def test_queueing_reads_few_of_what_waits(database: Database, backlog: Clock) -> None:
    delivery = NewDelivery(uuid4(), uuid4(), "epr", "one more", backlog.now(), "request")
    with database.transaction() as connection:
        before = _rows_read(connection)
        store.add(connection, delivery)
        assert _rows_read(connection) - before < _MOST_READ


def test_claiming_reads_few_of_what_waits(database: Database, backlog: Clock) -> None:
    now = backlog.now()
    with database.transaction() as connection:
        before = _rows_read(connection)
        health, lease = locked_health(connection, "epr"), clock.new_uuid(now)
        claims = store.claim(connection, "epr", DeliveryPolicy(), health=health, free=4, now=now, lease=lease)
        assert _rows_read(connection) - before < _MOST_READ
    assert claims
