"""Before `migrate` has run every door says 503 or nothing at all, and the log says why."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine

from dhos_connector_api.app.storage import check_ready
from dhos_connector_api.auth import api_keys
from dhos_connector_api.causes import Cause
from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.hl7v2.framing import Frame
from dhos_connector_api.intake.arrival import Door
from dhos_connector_api.intake.door_names import DoorName, Way
from dhos_connector_api.mllp.answering import FrameAnswerer, ReceivedFrame
from tests.builders.api import READ, WRITE, api, ask, internal, message_body
from tests.builders.his import HIS_SECRET, INTAKE, WRITE_HIS, payload, raw_of, signed_headers, stay, webhook
from tests.builders.hl7 import adt
from tests.builders.mllp import listener
from tests.rigs.command_line import run
from tests.rigs.processes import environment
from tests.rigs.shared_postgres import temporary_database

JSON = {"Content-Type": "application/json"}
_UUID = "2c4f1d24-2952-4d4e-b1d1-3637e33cc161"
_EVENT = {"source_system": "his", "event_code": "OPD", "encounter_id": "V1", "patient_identifier": "M1"}
_MANY = internal(WRITE, READ, WRITE_HIS, "read:his", "admin:his")


@pytest.fixture(scope="module")
def not_migrated(postgres: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A database that nobody has migrated."""
    with temporary_database(postgres) as address:
        yield address


@pytest.fixture
def unmigrated(not_migrated: DatabaseAddress) -> Iterator[Database]:
    engine = create_engine(not_migrated.url(), **engine_options(pool_size=4))
    yield Database(engine)
    engine.dispose()


def _requests() -> Iterator[Any]:
    raw = raw_of(webhook())
    patients = raw_of(payload(stay()))
    events = "/api/integrations/events/"
    yield "message", "POST", "/dhos/v1/message", {"json": message_body(adt())}
    yield "message by uuid", "GET", f"/dhos/v1/message/{_UUID}", {}
    yield "deliveries", "GET", "/dhos/v1/delivery", {}
    yield "retry", "POST", f"/dhos/v1/delivery/{_UUID}/retry", {}
    yield "HIS", "POST", "/api/integrations/his-patient-data/", {"content": patients, "headers": JSON}
    yield "event", "POST", events, {"json": _EVENT}
    yield "events", "POST", f"{events}bulk_create/", {"json": {"events": [_EVENT, _EVENT]}}
    yield "list of events", "GET", events, {}
    yield "webhook", "POST", "/api/v1/webhooks/his/events", {"content": raw, "headers": signed_headers(raw)}
    yield (
        "API key",
        "GET",
        events,
        {"headers": {"X-API-Key": api_keys.make(b"k" * api_keys.KEY_BYTES).text}, "token": None},
    )


@pytest.mark.parametrize(
    ("method", "path", "request_"), [pytest.param(*r, id=name) for name, *r in _requests()]
)
def test_every_door_is_503_before_the_database_is_migrated(
    unmigrated: Database, method: str, path: str, request_: dict[str, Any]
) -> None:
    app = api(unmigrated, changes={"intake": lambda: INTAKE}, HIS_WEBHOOK_SECRET=HIS_SECRET)
    answer = ask(app, method, path, **({"token": _MANY} | request_))
    assert answer.status_code == 503, answer.text
    assert "the database is not migrated" in answer.text
    assert answer.headers["retry-after"]


def test_no_frame_is_acknowledged_before_the_database_is_migrated(unmigrated: Database) -> None:
    contents = [adt() for _ in range(3)]
    door = Door(name=DoorName(Way.MLLP, "test"))
    frames = [ReceivedFrame(Frame(each, len(each)), listener(), door, "1") for each in contents]
    assert FrameAnswerer(unmigrated, lambda: INTAKE).answer(frames) == [None] * 3
    assert FrameAnswerer(unmigrated, lambda: INTAKE).answer(frames[:1]) == [None]


def test_the_cause_is_not_migrated(unmigrated: Database) -> None:
    with pytest.raises(StorageUnavailable) as caught:
        check_ready(unmigrated, in_production=False)
    assert caught.value.fault is not None
    assert caught.value.fault.cause is Cause.NOT_MIGRATED


@pytest.mark.parametrize("command", [["messages", "list"], ["outbox", "list"], ["deliveries", "list"]])
def test_a_command_says_so_in_one_line(not_migrated: DatabaseAddress, command: list[str]) -> None:
    done = run(environment(not_migrated, LOG_LEVEL="ERROR"), *command)
    assert done.returncode == 1
    where = f"PostgreSQL at {not_migrated.host}:{not_migrated.port}: not migrated"
    assert done.stderr == f"Error: the database is not migrated ({where})\n"


def test_the_log_has_the_cause(not_migrated: DatabaseAddress) -> None:
    done = run(environment(not_migrated, LOG_FORMAT="json"), "messages", "list")
    (line,) = [json.loads(each) for each in done.stderr.splitlines() if each.startswith("{")]
    assert (line["message"], line["cause"]) == ("PostgreSQL cannot be used", "not migrated")
