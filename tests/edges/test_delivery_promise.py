"""The promise of what goes out: an observation set that was answered with 204 gets to the EPR.

Real processes and a real database, killed for real; a dead EPR holds nobody up. What deliveries share with
other ways in stands in `test_promise.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import DatabaseAddress
from fakes.epr import FakeEpr
from tests.builders.rows import ADAPTER_ISSUER, ADAPTER_KEY
from tests.builders.wards import Ward, agree, rows, sending, series, taken
from tests.rigs.ledger import Sender
from tests.rigs.load import Load
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.processes import Process, Web
from tests.rigs.waiting import eventually

pytestmark = pytest.mark.slow
KILL = "tests.rigs.kill_points"


@pytest.fixture
def epr() -> Iterator[FakeEpr]:
    with FakeEpr(("127.0.0.1", 0), ADAPTER_ISSUER, ADAPTER_KEY) as fake:
        yield fake


def deliver(environ: dict[str, str], folder: Path, *module: str) -> Process:
    return Process([*(module or ("dhos_connector_api",)), "deliver"], environ, folder / "deliver.log")


@pytest.mark.parametrize(
    "point",
    [
        "claimed, not committed",
        "claimed, not sent",
        "sent, not settled",
        "settled, not committed",
        "settled, not counted",
    ],
)
def test_a_delivery_process_killed_at_its_worst_moment(
    own_database: DatabaseAddress, epr: FakeEpr, tmp_path: Path, point: str
) -> None:
    environ, ward = sending(own_database, epr.url, tmp_path, at_once=1), Ward()
    with Web(environ, tmp_path) as web:
        assert all(ward.offer(web.url, ward.next_message()) for _ in range(12))
    with deliver(environ, tmp_path, KILL, point, "2") as deadly:
        assert deadly.popen.wait(30) == -9
    with deliver(environ, tmp_path):
        agree(own_database, epr, [ward])
    doubtful = sum(each.ambiguous for each in series(own_database).values())
    again = len(taken(epr)) - len(set(taken(epr)))
    assert again == (point in ("sent, not settled", "settled, not committed"))
    assert doubtful == (point not in ("claimed, not committed", "settled, not counted"))


def test_everything_killed_at_once_under_load(
    own_postgres: OwnPostgres, epr: FakeEpr, tmp_path: Path
) -> None:
    environ, wards = sending(own_postgres.address, epr.url, tmp_path), [Ward() for _ in range(4)]
    port = free_port()
    load = Load(f"http://127.0.0.1:{port}", wards)
    with Web(environ, tmp_path, port=port) as web, deliver(environ, tmp_path) as delivering, load:
        load.more(40)
        own_postgres.kill()
        delivering.kill()
        web.process.kill()
        own_postgres.start()
        with Web(environ, tmp_path, port=port), deliver(environ, tmp_path):
            load.more(40)
            load.stop()
            agree(own_postgres.address, epr, wards)


def test_an_epr_that_hangs_holds_nobody_up(
    own_database: DatabaseAddress, epr: FakeEpr, tmp_path: Path
) -> None:
    epr.behaviours.give(["hang"])
    environ = sending(own_database, epr.url, tmp_path, timeout=300)
    ward, sender = Ward(), Sender("INBOUND")
    with Web(environ, tmp_path) as web, deliver(environ, tmp_path):
        assert ward.offer(web.url, ward.next_message())
        eventually(epr.behaviours.attempts)
        assert all(ward.offer(web.url, ward.next_message()) for _ in range(50))
        assert all(sender.offer(web.url, sender.next_message()) for _ in range(20))
        assert not rows(own_database, "SELECT FROM delivery_attempt WHERE outcome IS NOT NULL")


def test_an_epr_that_is_away_holds_nobody_up_and_gets_everything_when_it_is_back(
    own_database: DatabaseAddress, tmp_path: Path
) -> None:
    port = free_port()
    environ = sending(own_database, f"http://127.0.0.1:{port}", tmp_path)
    ward, sender = Ward(), Sender("INBOUND")
    with Web(environ, tmp_path) as web, deliver(environ, tmp_path):
        assert ward.offer(web.url, ward.next_message())
        eventually(lambda: rows(own_database, "SELECT FROM delivery_attempt WHERE outcome = 'transient'"))
        assert all(ward.offer(web.url, ward.next_message()) for _ in range(50))
        assert all(sender.offer(web.url, sender.next_message()) for _ in range(20))
        assert not rows(own_database, "SELECT FROM delivery WHERE state = 'delivered'")
        with FakeEpr(("127.0.0.1", port), ADAPTER_ISSUER, ADAPTER_KEY) as epr:
            assert eventually(lambda: try_now(ward, web.url))  # the next probe may be a minute away
            agree(own_database, epr, [ward])


def try_now(ward: Ward, url: str) -> bool:
    """Ask for a delivery that waits to be attempted now, if there is one; False: just then it was."""
    deliveries = f"{url}/dhos/v1/delivery"
    waiting = ward.session.get(deliveries, params={"state": "waiting"}, timeout=15).json()
    return not waiting or ward.session.post(f"{deliveries}/{waiting[0]['uuid']}/retry", timeout=15).ok
