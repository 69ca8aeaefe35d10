"""Journeys are what was told of them, whatever order it came in and whatever was killed meanwhile.

CONNECTOR_ENCOUNTERS says how many encounters the slow test tells of.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import create_engine

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options
from tests.builders.his import HIS_SECRET
from tests.rigs.journey_ledger import Hearing, agree, is_settled
from tests.rigs.journey_traffic import SITE, Traffic, a_hospital_of_journeys, tellers, traffic
from tests.rigs.load import Load
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.processes import Web, environment, rabbitmq
from tests.rigs.rabbitmq import OwnRabbitMQ
from tests.rigs.waiting import eventually

pytestmark = pytest.mark.slow
ENCOUNTERS = int(os.environ.get("CONNECTOR_ENCOUNTERS", "2000"))
SENDERS = 4
Kill = Callable[[], None]


@dataclass(frozen=True)
class House:
    """A Connector as `all` runs it, and everything that is told to it."""

    database: Database
    web: Web
    hearing: Hearing
    random: Random
    traffic: Traffic

    def tell(self, kills: Sequence[Kill]) -> None:
        """Send everything, and kill something each time that as much of it is taken."""
        senders, each = tellers(self.random, self.traffic, SENDERS)
        with Load(self.web.url, senders, each=each) as load:
            for number, kill in enumerate(kills, 1):
                load.wait_for(number * each * SENDERS // (len(kills) + 1))
                kill()

    def kill(self, command: str) -> None:
        """Kill -9 a process of that command, once one runs."""

        def killed() -> bool:
            self.web.kill_a_child(command)
            return True

        eventually(killed)

    def agrees(self, *, seconds: float) -> None:
        """Wait until all is published and applied, end, and hold that it is what was told."""
        eventually(lambda: is_settled(self.database), seconds=seconds)
        assert self.web.process.stop() == 0
        agree(self.database, self.traffic.encounters, self.hearing.heard())


@contextmanager
def _house(
    address: DatabaseAddress, broker: BrokerAddress, folder: Path, *, encounters: int, webs: int
) -> Iterator[House]:
    site, random = folder / "site.toml", Random(encounters)
    site.write_text(SITE)
    more = {"SITE_CONFIG": str(site), "HIS_WEBHOOK_SECRET": HIS_SECRET}
    environ = environment(address, **rabbitmq(broker), **more, CONSUME_PROCESSES="2", WEB_PROCESSES=str(webs))
    database = Database(create_engine(address.url(), **engine_options(pool_size=2, statement_timeout=120)))
    try:
        hearing = Hearing(broker)
        told = traffic(random, encounters, a_hospital_of_journeys(database))
        assert len(told.encounters) == encounters
        with Web(environ, folder, ("dhos_connector_api", "all")) as web:
            yield House(database, web, hearing, random, told)
    finally:
        database.engine.dispose()


def test_journeys_are_what_was_told_although_a_consumer_was_killed(
    own_database: DatabaseAddress, shared_rabbitmq: BrokerAddress, tmp_path: Path
) -> None:
    with _house(own_database, shared_rabbitmq, tmp_path, encounters=40, webs=1) as house:
        house.tell([partial(house.kill, "consume")])
        house.agrees(seconds=60)


def test_thousands_of_journeys_are_what_was_told_although_everything_was_killed_in_turn(
    own_postgres: OwnPostgres, own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    with _house(own_postgres.address, own_vhost, tmp_path, encounters=ENCOUNTERS, webs=2) as house:
        kills = [partial(house.kill, each) for each in ["consume"] * 7 + ["web"] * 5 + ["relay"] * 4]
        kills += 2 * [partial(_restarted, own_postgres), partial(_restarted, own_rabbitmq)]
        house.random.shuffle(kills)
        house.tell(kills)
        house.agrees(seconds=120 + ENCOUNTERS / 10)


def _restarted(server: OwnPostgres | OwnRabbitMQ) -> None:
    """Kill -9 it, and start it again."""
    server.kill()
    server.start()
