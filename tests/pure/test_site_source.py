"""The site's configuration: from a file, from the trustomer service, and when that one fails."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dhos_connector_api.errors import BadSite, SiteUnavailable
from dhos_connector_api.site.model import Deliveries, Inbound, Site
from dhos_connector_api.site.schema import parse
from dhos_connector_api.site.source import TrustomerSource, read_file

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
    assert len(service.asked) == 2
    assert source() is good
    assert len(service.asked) == 2
    times[0], service.status = 3700.0, 200
    assert source() is not good


def test_without_any_answer_there_is_no_site(service: _Trustomer) -> None:
    source = _source(service, times := [0.0])
    service.status = 500
    for _ in range(2):
        with pytest.raises(SiteUnavailable, match="has not answered"):
            source()
    assert len(service.asked) == 1
    times[0], service.status = 2.0, 200
    assert source().hl7_config.outgoing_processing_id == "T"
