"""Services that are told to stop, and two that are restarted one after the other, under load."""

import http.client
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.builders.hl7 import adt
from tests.builders.mllp import Client, msa
from tests.builders.rows import ADAPTER_ISSUER, ADAPTER_KEY
from tests.rigs.balancer import Balancer, is_ready
from tests.rigs.mllp_ledger import Mllp
from tests.rigs.processes import Web, environment
from tests.rigs.stored import count
from tests.rigs.waiting import eventually

pytestmark = pytest.mark.slow
_DELAY = 2


def test_a_rolling_restart_refuses_and_loses_nothing(
    own_database: DatabaseAddress, own_pool: Database, tmp_path: Path
) -> None:
    issuer = {"EPR_SERVICE_ADAPTER_ISSUER": ADAPTER_ISSUER, "EPR_SERVICE_ADAPTER_HS_KEY": ADAPTER_KEY}
    environ = environment(own_database, SHUTDOWN_DELAY=str(_DELAY), **issuer) | {"WEB_PROCESSES": "2"}
    ports = [free_port(), free_port()]
    balancer = Balancer(ports)
    services = {port: _serve(environ, tmp_path, port) for port in ports}
    try:
        with ThreadPoolExecutor(7) as threads:
            threads.submit(balancer.watch)
            senders = [threads.submit(balancer.send) for _ in range(6)]
            try:
                for port in ports * 2:
                    time.sleep(1)
                    assert services[port].process.stop() == 0
                    services[port].__exit__(None, None, None)
                    services[port] = _serve(environ, tmp_path, port)
                    eventually(lambda: balancer.ready == set(ports))
            finally:
                balancer.over.set()
            for each in senders:
                each.result()
    finally:
        for service in services.values():
            service.__exit__(None, None, None)
    assert balancer.failures == []
    assert set(balancer.answers) == {200}
    assert count(own_pool) == len(balancer.answers) > 100


def _serve(environ: dict[str, str], folder: Path, port: int) -> Web:
    return Web(environ, folder, ("dhos_connector_api", "serve"), port=port)


def test_a_process_that_stops_says_so_first_and_answers_until_then(
    own_database: DatabaseAddress, tmp_path: Path
) -> None:
    with Web(environment(own_database, SHUTDOWN_DELAY="2"), tmp_path) as web:
        rests = socket.create_connection(("127.0.0.1", web.port), timeout=20)
        rests.sendall(b"GET /running HTTP/1.1\r\nHost: connector.test\r\n\r\n")
        said = b""
        while not said.endswith(b"true}"):
            said += rests.recv(65_536)
        assert b"connection: close" not in said.lower()
        web.process.popen.send_signal(signal.SIGTERM)
        eventually(lambda: not is_ready(web.port), seconds=1.5)
        with closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=5)) as connection:
            connection.request("GET", "/running")
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("Connection")) == (200, "close")
        assert rests.recv(65_536) == b"", "what rests is closed at the end"
        rests.close()
        assert web.process.popen.wait(20) in (0, -signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_and_an_interrupt_do_not_wait(
    own_database: DatabaseAddress, tmp_path: Path, number: signal.Signals
) -> None:
    with Web(environment(own_database, SHUTDOWN_DELAY="300"), tmp_path) as web:
        if number == signal.SIGTERM:
            web.process.popen.send_signal(number)
            eventually(lambda: not is_ready(web.port))
        web.process.popen.send_signal(number)
        web.process.popen.wait(20)


def test_mllp_takes_new_connections_for_a_while_too(own_database: DatabaseAddress, tmp_path: Path) -> None:
    environ = environment(own_database, MLLP_PROCESSES="1", SHUTDOWN_DELAY="2")
    with Mllp(environ, tmp_path, ("dhos_connector_api", "mllp-process")) as mllp:
        mllp.process.popen.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with Client(mllp.port) as client:
            assert msa(client.ask(adt()))[0] == "AA"
        assert mllp.process.popen.wait(20) == 0
