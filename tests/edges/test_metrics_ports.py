"""Metrics on ports of their own: METRICS_PORT, RELAY_METRICS_PORT and DELIVER_METRICS_PORT."""

from pathlib import Path

import pytest
import requests

from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.rigs.processes import Process, Web, environment
from tests.rigs.waiting import eventually


def scraped(port: int) -> str:
    """What Prometheus would get from that port."""
    return eventually(lambda: requests.get(f"http://127.0.0.1:{port}/metrics", timeout=2).text)


def test_metrics_port_takes_the_metrics_away_from_the_server_port(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    port = free_port()
    environ = environment(address, METRICS_PORT=str(port))
    with Web(environ, tmp_path, ("dhos_connector_api", "serve")) as web:
        assert "connector_messages_unprocessed_late" in scraped(port)
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
        assert process.stop() == 0
