"""A real web process beside somebody without a token who wastes what it has: honest senders are served."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from dhos_connector_api import open_files
from dhos_connector_api.db.engine import DatabaseAddress
from tests.builders.api import WRITE, internal, message_body
from tests.builders.hl7 import adt
from tests.rigs.attackers import Growth, attacking
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.processes import Web, environment
from tests.rigs.waiting import eventually

pytestmark = pytest.mark.slow
POST = b"POST /dhos/v1/message HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
TOKEN = {"Authorization": f"Bearer {internal(WRITE)}"}
#: MB a process may grow by, whatever is done to it; its budget for bodies is 64 of them.
MOST_GROWTH = 150
#: Seconds a probe may take on a machine that is shared with everything else.
PATIENCE = 5.0


@contextmanager
def web(database: DatabaseAddress, folder: Path, **more: str) -> Iterator[Web]:
    with Web(environment(database, DOCS_ENABLED="true", **more), folder) as found:
        post(found)  # everything has been imported and connected
        yield found


def post(to: Web) -> requests.Response:
    return requests.post(f"{to.url}/dhos/v1/message", json=message_body(adt()), headers=TOKEN, timeout=20)


def assert_served(to: Web) -> None:
    """Probes on new connections, and honest senders on theirs."""
    for _ in range(5):
        assert requests.get(f"{to.url}/running", timeout=PATIENCE).json() == {"running": True}
        assert post(to).status_code == 200


def test_headers_without_an_end(own_database: DatabaseAddress, tmp_path: Path) -> None:
    connections, size = 20, 96
    with web(own_database, tmp_path) as attacked:
        growth = Growth(attacked.process.popen.pid)
        with attacking(attacked.port, connections, [POST + b"X-Long: ", *[b"a" * 1_000_000] * size]):
            assert_served(attacked)
            assert growth.megabytes < MOST_GROWTH / 5


@pytest.mark.parametrize("says", [b"", POST + b"X-Slow: "], ids=["silent", "half a header"])
def test_sockets_that_say_nothing(own_database: DatabaseAddress, tmp_path: Path, says: bytes) -> None:
    number = 2_300
    open_files.raise_limit()
    with web(own_database, tmp_path) as attacked:
        growth = Growth(attacked.process.popen.pid)
        with attacking(attacked.port, number, [says]):
            assert_served(attacked)
            assert growth.megabytes < MOST_GROWTH / 3


@pytest.mark.parametrize("token", [b"", f"Authorization: {TOKEN['Authorization']}\r\n".encode()])
def test_bodies_without_an_end(own_database: DatabaseAddress, tmp_path: Path, token: bytes) -> None:
    number = 100
    head = POST + token + b"Content-Length: 10000000\r\n\r\n"
    with web(own_database, tmp_path) as attacked:
        growth = Growth(attacked.process.popen.pid)
        with attacking(attacked.port, number, [head, *[b"a" * 100_000] * 99]):
            assert_served(attacked)
            assert growth.megabytes < MOST_GROWTH


def test_answers_that_are_not_read(own_database: DatabaseAddress, tmp_path: Path) -> None:
    number = 300
    ask = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n"
    with web(own_database, tmp_path) as attacked:
        growth = Growth(attacked.process.popen.pid)
        with attacking(attacked.port, number, [ask]):
            assert_served(attacked)
            eventually(lambda: growth.megabytes < MOST_GROWTH)
            assert_served(attacked)


def test_while_postgresql_stands_still_requests_are_refused_early_and_probes_answered(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    with web(own_postgres.address, tmp_path) as attacked:
        frozen = own_postgres.freeze()
        try:
            began = time.monotonic()
            with ThreadPoolExecutor(200) as clients:
                answers = list(clients.map(lambda _: post(attacked), range(200)))
            took = time.monotonic() - began
            assert {each.status_code for each in answers} == {503}
            assert all(each.headers["Retry-After"] for each in answers)
            # What a thread has in hand is given up with its statement after 8 s, all others after 4.
            assert took < 15
            waited = sorted(each.elapsed.total_seconds() for each in answers)
            assert waited[len(waited) // 2] < 7
            assert requests.get(f"{attacked.url}/running", timeout=PATIENCE).ok
        finally:
            frozen.thaw()
        eventually(lambda: post(attacked).status_code == 200)


def test_what_a_client_that_left_had_asked_for_is_not_begun(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    with web(own_postgres.address, tmp_path) as attacked:
        frozen = own_postgres.freeze()
        gone = threading.Barrier(33)

        def leave() -> None:
            with pytest.raises(requests.RequestException):
                requests.post(
                    f"{attacked.url}/dhos/v1/message", json=message_body(adt()), headers=TOKEN, timeout=0.5
                )
            gone.wait()

        threads = [threading.Thread(target=leave) for _ in range(32)]
        for thread in threads:
            thread.start()
        gone.wait()
        frozen.thaw()
        for thread in threads:
            thread.join()
        assert eventually(lambda: post(attacked).status_code == 200)
        # The first were begun while the database stood still; the others never were.
        assert own_postgres.count("SELECT count(*) FROM message") < 32
