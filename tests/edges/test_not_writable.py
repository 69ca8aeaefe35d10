"""PostgreSQL is there and takes nothing: a standby, a server that only reads, a full disk, one that hangs."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import pytest
import requests
from sqlalchemy import create_engine

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.consumer import Consumer
from dhos_connector_api.db import migrate
from dhos_connector_api.db.engine import DatabaseAddress
from tests.builders.api import WRITE, internal, message_body
from tests.builders.hl7 import adt
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.processes import Web, environment, rabbitmq, relay
from tests.rigs.small_disk import fill, small_disk
from tests.rigs.waiting import eventually, throughout

TOKEN = {"Authorization": f"Bearer {internal(WRITE)}"}
pytestmark = pytest.mark.slow


def post(to: Web, body: dict[str, str] | None = None) -> int:
    answer = requests.post(
        f"{to.url}/dhos/v1/message", json=body or message_body(adt()), headers=TOKEN, timeout=20
    )
    return answer.status_code


def ready(to: Web) -> int:
    return requests.get(f"{to.url}/ready", timeout=20).status_code


@pytest.fixture
def bound(own_vhost: BrokerAddress) -> BrokerAddress:
    """A virtual host where somebody takes our envelopes."""
    Consumer(own_vhost, "taken", ["#"]).close()
    return own_vhost


@contextmanager
def served(address: DatabaseAddress, folder: Path, **more: str) -> Iterator[Web]:
    with Web(environment(address, **more), folder) as web:
        yield web


def test_on_a_standby_nothing_is_taken_and_nothing_published_until_it_is_promoted(
    own_postgres: OwnPostgres, bound: BrokerAddress, tmp_path: Path
) -> None:
    standby = own_postgres.standby(tmp_path / "standby")
    standby.start()
    try:
        with served(own_postgres.address, tmp_path) as web:
            assert [post(web) for _ in range(20)] == [200] * 20
        waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
        eventually(lambda: standby.count(waiting) == 20)
        environ = environment(standby.address, **rabbitmq(bound))
        with served(standby.address, tmp_path) as web, relay(environ, tmp_path) as relaying:
            assert (post(web), ready(web)) == (503, 503)
            throughout(lambda: relaying.popen.poll() is None and standby.count(waiting) == 20, seconds=3)
            assert b"the relay is active" not in relaying.output.read_bytes()
            own_postgres.kill()
            standby.run("SELECT pg_promote()")
            eventually(lambda: post(web) == 200, seconds=30)
            eventually(lambda: ready(web) == 200, seconds=20)
            eventually(lambda: standby.count(waiting) == 0)
    finally:
        standby.close()


def test_sessions_do_not_stay_read_only_once_the_server_writes_again(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    with served(own_postgres.address, tmp_path) as web:
        assert (post(web), ready(web)) == (200, 200)
        own_postgres.run("ALTER SYSTEM SET default_transaction_read_only = on")
        own_postgres.run("SELECT pg_reload_conf()")
        eventually(lambda: (post(web), ready(web)) == (503, 503), seconds=20)
        (own_postgres.data / "postgresql.auto.conf").write_text("")
        own_postgres.run("SELECT pg_reload_conf()")
        eventually(lambda: (post(web), ready(web)) == (200, 200), seconds=20)


def test_a_server_that_stands_still_is_waited_for_no_longer_than_that(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    with served(own_postgres.address, tmp_path) as web:
        assert (post(web), ready(web)) == (200, 200)
        frozen = own_postgres.freeze()
        assert (post(web), ready(web)) == (503, 503)
        frozen.thaw()
        eventually(lambda: (post(web), ready(web)) == (200, 200), seconds=30)


def test_a_commit_that_waits_for_a_standby_that_has_gone_is_in_doubt_and_the_repeat_is_known(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    with served(own_postgres.address, tmp_path) as web:
        assert post(web) == 200
        own_postgres.run("ALTER SYSTEM SET synchronous_standby_names = 'gone'")
        own_postgres.run("SELECT pg_reload_conf()")
        body = message_body(adt())
        assert post(web, body) == 503
        (own_postgres.data / "postgresql.auto.conf").write_text("")
        own_postgres.run("SELECT pg_reload_conf()")
        eventually(lambda: post(web, body) == 200)
        assert own_postgres.count("SELECT count(*) FROM message") == 2
        assert own_postgres.count("SELECT count(*) FROM outbox") == 2


def test_a_role_that_does_not_wait_for_the_disk_loses_nothing_that_was_acknowledged(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    own_postgres.run(f'ALTER ROLE "{own_postgres.address.user}" SET synchronous_commit = off')
    with served(own_postgres.address, tmp_path) as web:
        acknowledged = sum(post(web) == 200 for _ in range(300))
        own_postgres.kill()
    own_postgres.start()
    assert acknowledged == 300
    assert own_postgres.count("SELECT count(*) FROM message") == 300


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_production_does_not_start_on_a_server_that_loses_what_was_committed(
    tmp_path: Path, setting: str
) -> None:
    server = OwnPostgres(tmp_path / "own", f"--{setting}=off")
    server.start()
    try:
        more = {"ENVIRONMENT": "PRODUCTION", "RABBITMQ_PASSWORD": "x" * 20, "SERVER_PORT": "1"}
        for command in ("web", "relay", "deliver"):
            arguments = [sys.executable, "-m", "dhos_connector_api", command]
            environ = environment(server.address, **more)
            done = subprocess.run(arguments, env=environ, capture_output=True, text=True, check=False)
            assert done.returncode > 0
            assert f"{setting}=off" in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1
    finally:
        server.close()


def test_a_full_disk_is_503_and_over_when_there_is_room_again(bound: BrokerAddress, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "300m") as disk:
        _fill_and_make_room(disk, bound, tmp_path)


def _fill_and_make_room(disk: Path, bound: BrokerAddress, tmp_path: Path) -> None:
    little = ("--max_wal_size=64MB", "--min_wal_size=32MB", "--wal_recycle=off")
    server = OwnPostgres(disk / "own", *little)
    server.start()
    engine = create_engine(server.address.url())
    migrate.upgrade(engine)
    engine.dispose()
    environ = environment(server.address, **rabbitmq(bound))
    try:
        with served(server.address, tmp_path) as web, relay(environ, tmp_path) as relaying:
            taken = 0
            while post(web) == 200 and taken < 10:
                taken += 1
            ballast = fill(disk)
            large = [message_body(adt(more=[f"NTE|1||{token_hex(100_000)}"])) for _ in range(400)]
            answers = [post(web, body) for body in large]
            assert set(answers) <= {200, 503}
            assert 503 in answers
            assert relaying.popen.poll() is None
            ballast.unlink()
            server.start()  # where its log was full, it has ended itself
            eventually(lambda: post(web) == 200, seconds=30)
            taken += answers.count(200) + 1
            assert server.count("SELECT count(*) FROM message WHERE state = 'accepted'") >= taken
            eventually(lambda: server.count("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0)
    finally:
        server.close()
