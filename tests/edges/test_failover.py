"""PostgreSQL's primary is killed under load, and its hot standby promoted: two real servers, both named."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from dhos_connector_api.broker.address import BrokerAddress
from tests.builders.api import WRITE, internal, message_body
from tests.builders.hl7 import adt
from tests.rigs.command_line import run
from tests.rigs.ledger import Platform, Sender
from tests.rigs.load import Load
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.processes import Web, environment, rabbitmq, relay
from tests.rigs.waiting import eventually

pytestmark = pytest.mark.slow
_OTHER_HOST = "127.0.0.2"


@contextmanager
def _standby(primary: OwnPostgres, folder: Path) -> Iterator[OwnPostgres]:
    standby = primary.standby(folder / "standby", host=_OTHER_HOST)
    standby.start()
    eventually(lambda: primary.count("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"))
    try:
        yield standby
    finally:
        standby.close()


def _environment(primary: OwnPostgres, broker: BrokerAddress) -> dict[str, str]:
    """Both hosts, as an operator names them."""
    both = replace(primary.address, host=f"{primary.address.host},{_OTHER_HOST}")
    return environment(both, **rabbitmq(broker))


def test_a_failover_under_load_loses_nothing_where_commits_wait_for_the_standby(
    own_postgres: OwnPostgres, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    platform, feeds = Platform(own_vhost), [Sender(f"FEED{number}") for number in range(4)]
    environ = _environment(own_postgres, own_vhost)
    with _standby(own_postgres, tmp_path) as standby, Web(environ, tmp_path) as web, relay(environ, tmp_path):
        own_postgres.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
        own_postgres.run("SELECT pg_reload_conf()")
        with Load(web.url, feeds) as load:
            load.more(80)
            own_postgres.kill()
            standby.run("SELECT pg_promote()")
            load.more(80)
        platform.agree(*feeds, seconds=60)
        assert web.process.popen.poll() is None


def test_what_went_with_a_standby_that_lagged_is_listed_and_taken_as_new_when_it_is_sent_again(
    own_postgres: OwnPostgres, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    environ = _environment(own_postgres, own_vhost)
    with _standby(own_postgres, tmp_path) as standby, Web(environ, tmp_path) as web:
        kept = [_post(web, adt()) for _ in range(3)]
        eventually(lambda: standby.count("SELECT count(*) FROM message") == len(kept))
        standby.kill()
        messages = [adt() for _ in range(20)]
        gone = [_post(web, each) for each in messages]
        own_postgres.kill()
        standby.start()
        standby.run("SELECT pg_promote()")
        eventually(lambda: requests.get(f"{web.url}/ready", timeout=20).ok, seconds=60)

        status, said = _doctor(environ, web.process.output)
        assert status == 1
        assert [line.split()[1] for line in said if line.startswith("GONE")] == gone
        assert any(line.startswith("20 were acknowledged") for line in said)

        again = [_post(web, each) for each in messages]
        assert not {*again} & {*gone, *kept}
        assert standby.count("SELECT count(*) FROM message WHERE state = 'accepted'") == 23
        assert standby.count("SELECT count(*) FROM outbox") == 23
        repeated = [_post(web, each) for each in messages]
        assert repeated == again, "and known from then on"


def _post(web: Web, raw: bytes) -> str:
    """Post a message until it is taken; its uuid."""
    headers = {"Authorization": f"Bearer {internal(WRITE)}"}

    def taken() -> str:
        answer = requests.post(
            f"{web.url}/dhos/v1/message", json=message_body(raw), headers=headers, timeout=20
        )
        answer.raise_for_status()
        return str(answer.json()["uuid"])

    return eventually(taken)


def _doctor(environ: dict[str, str], log: Path) -> tuple[int, list[str]]:
    done = run(environ, "doctor", "--log", str(log))
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()
