"""A running Connector as a real Prometheus sees it, by the rules and the queries of the board."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from deploy import monitoring
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.builders.api import WRITE, internal, message_body
from tests.builders.hl7 import adt
from tests.builders.mllp import Client, msa
from tests.rigs.mllp_ledger import Mllp
from tests.rigs.processes import Process, Web, environment, rabbitmq
from tests.rigs.waiting import eventually

pytest_plugins = ["tests.rigs.broker_fixtures"]
pytestmark = pytest.mark.slow
#: Metrics that a process shows only after what does not happen here.
SELDOM = (
    *("repeated", "conflicts", "claimed", "events_total", "payloads", "webhooks", "rate_limited", "ended"),
    *("deliver", "destination", "consum", "parked"),
)


class Prometheus:
    """A Prometheus that scrapes those ports once a second."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, path: str, **parameters: str) -> Any:
        """What its API answers."""
        answer = requests.get(f"{self._url}/api/v1/{path}", params=parameters, timeout=5).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def finds(self, query: str) -> list[Any]:
        """The series a query finds now."""
        found: list[Any] = self.get("query", query=query)["result"]
        return found

    def rules(self) -> set[tuple[str, str]]:
        """The rules it has, and whether each could be asked."""
        groups = self.get("rules")["groups"]
        return {(rule["name"], rule["health"]) for group in groups for rule in group["rules"]}


@contextmanager
def prometheus(folder: Path, ports: list[int]) -> Iterator[Prometheus]:
    """Run one with our rules; a skip with a loud line where there is none."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not here (Debian's package of that name): NOTHING IS WATCHED")
    targets = [f"127.0.0.1:{port}" for port in ports]
    file, listens = folder / "prometheus.yml", f"127.0.0.1:{free_port()}"
    content = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(monitoring.RULES)],
        "scrape_configs": [{"job_name": "connector", "static_configs": [{"targets": targets}]}],
    }
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    options = [
        f"--config.file={file}",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address={listens}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([program, *options], stdout=log, stderr=log)
        try:
            yield Prometheus(f"http://{listens}")
        finally:
            process.terminate()
            process.wait(30)


def queries() -> list[str]:
    """Every query of the board."""
    panels = [panel for row in monitoring.listed()["board"] for panel in row["panels"]]
    return [each["expr"] for panel in panels for each in panel["queries"]]


def expression(alarm: str) -> str:
    """The query of an alarm."""
    return next(str(each["expr"]) for each in monitoring.listed()["alarms"] if each["name"] == alarm)


def test_board_and_rules_find_what_a_running_connector_shows(
    address: DatabaseAddress, database: Database, shared_rabbitmq: BrokerAddress, tmp_path: Path
) -> None:
    ports = [free_port() for _ in range(3)]
    names = ("METRICS_PORT", "MLLP_METRICS_PORT", "RELAY_METRICS_PORT")
    environ = environment(
        address, **rabbitmq(shared_rabbitmq), **dict(zip(names, map(str, ports), strict=True))
    )
    with ExitStack() as running:
        web = running.enter_context(Web(environ, tmp_path, ("dhos_connector_api", "serve")))
        mllp = running.enter_context(Mllp(environ, tmp_path))
        relay = running.enter_context(Process(["dhos_connector_api", "relay"], environ, tmp_path / "relay"))
        watch = running.enter_context(prometheus(tmp_path, ports))
        eventually(lambda: watch.finds("sum(connector_relay_active) == 1"))
        client = running.enter_context(Client(mllp.port))
        token = {"Authorization": f"Bearer {internal(WRITE)}"}

        def send() -> None:
            body = message_body(adt())
            answer = requests.post(f"{web.url}/dhos/v1/message", json=body, headers=token, timeout=10)
            assert answer.status_code == 200
            assert msa(client.ask(adt()))[0] == "AA"

        def empty() -> list[str]:
            send()
            return [
                each
                for each in queries()
                if not any(name in each for name in SELDOM) and not watch.finds(each)
            ]

        eventually(lambda: not empty(), seconds=60)
        expected = {(each["name"], "ok") for each in monitoring.listed()["alarms"]}
        eventually(lambda: watch.rules() == expected, seconds=60)
        assert not watch.finds(expression("ConnectorRelayWithoutLease"))
        relay.stop()
        eventually(lambda: watch.finds(expression("ConnectorRelayWithoutLease")), seconds=60)
        assert not watch.finds(expression("ConnectorListenerClosed"))
