"""Every process of an installation is replaced, one after the other, under load.

As Kubernetes does it, as processes on one machine: SIGTERM, the new one starts, the next follows when it is
ready. An HTTP client behind a load balancer sends nothing twice; an MLLP sender whose connection is closed
sends again what was not acknowledged.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import text

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import Database, DatabaseAddress
from fakes.epr import FakeEpr
from tests.builders import wards
from tests.builders.rows import ADAPTER_ISSUER, ADAPTER_KEY
from tests.rigs.balancer import Balancer
from tests.rigs.ledger import Platform
from tests.rigs.mllp_ledger import Engine, Mllp
from tests.rigs.processes import Process, Web, rabbitmq
from tests.rigs.waiting import eventually

pytestmark = pytest.mark.slow
_OURS = "dhos_connector_api"
#: Seconds between two messages of a client: what is measured is not the load itself.
_PAUSE = 0.05


class _Runs(Protocol):
    @property
    def process(self) -> Process: ...


class _Worker:
    """A relay or a delivery process."""

    def __init__(self, command: str, environ: dict[str, str], folder: Path) -> None:
        self.process = Process([_OURS, command], environ, folder / f"{command}-{free_port()}.log")


class _Installation:
    """Two of everything; `replace` restarts one after the other."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.web_ports = [free_port(), free_port()]
        self.balancer = Balancer(self.web_ports, pause=_PAUSE)
        self._starts: list[Callable[[], _Runs]] = []
        for port in self.web_ports:
            self._starts.append(lambda port=port: Web(environ, folder, (_OURS, "serve"), port=port))  # type: ignore[misc]
        self._starts += [lambda: Mllp(environ, folder)] * 2
        for command in ("relay", "deliver"):
            self._starts += [lambda command=command: _Worker(command, environ, folder)] * 2  # type: ignore[misc]
        self.running = [start() for start in self._starts]

    @property
    def mllp_ports(self) -> list[int]:
        return [each.port for each in self.running if isinstance(each, Mllp)]

    def replace(self) -> None:
        for number, start in enumerate(self._starts):
            old = self.running[number]
            assert old.process.stop() == 0
            old.process.__exit__(None, None, None)
            self.running[number] = start()
            eventually(lambda: self.balancer.ready == set(self.web_ports))

    def close(self) -> None:
        for each in self.running:
            each.process.__exit__(None, None, None)


@contextmanager
def _installed(environ: dict[str, str], folder: Path) -> Iterator[_Installation]:
    installation = _Installation(environ, folder)
    try:
        yield installation
    finally:
        installation.close()


def test_replacing_every_process_under_load_loses_and_refuses_nothing(
    own_database: DatabaseAddress, own_pool: Database, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    platform, engines, ward = Platform(own_vhost), [Engine("A"), Engine("B")], wards.Ward()
    with FakeEpr(("127.0.0.1", 0), ADAPTER_ISSUER, ADAPTER_KEY) as epr:
        environ = wards.sending(own_database, epr.url, tmp_path) | rabbitmq(own_vhost)
        with _installed(environ | {"SHUTDOWN_DELAY": "2"}, tmp_path) as here:
            balancer = here.balancer
            refused: list[bool] = []

            def observe() -> None:
                while not balancer.over.wait(_PAUSE):
                    refused.append(not ward.offer(f"http://127.0.0.1:{balancer.pick()}", ward.next_message()))

            def feed(engine: Engine) -> None:
                while not balancer.over.wait(_PAUSE):
                    raw = engine.next_message()
                    eventually(lambda: _offered(engine, here.mllp_ports, raw), seconds=60)  # noqa: B023  used within this turn

            with ThreadPoolExecutor(8) as threads:
                threads.submit(balancer.watch)
                jobs = [threads.submit(balancer.send) for _ in range(3)]
                jobs += [threads.submit(observe), *(threads.submit(feed, each) for each in engines)]
                try:
                    threading.Event().wait(1)
                    here.replace()
                finally:
                    balancer.over.set()
                for job in jobs:
                    job.result()
            assert balancer.failures == []
            assert set(balancer.answers) == {200}
            assert refused and not any(refused)
            eventually(lambda: _waiting(own_pool) == 0, seconds=60)
            wards.agree(own_database, epr, [ward])
    kept = _uuids(own_pool)
    for engine in engines:
        engine.look_up(own_database)
    by_mllp = [uuid for engine in engines for uuid in engine.acknowledged]
    assert len(kept) == len(balancer.answers) + len(by_mllp)
    platform.collect()
    assert set(platform.order) == kept
    for engine in engines:
        mine = set(engine.acknowledged)
        assert [uuid for uuid in platform.order if uuid in mine] == engine.acknowledged


def _offered(engine: Engine, ports: list[int], raw: bytes) -> bool:
    """Offer it at one port, or where nobody listens there at the other; a connection that is open is kept."""
    try:
        return engine.offer(ports[0], raw)
    except OSError:
        return engine.offer(ports[1], raw)


def _waiting(database: Database) -> int:
    with database.statements() as connection:
        found: int = connection.execute(
            text("SELECT count(*) FROM outbox WHERE published_at IS NULL")
        ).scalar_one()
    return found


def _uuids(database: Database) -> set[str]:
    with database.statements() as connection:
        return {
            str(each)
            for each in connection.execute(text("SELECT uuid FROM message WHERE kind = 'hl7'")).scalars()
        }
