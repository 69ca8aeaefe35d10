"""Metrics on ports of their own, and whether the process is ready: METRICS_PORT and its like."""

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from sqlalchemy import text

from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.processes import health
from tests.rigs.mllp_ledger import Mllp
from tests.rigs.processes import Process, Web, environment
from tests.rigs.waiting import eventually

pytestmark = pytest.mark.slow


def scraped(port: int) -> str:
    """What Prometheus would get from that port."""
    return eventually(lambda: requests.get(f"http://127.0.0.1:{port}/metrics", timeout=2).text)


def status(port: int, path: str) -> int:
    """What that port answers to that path."""
    return requests.get(f"http://127.0.0.1:{port}{path}", timeout=5).status_code


def is_ready(port: int, ready: bool = True) -> bool:
    """Whether that port says so; `ready` False: that it is not."""
    return status(port, "/ready") == (200 if ready else 503)


@contextmanager
def not_migrated(database: Database) -> Iterator[None]:
    """The database says meanwhile that it has not had its newest migration."""
    statement = text("UPDATE alembic_version SET version_num = :new")
    with database.transaction() as connection:
        newest = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(statement, {"new": "0001"})
    try:
        yield
    finally:
        with database.transaction() as connection:
            connection.execute(statement, {"new": newest})


def test_metrics_port_takes_the_metrics_away_from_the_server_port(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    port = free_port()
    environ = environment(address, METRICS_PORT=str(port))
    with Web(environ, tmp_path, ("dhos_connector_api", "serve")) as web:
        assert "connector_messages_unprocessed_late" in scraped(port)
        assert f'connector_build_info{{hash="unknown",python="{platform.python_version()}"' in scraped(port)
        assert [status(port, path) for path in ("/running", "/ready", "/", "/dhos/v1/message")] == [
            200,
            200,
            404,
            404,
        ]
        assert requests.get(f"{web.url}/metrics", timeout=5).status_code == 404
        assert web.process.stop() == 0


@pytest.mark.parametrize(
    ("command", "metric"), [("relay", "connector_relay_active"), ("deliver", "connector_delivery_seconds")]
)
def test_each_worker_shows_its_own_metrics_on_its_port(
    address: DatabaseAddress, database: Database, tmp_path: Path, command: str, metric: str
) -> None:
    port = free_port()
    environ = environment(address, **{f"{command.upper()}_METRICS_PORT": str(port)})
    with Process(["dhos_connector_api", command], environ, tmp_path / "log") as process:
        assert metric in scraped(port)
        assert eventually(lambda: is_ready(port))
        assert [status(port, path) for path in ("/running", "/other")] == [200, 404]
        assert health.problem(command, environ) is None
        with not_migrated(database):
            assert eventually(lambda: is_ready(port, False))
        assert eventually(lambda: is_ready(port))
        assert process.stop() == 0
    assert "does not answer" in str(health.problem(command, environ))


def test_mllp_is_ready_while_every_listener_listens_and_shows_its_own_counts_alone(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    port = free_port()
    with Mllp(environment(address, MLLP_METRICS_PORT=str(port), MLLP_PROCESSES="1"), tmp_path):
        assert eventually(lambda: is_ready(port))
        assert re.search(r"^connector_mllp_listening{.*} 1.0$", scraped(port), re.MULTILINE)
        assert "connector_messages_unprocessed_late" not in scraped(port)
