"""Memory of the processes that work on what waits: bounded, however much waits and however large it is."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from sqlalchemy import text

from dhos_connector_api.actions.envelope import LEGACY_ROUTING_KEY, Envelope, Outcome
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.consumer import Consumer
from dhos_connector_api.broker.publisher import Publisher
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.hl7v2.framing import framed
from dhos_connector_api.messages import store
from dhos_connector_api.messages.states import MessageState
from fakes.epr import FakeEpr
from tests.builders import delivery
from tests.builders.api import WRITE, adapter, internal
from tests.builders.event import kept_event
from tests.builders.hl7 import adt
from tests.builders.mllp import Client, msa
from tests.builders.rows import ADAPTER_ISSUER, ADAPTER_KEY, WINDOW, effects, new_message
from tests.builders.wards import sending
from tests.rigs.memory import Growth
from tests.rigs.mllp_ledger import Mllp
from tests.rigs.processes import ROOT, Process, Web, environment
from tests.rigs.waiting import eventually

#: Megabytes above what an idle process has.
MOST = 150
#: Megabytes of bodies that may wait in a web process (BODY_BUDGET_BYTES).
WAITING = 64
LARGE = 9_000_000


def large_adt(size: int = LARGE) -> bytes:
    """An admission with a long note."""
    return adt("A01", more=["NTE|1||" + "x" * size])


@pytest.fixture
def epr() -> Iterator[FakeEpr]:
    with FakeEpr(("127.0.0.1", 0), ADAPTER_ISSUER, ADAPTER_KEY) as fake:
        yield fake


@pytest.mark.slow
def test_large_deliveries_that_wait_are_taken_one_by_one(
    own_database: DatabaseAddress, own_pool: Database, epr: FakeEpr, tmp_path: Path
) -> None:
    environ = sending(own_database, epr.url, tmp_path, timeout=60, at_once=64)
    queued(own_pool, 10)
    with Process(["dhos_connector_api", "deliver"], environ, tmp_path / "deliver.log") as process:
        eventually(lambda: epr.taken, seconds=30)
        grown = Growth(process.popen.pid)
        for _ in range(30):
            queued(own_pool, LARGE)
        eventually(lambda: len(epr.taken) == 31, seconds=200)
        assert grown.megabytes < MOST


def queued(database: Database, size: int) -> None:
    """Queue an observation of that size."""
    control_id = uuid4().hex[:20]
    header = f"MSH|^~\\&|DHOS|DHOS|EPR|RBH|20260101000000||ORU^R01^ORU_R01|{control_id}|P|2.6\rNTE|1||"
    delivery.queue(database, at=datetime.now(UTC), control_id=control_id, body=header.encode() + b"x" * size)


def megabytes_of(environ: dict[str, str], folder: Path, *arguments: str) -> float:
    """The most memory that a command takes."""
    peak = folder / "peak"
    command = [sys.executable, "-m", "tests.rigs.peak", str(peak), *arguments]
    subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, timeout=200, check=True)
    return int(peak.read_text()) / 1024


@pytest.mark.slow
def test_messages_are_listed_without_their_bytes_and_replayed_one_by_one(
    own_database: DatabaseAddress, own_pool: Database, tmp_path: Path
) -> None:
    environ = environment(own_database)
    for _ in range(30):
        raw = large_adt()
        message = new_message(received=raw, content=raw.decode(), state=MessageState.REFUSED.value)
        with own_pool.transaction() as connection:
            store.insert(connection, message, effects(message, key=None, envelopes=[]), window=WINDOW)
    idle = megabytes_of(environ, tmp_path, "messages", "list", "--control-id", "none")
    assert megabytes_of(environ, tmp_path, "messages", "list", "--limit", "10000") - idle < 10
    assert megabytes_of(environ, tmp_path, "messages", "show", str(message.uuid)) - idle < 10
    assert megabytes_of(environ, tmp_path, "messages", "show", str(message.uuid), "--content") - idle < MOST
    assert megabytes_of(environ, tmp_path, "replay", "--state", "refused") - idle < MOST
    with own_pool.statements() as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar() == 30


@pytest.mark.slow
def test_stored_events_are_given_another_meaning_a_few_at_a_time(
    own_database: DatabaseAddress, own_pool: Database, tmp_path: Path
) -> None:
    code = {"event_code": "OPD", "default_code": "OPD", "canonical_code": "OPD"}
    many_values = {str(number): "y" * 85 for number in range(95_000)}
    for payload in [*[{"note": "x" * 100_000}] * 300, *[many_values] * 2]:
        kept_event(own_pool, payload=payload, event_fields={"payload": payload}, **code)
    headers = {"Authorization": f"Bearer {internal('admin:his', 'read:his')}"}
    mapped = {"source_system": "his", "event_code": "OPD"}
    with Web(environment(own_database), tmp_path) as web:
        url = f"{web.url}/api/integrations/events/mappings/"
        meaning = mapped | {"canonical_code": "VISIT"}
        assert requests.post(url, headers=headers, json=meaning, timeout=60).ok
        grown = Growth(web.process.popen.pid)
        while requests.post(f"{url}apply/", headers=headers, json=mapped, timeout=60).json()["remaining"]:
            pass
        assert grown.megabytes < MOST


_EVENT = {"source_system": "his", "event_code": "OPD", "encounter_id": "V"}


def _bulk(count: int, size: int) -> bytes:
    return json.dumps({"events": [_EVENT | {"payload_json": {"a": "x" * size}}] * count}).encode()


_BATCH = b"BHS|^~\\&|A|B|C|D\r" + b"%bBTS|1\r"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "media_type", "body", "status"),
    [
        pytest.param(
            "/dhos/v1/message",
            "application/hl7-v2-batch",
            lambda: _BATCH % b"".join(adt("A01", more=["NTE|1||" + "x" * 500]) for _ in range(10_000)),
            200,
            id="a batch of 10,000",
        ),
        pytest.param(
            "/dhos/v1/message", "application/hl7-v2", lambda: large_adt(9_800_000), 200, id="a message"
        ),
        pytest.param(
            "/api/integrations/events/bulk_create/",
            "application/json",
            lambda: _bulk(10_000, 850),
            201,
            id="a bulk of 10,000",
        ),
        pytest.param(
            "/api/integrations/events/bulk_create/",
            "application/json",
            lambda: _bulk(3, 3_000_000),
            201,
            id="a bulk of three",
        ),
        pytest.param(
            "/api/integrations/events/",
            "application/json",
            lambda: json.dumps(_EVENT | {"payload_json": {str(n): "y" * 80 for n in range(99_000)}}).encode(),
            201,
            id="an event of many values",
        ),
        pytest.param(
            "/api/integrations/events/",
            "application/json",
            lambda: json.dumps(_EVENT | {"payload_json": {"v": [1] * 3_000_000}}).encode(),
            400,
            id="an event of too many values",
        ),
    ],
)
def test_one_large_request(
    own_database: DatabaseAddress, tmp_path: Path, path: str, media_type: str, body: object, status: int
) -> None:
    assert callable(body)
    raw = body()
    assert 8_000_000 < len(raw) < 10_000_000
    issuer = {"EPR_SERVICE_ADAPTER_ISSUER": ADAPTER_ISSUER, "EPR_SERVICE_ADAPTER_HS_KEY": ADAPTER_KEY}
    token = adapter(WRITE) if "hl7" in media_type else internal("write:his")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type}
    with Web(environment(own_database, **issuer), tmp_path) as web:
        grown = Growth(web.process.popen.pid)
        answer = requests.post(f"{web.url}{path}", data=raw, headers=headers, timeout=120)
        assert answer.status_code == status, answer.text[:300]
        assert grown.megabytes < MOST


@pytest.mark.slow
def test_eight_clients_with_large_bodies(own_database: DatabaseAddress, tmp_path: Path) -> None:
    """They come at once, and again where they are told to: one is worked on, beside those that wait."""
    values = {str(number): "y" * 80 for number in range(99_000)}
    headers = {"Authorization": f"Bearer {internal('write:his')}", "Content-Type": "application/json"}

    def post(number: int) -> None:
        event = _EVENT | {"event_id": f"E{number}", "payload_json": values}
        raw = json.dumps(event).encode()

        def is_kept() -> bool:
            answer = requests.post(url, data=raw, headers=headers, timeout=120)
            assert answer.status_code in (201, 503), answer.text[:300]
            return answer.status_code == 201

        eventually(is_kept, seconds=120)

    with Web(environment(own_database), tmp_path) as web, ThreadPoolExecutor(8) as clients:
        url = f"{web.url}/api/integrations/events/"
        grown = Growth(web.process.popen.pid)
        list(clients.map(post, range(16)))
        assert grown.megabytes < MOST + WAITING


@pytest.mark.slow
def test_forty_mllp_senders_with_large_frames(own_database: DatabaseAddress, tmp_path: Path) -> None:
    """Those for whom there is no room are cut off, and come again."""
    frame = framed(large_adt(4_900_000))

    def post(_: int) -> None:
        def is_kept() -> bool:
            try:
                with Client(mllp.port) as client:
                    client.send(frame)
                    return msa(client.receive())[0] == "AA"
            except OSError:
                return False

        eventually(is_kept, seconds=120)

    environ = environment(own_database, MLLP_PROCESSES="1")
    with Mllp(environ, tmp_path) as mllp, ThreadPoolExecutor(40) as senders:
        grown = Growth(mllp.process.popen.pid)
        list(senders.map(post, range(40)))
        assert grown.megabytes < MOST


@pytest.mark.slow
def test_a_consumer_has_few_messages_in_memory_whatever_it_may_have(shared_rabbitmq: BrokerAddress) -> None:
    """It may have 100; pika reads from the socket until it has one to give, and a batch ends at 4 MB."""
    Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY]).close()
    publisher = Publisher(shared_rabbitmq)
    for _ in range(30):
        envelope = Envelope(uuid4(), LEGACY_ROUTING_KEY, b"x" * LARGE, "request")
        assert publisher.publish([envelope]) == [Outcome.CONFIRMED]
    publisher.close()
    done = subprocess.run(
        [sys.executable, "-m", "tests.rigs.consuming", "patients", "30"],
        input=json.dumps(dataclasses.asdict(shared_rabbitmq)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=True,
    )
    assert float(done.stdout) < MOST
