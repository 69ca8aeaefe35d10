"""API keys are looked up while every thread of a web process waits for PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, event, text

from dhos_connector_api.app.web import create_app
from dhos_connector_api.auth import api_keys
from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.builders.api import ask, internal
from tests.builders.rows import settings
from tests.rigs.waiting import eventually

PATH = "/api/integrations/events/"
EVENT = {"source_system": "his", "event_code": "OPD", "encounter_id": "V1"}
UNKNOWN = api_keys.make(bytes(api_keys.KEY_BYTES)).text
_BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


@pytest.fixture
def _pools_closed() -> Iterator[None]:
    """Close the pools that the test's application has opened; nobody else does while the process lives."""
    opened: set[Engine] = set()

    def remember(connection: Connection) -> None:
        opened.add(connection.engine)

    event.listen(Engine, "engine_connect", remember)
    yield
    event.remove(Engine, "engine_connect", remember)
    for engine in opened:
        engine.dispose()


@pytest.mark.usefixtures("_pools_closed")
def test_a_key_is_known_while_all_threads_wait(address: DatabaseAddress, database: Database) -> None:
    app = create_app(settings(WEB_THREADS="2", **address.environment()))

    def post() -> int:
        return ask(app, "POST", PATH, token=internal("write:his"), json=EVENT).status_code

    def blocked() -> bool:
        with database.statements() as connection:
            return int(connection.execute(text(_BLOCKED)).scalar_one()) == 2

    with ThreadPoolExecutor(2) as pool:
        with database.transaction() as connection:
            connection.execute(text("LOCK TABLE event_mapping IN ACCESS EXCLUSIVE MODE"))
            waiting = [pool.submit(post) for _ in range(2)]
            eventually(blocked)
            unknown = ask(app, "POST", PATH, headers={"X-API-Key": UNKNOWN}, json=EVENT)
        assert {each.result() for each in waiting} <= {201, 503}
    assert unknown.status_code == 401
