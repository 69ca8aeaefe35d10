"""Behind a real PgBouncer in transaction mode: what works there, and what says that it needs a session."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine, text

from dhos_connector_api.causes import Cause
from dhos_connector_api.db.engine import Database, engine_options
from dhos_connector_api.db.pooler import TransactionTimeouts
from dhos_connector_api.errors import StorageBusy, StorageUnavailable
from dhos_connector_api.workers.lease import RELAY_LOCK
from tests.builders.api import WRITE, internal, message_body
from tests.builders.his import WRITE_HIS
from tests.builders.hl7 import adt
from tests.rigs.command_line import start
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.pgbouncer import PgBouncer
from tests.rigs.processes import Web, environment, relay
from tests.rigs.waiting import eventually, throughout

TOKEN = {"Authorization": f"Bearer {internal(WRITE, WRITE_HIS)}"}
EVENT = {"source_system": "his", "event_code": "OPD", "patient_identifier": "M1"}
_LEASES = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    f" AND classid = {RELAY_LOCK >> 32} AND objid = {RELAY_LOCK & 0xFFFFFFFF}"
)


@pytest.fixture
def pooler(own_postgres: OwnPostgres) -> Iterator[PgBouncer]:
    with closing(PgBouncer(own_postgres.address)) as made:
        yield made


def pooled_database(pooler: PgBouncer, statement_timeout: float) -> Database:
    options = engine_options(pool_size=4, statement_timeout=statement_timeout, pooled=True)
    engine = create_engine(pooler.address.url(), **options)
    timeouts = TransactionTimeouts(statement_timeout, 0)
    return Database(engine, statement_timeout=statement_timeout, of_pooler=timeouts)


def test_more_clients_than_sessions_are_all_served(
    own_postgres: OwnPostgres, pooler: PgBouncer, tmp_path: Path
) -> None:
    with Web(environment(pooler.address, DATABASE_POOLED="true", WEB_THREADS="8"), tmp_path) as web:

        def post(number: int) -> int:
            path, body = "/dhos/v1/message", message_body(adt())
            if number % 4 == 0:
                path, body = "/api/integrations/events/", EVENT | {"encounter_id": f"V{number}"}
            return requests.post(f"{web.url}{path}", json=body, headers=TOKEN, timeout=30).status_code

        with ThreadPoolExecutor(24) as many:
            answers = list(many.map(post, range(400)))
        assert Counter(answers) == {200: 300, 201: 100}
        assert requests.get(f"{web.url}/ready", timeout=20).ok
    assert own_postgres.count("SELECT count(*) FROM message") == 400
    assert own_postgres.count("SELECT count(*) FROM pg_prepared_statements") == 0


def test_a_transaction_has_its_deadline_and_leaves_nothing_behind(pooler: PgBouncer) -> None:
    database = pooled_database(pooler, 0.3)
    with pytest.raises(StorageBusy), database.transaction() as connection:
        connection.execute(text("SELECT pg_sleep(20)"))
    with pytest.raises(StorageBusy), database.pipeline() as wire:
        wire.execute("SELECT pg_sleep(20)")
    with database.statements() as connection:
        for _ in range(10):
            assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "0"
            assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"
    database.engine.dispose()


def test_commits_that_do_not_wait_for_the_disk_are_not_trusted(
    own_postgres: OwnPostgres, pooler: PgBouncer
) -> None:
    own_postgres.run(f'ALTER ROLE "{own_postgres.address.user}" SET synchronous_commit = off')
    with closing(PgBouncer(own_postgres.address)) as another:
        database = pooled_database(another, 5)
        with pytest.raises(StorageUnavailable) as caught, database.statements():
            pass
        assert caught.value.fault is not None
        assert caught.value.fault.cause is Cause.NOT_DURABLE
        database.engine.dispose()


@pytest.mark.parametrize(("command", "who"), [("relay", "the relay"), ("migrate", "migrate")])
def test_what_needs_a_session_says_so(pooler: PgBouncer, command: str, who: str) -> None:
    done = start(environment(pooler.address, DATABASE_POOLED="true"), command)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line == (
        f"Error: DATABASE_POOLED: {who} holds a lock for as long as its session lives;"
        " lead it to PostgreSQL itself, without the pooler"
    )


def causes(output: Path) -> set[str]:
    """What the log tells of the database."""
    lines = [json.loads(each) for each in output.read_text().splitlines() if each.startswith("{")]
    return {each["cause"] for each in lines if each["message"] == "PostgreSQL cannot be used"}


@pytest.mark.parametrize("ignored", ["extra_float_digits", "extra_float_digits, options"])
def test_a_relay_that_is_led_to_a_pooler_takes_no_lease_and_says_why(
    own_postgres: OwnPostgres, tmp_path: Path, ignored: str
) -> None:
    with (
        closing(PgBouncer(own_postgres.address, ignored=ignored)) as pooler,
        relay(environment(pooler.address), tmp_path) as process,
    ):
        eventually(lambda: causes(process.output) == {"no session"}, seconds=30)
        throughout(lambda: own_postgres.count(_LEASES) == 0, seconds=2)
        assert "the relay is active" not in process.output.read_text()
        assert process.stop() == 0


def test_a_web_process_that_does_not_know_of_the_pooler_says_why(pooler: PgBouncer, tmp_path: Path) -> None:
    with Web(environment(pooler.address), tmp_path) as web:
        answer = requests.get(f"{web.url}/ready?verbose=true", timeout=20)
        assert (answer.status_code, answer.json()["parts"]["database"]) == (503, "no session")
