"""The JDK's own HttpClient, which asks for HTTP/2 with its first request (`Upgrade: h2c`), at every door.

A server may ignore that wish (RFC 9110 section 7.8); the body has to be read all the same. Spring's
RestClient sends by this client.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dhos_connector_api.db.engine import Database
from dhos_connector_api.site.model import RateLimits
from tests.builders.api import WRITE, api, internal, message_body, serving
from tests.builders.his import HIS_SECRET, INTAKE, SITE, payload, raw_of, signed_headers, webhook
from tests.builders.hl7 import adt
from tests.builders.oru import data, seen
from tests.rigs.stored import count

_SOURCE = Path(__file__).parents[1] / "java" / "Post.java"
_HIS = replace(SITE.his, rate_limits={"*": RateLimits(10**8, 10**8)})
_UNLIMITED = replace(INTAKE, site=replace(SITE, his=_HIS))
_TOKEN = {"Authorization": f"Bearer {internal(WRITE, 'write:his')}"}
_JSON = "application/json"
_EVENT = {"source_system": "his", "event_code": "OPD", "encounter_id": "V1", "event_id": "E1"}


def _signed() -> tuple[bytes, dict[str, str]]:
    raw = raw_of(webhook())
    return raw, signed_headers(raw)


def _plain(content_type: str, make: Callable[[], bytes]) -> Callable[[], tuple[bytes, dict[str, str]]]:
    return lambda: (make(), _TOKEN | {"Content-Type": content_type})


def _batch() -> bytes:
    return b"BHS|^~\\&|A|B|C|D\r" + adt() + adt() + b"BTS|2\r"


def _large() -> bytes:
    return adt(more=["NTE|1||" + "x" * 3_000_000])


def _bulk() -> bytes:
    return raw_of({"events": [_EVENT]})


def _observations() -> bytes:
    return raw_of({"actions": [{"name": "process_observation_set", "data": data(seen("heart_rate", 72))}]})


#: Every door: where, what with which headers, how it is answered the first time and again, and the messages
#: kept.
DOORS = {
    "JSON": ("/dhos/v1/message", _plain(_JSON, lambda: raw_of(message_body(adt()))), (200, 200), 1),
    "HL7": ("/dhos/v1/message", _plain("application/hl7-v2", adt), (200, 200), 1),
    "a large message": ("/dhos/v1/message", _plain("application/hl7-v2", _large), (200, 200), 1),
    "a batch": ("/dhos/v1/message", _plain("application/hl7-v2-batch", _batch), (200, 200), 2),
    "HIS": ("/api/integrations/his-patient-data/", _plain(_JSON, lambda: raw_of(payload())), (200, 200), 1),
    "an event": ("/api/integrations/events/", _plain(_JSON, lambda: raw_of(_EVENT)), (201, 200), 1),
    "a bulk": ("/api/integrations/events/bulk_create/", _plain(_JSON, _bulk), (201, 201), 1),
    "a webhook": ("/api/v1/webhooks/his/events", _signed, (200, 200), 1),
    "observations": ("/dhos/v1/oru_message", _plain(_JSON, _observations), (204, 204), 2),
}


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that posts by the JDK's client."""
    if shutil.which("javac") is None:
        pytest.skip("no JDK is installed")
    folder = tmp_path_factory.mktemp("java")
    subprocess.run(["javac", "-d", str(folder), str(_SOURCE)], check=True, capture_output=True, timeout=120)
    return ["java", "-cp", str(folder), "Post"]


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    app = api(database, changes={"intake": lambda: _UNLIMITED}, HIS_WEBHOOK_SECRET=HIS_SECRET)
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("door", DOORS)
def test_a_jdk_client_is_answered_by_http_1_with_its_body_read(
    door: str, java: list[str], url: str, database: Database
) -> None:
    path, make, statuses, kept = DOORS[door]
    raw, headers = make()
    given = [text for pair in headers.items() for text in pair]
    done = subprocess.run(
        [*java, url + path, *given], input=raw, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().splitlines() == [f"{status} HTTP_1_1" for status in statuses]
    assert count(database) == kept


def test_a_page_of_a_list_too(java: list[str], url: str) -> None:
    """A request that names no operation is answered as ever: the wish is nothing that is judged."""
    done = subprocess.run(
        [*java, f"{url}/dhos/v1/nothing", *(text for pair in _TOKEN.items() for text in pair)],
        input=json.dumps({}).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.decode().splitlines() == ["404 HTTP_1_1"] * 2
