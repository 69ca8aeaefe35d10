"""The promise over MLLP: what was acknowledged is published, in order, once; whatever is killed meanwhile."""

import os
import signal
from itertools import product
from pathlib import Path

import psutil
import pytest

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import DatabaseAddress
from tests.rigs.ledger import Platform
from tests.rigs.load import Load
from tests.rigs.mllp_ledger import Engine, Mllp
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.processes import Process, environment, rabbitmq, relay

pytestmark = pytest.mark.slow
_MESSAGES, _ENGINES = 5000, 20
_POINTS = ("group read, not stored", "group committed, nobody told", "committed, not answered")


def _environ(database: DatabaseAddress, broker: BrokerAddress, **more: str) -> dict[str, str]:
    return environment(database, **rabbitmq(broker), LOG_LEVEL="WARN", **more)


def _kill_a_listener(supervisor: int) -> None:
    """Kill -9 one of the MLLP processes; its supervisor starts another."""
    for child in psutil.Process(supervisor).children():
        if "mllp-process" in child.cmdline():
            os.kill(child.pid, signal.SIGKILL)
            return
    raise AssertionError("no MLLP process runs")


@pytest.mark.parametrize("policy", ["replay", "reject"])
def test_listener_relay_and_database_killed_while_five_thousand_messages_stream(
    own_postgres: OwnPostgres, shared_rabbitmq: BrokerAddress, tmp_path: Path, policy: str
) -> None:
    environ = _environ(own_postgres.address, shared_rabbitmq, HL7_DUPLICATE_POLICY=policy)
    platform = Platform(shared_rabbitmq)
    engines = [Engine(f"FEED{number}", policy=policy) for number in range(_ENGINES)]
    with Mllp(environ, tmp_path) as mllp:
        with Load(mllp.port, engines, each=_MESSAGES // _ENGINES) as load:
            for turn in range(1, 6):
                with relay(environ, tmp_path):
                    load.wait_for(turn * 700)
                    _kill_a_listener(mllp.process.popen.pid)
                load.wait_for(turn * 700 + 50)  # the relay was killed by the end of its block
                if turn % 2:
                    own_postgres.kill()
                    own_postgres.start()
        with relay(environ, tmp_path):
            for engine in engines:
                engine.look_up(own_postgres.address)
            assert sum(len(engine.acknowledged) for engine in engines) == _MESSAGES
            platform.agree(*engines, seconds=90)
        assert mllp.process.stop() == 0
    assert sum(engine.resent for engine in engines) > 0, "nothing was harmed"


@pytest.mark.parametrize(("point", "policy"), list(product(_POINTS, ("replay", "reject"))))
def test_a_listener_killed_at_its_worst_moment(
    own_database: DatabaseAddress, shared_rabbitmq: BrokerAddress, tmp_path: Path, point: str, policy: str
) -> None:
    environ = _environ(own_database, shared_rabbitmq, HL7_DUPLICATE_POLICY=policy)
    platform = Platform(shared_rabbitmq)
    engines = [Engine(f"FEED{number}", policy=policy) for number in range(8)]
    with Mllp(environ, tmp_path, ("tests.rigs.kill_points", point, "5", "mllp-process")) as deadly:
        listeners = environ | {"MLLP_LISTENERS": str(tmp_path / f"listeners-{deadly.port}.toml")}
        with Load(deadly.port, engines, each=25):
            assert deadly.process.popen.wait(60) == -9
            another = Process(["dhos_connector_api", "mllp-process"], listeners, tmp_path / "another.log")
        with another, relay(environ, tmp_path):
            for engine in engines:
                engine.look_up(own_database)
            platform.agree(*engines)
            assert another.stop() == 0
    assert len(platform.ids) == 200
