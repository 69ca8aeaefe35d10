"""Content-Encoding at every operation: gzip, within the bounds of any body; others are 415. Methods: 405."""

import gzip
import json
import tracemalloc
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.spec import document as specification
from dhos_connector_api.spec.document import Operation
from tests.builders.api import UNLIMITED, WRITE, api, ask, internal, message_body, shared_api
from tests.builders.his import HIS_SECRET, INTAKE, payload, raw_of, signed_headers, webhook
from tests.builders.hl7 import adt
from tests.builders.people import Anybody
from tests.rigs.stored import count

OPERATIONS = list(specification.operations(specification.load()))
WITH_BODY = [each for each in OPERATIONS if "requestBody" in each.definition]
MESSAGES = "/dhos/v1/message"
UUID = "2c4f1d24-2952-4d4e-b1d1-3637e33cc161"
LIMIT = 100_000


@pytest.fixture(scope="module")
def away() -> ASGIApp:
    """The application without its database."""
    changes = {**UNLIMITED, "people": Anybody()}
    return api(changes=changes, MAX_BODY_BYTES=str(LIMIT), HIS_WEBHOOK_SECRET=HIS_SECRET)


def path_of(operation: Operation) -> str:
    path = operation.path
    for each in operation.parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", UUID)
    return path


def asked(app: ASGIApp, operation: Operation, coding: str, content: bytes) -> Response:
    scopes = [scope for each in operation.definition["security"] for scope in each.get("token", ())]
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    return ask(
        app,
        operation.method.upper(),
        path_of(operation),
        token=internal(*scopes),
        content=content,
        headers=headers,
    )


def test_the_specification_says_that_gzip_is_taken_and_what_counts() -> None:
    document = specification.load()
    assert "`Content-Encoding: gzip`" in document["info"]["description"]
    responses = document["components"]["responses"]
    assert all("unpacked" in responses[name]["description"] for name in ("TooLarge", "ApiTooLarge"))


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.id)
def test_another_content_encoding_is_415_and_says_what_is_taken(away: ASGIApp, operation: Operation) -> None:
    for coding in ("br", "deflate", "zstd", "gzip, gzip", "gzip;q=1", "nonsense"):
        response = asked(away, operation, coding, b"{}")
        assert response.status_code == 415, coding
        assert response.headers["accept-encoding"] == "gzip", coding
        assert "Content-Encoding" in response.text, coding


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.id)
def test_a_gzipped_body_is_answered_as_the_same_body(away: ASGIApp, operation: Operation) -> None:
    body = b'{"no": "such"}'
    plain = asked(away, operation, "identity", body)
    for coding in ("gzip", "GZIP", "x-gzip"):
        packed = asked(away, operation, coding, gzip.compress(body))
        assert (packed.status_code, packed.json()) == (plain.status_code, plain.json())


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.id)
def test_what_says_it_is_gzip_and_is_not_is_400(away: ASGIApp, operation: Operation) -> None:
    for content in (b"{}", b"", gzip.compress(b"{}")[:-3]):
        response = asked(away, operation, "gzip", content)
        assert response.status_code == 400, content
        assert "gzip" in response.text, content


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.id)
def test_what_comes_out_may_be_as_long_as_any_body(away: ASGIApp, operation: Operation) -> None:
    bomb = gzip.compress(b" " * (100 * LIMIT))
    tracemalloc.start()
    try:
        response = asked(away, operation, "gzip", bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert response.status_code == 413
    assert peak < 20 * LIMIT


def test_what_comes_out_counts_as_held() -> None:
    app = api(MAX_BODY_BYTES="1000000", BODY_BUDGET_BYTES="1000000")
    fits = gzip.compress(b" " * 999_999)
    for _ in range(3):  # its room is given back
        response = ask(
            app, "POST", MESSAGES, token=internal(WRITE), content=fits,
            headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        )  # fmt: skip
        assert response.status_code == 400


def _post(app: ASGIApp, path: str, body: bytes, content_type: str, **headers: Any) -> Response:
    headers = {"Content-Type": content_type, "Content-Encoding": "gzip", **headers}
    return ask(app, "POST", path, token=internal(WRITE), content=gzip.compress(body), headers=headers)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", json.dumps(message_body(adt(control_id="G1"))).encode()),
        ("application/hl7-v2", adt(control_id="G1")),
        ("application/hl7-v2+er7", adt(control_id="G1")),
        ("application/hl7-v2-batch", b"BHS|^~\\&|A|B\r" + adt(control_id="G1") + b"BTS|1\r"),
    ],
)
def test_messages_may_be_gzipped(database: Database, content_type: str, body: bytes) -> None:
    assert _post(shared_api(database), MESSAGES, body, content_type).status_code == 200
    with database.statements() as connection:
        query = "SELECT message_control_id FROM message"
        assert connection.execute(text(query)).scalars().all() == ["G1"]
    assert count(database) == 1


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
def test_another_method_is_405_and_says_which_are_taken(away: ASGIApp, operation: Operation) -> None:
    taken = {each.method.upper() for each in OPERATIONS if each.path == operation.path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - taken:
        response = ask(away, method, path_of(operation))
        assert response.status_code == 405, method
        assert set(response.headers["allow"].split(", ")) - {"HEAD"} == taken, method


def test_a_webhook_is_signed_before_it_is_gzipped(database: Database) -> None:
    app = api(database, changes=UNLIMITED, HIS_WEBHOOK_SECRET=HIS_SECRET)
    raw = raw_of(webhook())
    headers = {**signed_headers(raw), "Content-Type": "application/json", "Content-Encoding": "gzip"}
    path = next(each.path for each in OPERATIONS if each.id == "post_his_webhook")
    assert ask(app, "POST", path, content=gzip.compress(raw), headers=headers).status_code == 200
    with database.statements() as connection:
        assert bytes(connection.execute(text("SELECT received FROM message_body")).scalar_one()) == raw


def test_patient_data_may_be_gzipped(database: Database) -> None:
    raw = raw_of(payload())
    operation = next(each for each in OPERATIONS if each.id == "post_his_patient_data")
    app = api(database, changes={"intake": lambda: INTAKE})
    assert asked(app, operation, "gzip", gzip.compress(raw)).status_code == 200
    with database.statements() as connection:
        assert bytes(connection.execute(text("SELECT received FROM message_body")).scalar_one()) == raw
