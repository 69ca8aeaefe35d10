"""Batches over HTTP: application/hl7-v2-batch in, the batch of acknowledgements out."""

import pytest
from httpx import Response
from sqlalchemy import create_engine
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from tests.builders.api import WRITE, api, ask, internal, shared_api
from tests.builders.hl7 import adt
from tests.rigs.stored import count, published

_HEADER = b"FHS|^~\\&|EPR|RBH|||||||F1\rBHS|^~\\&|EPR|RBH|||||||B1\r"


def _post(app: ASGIApp, raw: bytes) -> Response:
    headers = {"Content-Type": "application/hl7-v2-batch"}
    return ask(app, "POST", "/dhos/v1/message", token=internal(WRITE), content=raw, headers=headers)


def _codes(response: Response) -> list[bytes]:
    return [line[4:6] for line in response.content.split(b"\r") if line[:3] == b"MSA"]


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return shared_api(database)


def test_every_message_of_a_batch_is_kept_and_acknowledged(app: ASGIApp, database: Database) -> None:
    raw = _HEADER + adt() + adt("A20") + b"MSH\r" + adt() + b"BTS|9\rFTS|1\r"
    response = _post(app, raw)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/hl7-v2-batch"
    assert _codes(response) == [b"AA", b"AR", b"AR", b"AA"]
    assert b"\rBTS|4|BTS-1 is wrong, 4 messages came\rFTS|1\r" in response.content
    assert count(database) == 4
    assert len(published(database)) == 2


def test_messages_without_any_header_are_a_batch_here(app: ASGIApp, database: Database) -> None:
    assert _codes(_post(app, adt() + adt())) == [b"AA", b"AA"]
    assert count(database) == 2


def test_a_plain_message_that_is_a_batch_is_still_refused(app: ASGIApp) -> None:
    headers = {"Content-Type": "application/hl7-v2"}
    raw = _HEADER + adt()
    response = ask(app, "POST", "/dhos/v1/message", token=internal(WRITE), content=raw, headers=headers)
    assert _codes(response) == [b"AR"]


def test_a_batch_of_some_hundred_messages_keeps_their_order(app: ASGIApp, database: Database) -> None:
    raws = [adt("A08", control_id=f"B{number}") for number in range(300)]
    response = _post(app, _HEADER + b"".join(raws) + b"BTS|300\rFTS|1\r")
    about = [line.split(b"|")[2] for line in response.content.split(b"\r") if line[:3] == b"MSA"]
    assert about == [f"B{number}".encode() for number in range(300)]
    with database.statements() as connection:
        kept = connection.exec_driver_sql(
            "SELECT message_control_id FROM message m JOIN outbox o ON o.message_uuid = m.uuid"
            " ORDER BY o.position"
        ).scalars()
        assert [each.encode() for each in kept] == about


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\xff\xfeB\x00", b"BHS|^~\\&|\r" + b"MSH|\r" * 10_001])
def test_what_is_no_batch_is_400(app: ASGIApp, raw: bytes) -> None:
    assert _post(app, raw).status_code == 400


def test_an_empty_batch_is_answered_by_an_empty_batch(app: ASGIApp) -> None:
    response = _post(app, b"BHS|^~\\&|EPR|RBH|||||||B1\rBTS|0\r")
    assert response.status_code == 200
    assert response.content.split(b"\r")[1:] == [b"BTS|0", b""]


def test_while_the_database_is_away_a_batch_gets_503() -> None:
    away = Database(create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))
    assert _post(api(away), _HEADER + adt() + adt() + b"BTS|2\r").status_code == 503
