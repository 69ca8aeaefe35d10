"""The site's configuration: from a file, from the trustomer service, and when that one fails."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dhos_connector_api.app import incoming
from dhos_connector_api.errors import BadSite, SiteUnavailable
from dhos_connector_api.site.model import Deliveries, Inbound, Site
from dhos_connector_api.site.schema import parse
from dhos_connector_api.site.source import FIRST_WAIT, TrustomerSource, read_file
from tests.builders.rows import settings
from tests.rigs.waiting import eventually, throughout
from tests.rigs.wire import Wire, hang, says, whole_request

ANSWER = {
    "hl7_config": {"outgoing_processing_id": "T", "unknown_to_us": 1},
    "send_config": {
        "generate_oru_messages": True,
        "oxygen_masks": [{"code": "RA", "id": "1", "name": "Air"}],
    },
    "name": "much that concerns others",
}


def test_no_configuration_is_the_defaults() -> None:
    assert parse({}) == Site()
    assert "A20" not in Inbound().accepted["ADT"]
    assert {"A01", "A62"} <= Inbound().accepted["ADT"]


def test_a_toml_file_narrows_and_widens(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[inbound]\naccepted = {ADT = ["a01", "A40"], ORM = ["O01"]}\n')
    assert read_file(file).inbound.accepted == {"ADT": frozenset({"A01", "A40"}), "ORM": frozenset({"O01"})}


def test_a_file_says_which_identifiers_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[inbound.identifiers]\nmrn_types = ["hosp"]\nuntyped_is_mrn = false\n')
    table = read_file(file).inbound.identifiers
    assert (table.mrn_types, table.untyped_is_mrn) == (frozenset({"HOSP"}), False)
    assert Inbound().identifiers.untyped_is_mrn


@pytest.mark.parametrize(("said", "seconds"), [("", 90), ('"12h"', 43_200), ("60", 60), ("0", 0)])
def test_the_site_s_duplicate_window_goes_before_the_setting(
    tmp_path: Path, said: str, seconds: float
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(f"[inbound]\nduplicate_window = {said}\n" if said else "")
    made = incoming.intake(settings(site_config=str(file), hl7_duplicate_window="90"))()
    assert made.duplicate_window == timedelta(seconds=seconds)


def test_mllp_has_one_message_in_flight_whatever_else_is_set() -> None:
    site = parse({"deliveries": {"oru_destination": "mllp", "mllp": {"timeout": "5s"}}})
    assert (site.deliveries.oru_destination, site.deliveries.mllp.at_once) == ("mllp", 1)
    assert (Deliveries().mllp.at_once, site.deliveries.mllp.timeout) == (1, 5)


def test_a_star_is_every_adt_trigger() -> None:
    site = parse({"inbound": {"accepted": {"ADT": ["*"]}}})
    assert site.inbound.accepted == Inbound().accepted


@pytest.mark.parametrize(
    ("content", "entry"),
    [
        ("[inbound]\nacepted = {}", "inbound.acepted"),
        ('[inbound]\nduplicate_policy = "maybe"', "inbound.duplicate_policy"),
        ('[inbound]\nduplicate_window = "a week"', "inbound.duplicate_window"),
        ("[inbound]\nduplicate_window = -1", "inbound.duplicate_window"),
        ('[inbound]\nduplicate_window = "366d"', "inbound.duplicate_window"),
        ('[inbound]\ncontrol_ids_restart_daily = "at noon"', "inbound.control_ids_restart_daily"),
        ("[hl7_config]\noutgoing_processing_id = 7", "hl7_config.outgoing_processing_id"),
        ('[inbound]\ntime_zone = "Mars/Olympus"', "inbound.time_zone"),
        ('[deliveries]\noru_destination = "pigeon"', "deliveries.oru_destination"),
        ("[deliveries.mllp]\nat_once = 2", "deliveries.mllp.at_once"),
        ("nonsense", "neither good TOML"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path: Path, content: str, entry: str) -> None:
    file = tmp_path / "site.toml"
    file.write_text(content)
    with pytest.raises(BadSite, match=entry):
        read_file(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSite, match="cannot be read"):
        read_file(tmp_path / "none.json")


class _Trustomer(HTTPServer):
    """A trustomer service with behaviour: it answers, fails, and remembers what it was asked."""

    status = 200
    asked: list[tuple[str, dict[str, str]]]


class _Handler(BaseHTTPRequestHandler):
    server: _Trustomer

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps(ANSWER).encode())

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def _service() -> Iterator[_Trustomer]:
    server = _Trustomer(("127.0.0.1", 0), _Handler)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def service() -> Iterator[_Trustomer]:
    with _service() as server:
        yield server


def _source(service: _Trustomer, times: list[float]) -> TrustomerSource:
    host = f"http://127.0.0.1:{service.server_port}"
    return TrustomerSource(host, "ABC", "key", 3600, monotonic=lambda: times[0])


def test_the_service_is_asked_once_while_its_answer_is_fresh(service: _Trustomer) -> None:
    source = _source(service, times := [0.0])
    assert source().hl7_config.outgoing_processing_id == "T"
    times[0] = 3599.0
    assert source().send_config.oxygen_masks[0].name == "Air"
    ((path, headers),) = service.asked
    assert path == "/dhos/v1/trustomer/abc"
    assert (headers["Authorization"], headers["X-Trustomer"], headers["X-Product"]) == (
        "key",
        "abc",
        "polaris",
    )


def test_the_last_good_answer_is_used_when_a_refresh_fails(service: _Trustomer) -> None:
    source = _source(service, times := [0.0])
    good = source()
    times[0], service.status = 3600.0, 503
    assert source() is good
    eventually(lambda: len(service.asked) == 2)
    throughout(lambda: source() is good and len(service.asked) == 2, seconds=0.2)
    times[0], service.status = 3700.0, 200
    eventually(lambda: source() is not good)


def test_without_any_answer_there_is_no_site(service: _Trustomer) -> None:
    source = _source(service, times := [0.0])
    service.status = 500
    for _ in range(2):
        with pytest.raises(SiteUnavailable, match="has not answered"):
            source()
    assert len(service.asked) == 1
    times[0], service.status = 2.0, 200
    assert eventually(source).hl7_config.outgoing_processing_id == "T"


def _drips(connection: socket.socket) -> None:
    """Answer a byte now and then, for ever."""
    whole_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    gone = threading.Event()
    while not gone.wait(0.05):
        connection.sendall(b" ")


HANGING = {
    "nothing": hang(),
    "a byte now and then": _drips,
    "headers alone": hang(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
}


@pytest.mark.parametrize("name", HANGING)
def test_the_first_answer_is_waited_for_by_all_but_not_for_long(name: str) -> None:
    with Wire(HANGING[name]) as server:
        source = TrustomerSource(server.url, "ABC", "key", 3600)
        began = time.monotonic()
        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(lambda _: _unavailable(source), range(8)))
        assert answers == [True] * 8
        assert FIRST_WAIT * 0.9 < time.monotonic() - began < FIRST_WAIT + 2
        began = time.monotonic()
        assert all(_unavailable(source) for _ in range(100))
        assert time.monotonic() - began < 1


def _unavailable(source: TrustomerSource) -> bool:
    try:
        source()
    except SiteUnavailable:
        return True
    return False


def test_all_get_the_first_answer_when_it_comes_a_little_late() -> None:
    content = json.dumps(ANSWER).encode()

    def late(connection: socket.socket) -> None:
        whole_request(connection)
        threading.Event().wait(0.5)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)

    with Wire(late) as server, ThreadPoolExecutor(8) as callers:
        source = TrustomerSource(server.url, "ABC", "key", 3600)
        sites = list(callers.map(lambda _: source(), range(8)))
    assert {id(site) for site in sites} == {id(sites[0])}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 1_000_001 + b"{}",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
    ],
)
def test_an_answer_that_is_none_leaves_the_site_unavailable(answer: bytes) -> None:
    with Wire(says(answer)) as server:
        assert _unavailable(TrustomerSource(server.url, "ABC", "key", 3600))


@pytest.mark.parametrize("failure", ["an answer nested too deep", "no thread"])
def test_after_whatever_failure_it_is_asked_again(
    service: _Trustomer, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _source(service, times := [0.0])
    if failure == "no thread":
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", _no_thread)
            assert _unavailable(source)
    else:
        with monkeypatch.context() as patched:
            patched.setattr("dhos_connector_api.site.source.json.loads", lambda _: json.loads("[" * 200_000))
            assert _unavailable(source)
    times[0] = 2.0
    assert eventually(source).hl7_config.outgoing_processing_id == "T"


def _no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_nobody_waits_while_a_stale_answer_is_renewed() -> None:
    content = json.dumps(ANSWER).encode()
    asked: list[int] = []

    def once(connection: socket.socket) -> None:
        whole_request(connection)
        asked.append(1)
        if len(asked) > 1:
            connection.recv(1)  # it hangs from now on
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)

    with Wire(once) as server:
        source = TrustomerSource(server.url, "ABC", "key", 3600, monotonic=lambda: times[0])
        times = [0.0]
        good = source()
        times[0] = 4000.0
        began = time.monotonic()
        assert all(source() is good for _ in range(100))
        assert time.monotonic() - began < 1
        eventually(lambda: len(asked) == 2)
