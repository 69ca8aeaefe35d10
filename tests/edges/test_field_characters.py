"""Character sets and lines as the field sends them, at every door: HTTP, batches, MLLP; and in a replay."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.hl7v2.rules import Code
from dhos_connector_api.intake.replay import replay
from dhos_connector_api.mllp.answering import FrameAnswerer
from tests.builders.api import READ, WRITE, ask, internal, message_body, shared_api
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE
from tests.builders.mllp import Client, serving
from tests.rigs.command_line import run
from tests.rigs.processes import environment

MESSAGES = "/dhos/v1/message"
ER7 = "application/hl7-v2+er7"
_REMARK = "read as UTF-8, as its bytes are, though another character set is declared"

Send = Callable[[bytes], bytes]


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return shared_api(database)


def post(app: ASGIApp, raw: bytes, content_type: str) -> Any:
    headers = {"Content-Type": content_type}
    return ask(app, "POST", MESSAGES, token=internal(WRITE), content=raw, headers=headers)


def _as_json(app: ASGIApp, raw: bytes) -> bytes:
    answer = ask(app, "POST", MESSAGES, token=internal(WRITE), json=message_body(raw)).json()
    return base64.b64decode(answer["body"])


@pytest.fixture(params=["json", "raw", "er7", "batch", "mllp", "mllp batch"])
def send(request: pytest.FixtureRequest, app: ASGIApp, database: Database) -> Iterator[Send]:
    """Each way in: a message goes in, what was answered comes out."""
    batch = b"BHS|^~\\&|EPR|RBH\r"
    if request.param.startswith("mllp"):
        before = batch if request.param == "mllp batch" else b""
        with serving(FrameAnswerer(database, lambda: INTAKE).answer) as running, Client(running.port) as peer:
            yield lambda raw: peer.ask(before + raw)
        return
    yield {
        "json": lambda raw: _as_json(app, raw),
        "raw": lambda raw: post(app, raw, "application/hl7-v2").content,
        "er7": lambda raw: post(app, raw, ER7).content,
        "batch": lambda raw: post(app, batch + raw, "application/hl7-v2-batch").content,
    }[request.param]


def _row(database: Database) -> Any:
    with database.statements() as connection:
        query = (
            "SELECT m.*, b.charset, b.content FROM message m JOIN message_body b ON b.message_uuid = m.uuid"
        )
        return connection.execute(text(query)).mappings().one()


def _envelope(database: Database) -> str:
    with database.statements() as connection:
        return bytes(connection.execute(text("SELECT body FROM outbox")).scalar_one()).decode()


def test_a_line_break_in_a_field_is_kept(send: Send, database: Database) -> None:
    assert b"\rMSA|AA|" in send(adt(family="O\nMSH the Second"))
    assert "|O\nMSH the Second^" in _row(database)["content"]
    assert '"O MSH the Second"' in _envelope(database), "of no code and no name is a line break a part"


@pytest.mark.parametrize("declared", ["8859/1", "ASCII"])
def test_utf_8_under_another_name_is_read_and_remarked_on(
    send: Send, database: Database, declared: str
) -> None:
    assert b"\rMSA|AA|" in send(adt(MSH_18=declared, family="Łódź"))
    row = _row(database)
    assert "Łódź" in row["content"]
    assert (row["charset"], row["remarks"]) == ("utf-8", _REMARK)


def test_an_unknown_character_set_is_named(send: Send, database: Database) -> None:
    answer = send(adt(version="2.5", MSH_18="GB 2312", family="É", codec="latin-1"))
    assert b"\rMSA|AE|" in answer
    assert b"The character set GB 2312 is not known here" in answer
    assert _row(database)["remarks"] is None


def test_what_may_be_a_patient_is_no_name_of_a_character_set(send: Send, database: Database) -> None:
    answer = send(adt(version="2.5", MSH_18="TESTER TOM 19820305", family="É", codec="latin-1"))
    assert b"The character set named is not known here" in answer
    assert "TESTER" not in _row(database)["error_text"]


def test_gb_18030_is_taken(send: Send, database: Database) -> None:
    assert b"\rMSA|AA|" in send(adt(MSH_18="GB 18030-2000", family="王小明", codec="gb18030"))
    assert "王小明" in _row(database)["content"]


@pytest.mark.parametrize("content_type", ["application/hl7-v2", ER7, "application/hl7-v2-batch"])
def test_the_charset_of_the_content_type_governs_where_msh_18_is_empty(
    app: ASGIApp, database: Database, content_type: str
) -> None:
    raw = adt(family="Łódź", codec="iso8859_2")
    answer = post(app, raw, f'{content_type}; charset="ISO-8859-2"')
    assert b"\rMSA|AA|" in answer.content
    row = _row(database)
    assert "Łódź" in row["content"]
    assert (row["charset"], row["door_charset"], row["remarks"]) == ("iso8859_2", "ISO-8859-2", None)


def test_msh_18_goes_before_the_charset_of_the_content_type(app: ASGIApp, database: Database) -> None:
    raw = adt(MSH_18="8859/2", family="Łódź", codec="iso8859_2")
    assert b"\rMSA|AA|" in post(app, raw, f"{ER7}; charset=iso-8859-1").content
    assert "Łódź" in _row(database)["content"]


@pytest.mark.parametrize("content_type", ["application/hl7-v2", ER7, "application/hl7-v2-batch"])
@pytest.mark.parametrize(
    ("charset", "said"),
    [
        ("x-sjis", "The character set x-sjis is not known here (Content-Type), and the bytes are not UTF-8."),
        ("TOM1982", "The character set named is not known here (Content-Type), and the bytes are not UTF-8."),
        ("utf-8", "The bytes do not fit the charset of the Content-Type."),
        ("us-ascii", "The bytes do not fit the charset of the Content-Type."),
    ],
)
@pytest.mark.parametrize("msh_18", ["", '""', "~"])
def test_a_charset_of_the_content_type_is_blamed_as_that(
    app: ASGIApp, database: Database, content_type: str, charset: str, said: str, msh_18: str
) -> None:
    raw = adt(version="2.5", MSH_18=msh_18, family="É", codec="latin-1")
    answer = post(app, raw, f"{content_type}; charset={charset}").content
    assert said.encode() in answer
    assert b"MSH^1^18" not in answer
    row = _row(database)
    assert (row["error_code"], row["error_location"], row["error_text"]) == ("102", None, said)


def test_msh_18_is_blamed_for_what_it_says_whatever_the_content_type(
    app: ASGIApp, database: Database
) -> None:
    raw = adt(version="2.5", MSH_18="UNICODE UTF-8", family="É", codec="latin-1")
    assert b"MSH^1^18" in post(app, raw, f"{ER7}; charset=UNICODE").content
    assert b"(MSH-18)" in post(app, raw, f"{ER7}; charset=x-sjis").content
    assert post(app, adt(), f"{ER7}; charset=x-sjis").content.count(b"\rMSA|AA|") == 1


def test_a_replay_reads_by_the_charset_of_the_content_type(app: ASGIApp, database: Database) -> None:
    raw = adt(MSH_11="T", MSH_9="ADT^A01", family="Łódź", codec="iso8859_2")
    assert b"\rMSA|AA|" in post(app, raw, f"{ER7}; charset=iso-8859-2").content
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM outbox"))
    assert replay(database, _row(database)["uuid"], INTAKE, by="test").refusal is None
    assert "Łódź" in _envelope(database)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("application/hl7-v2", "application/hl7-v2"),
        (ER7, ER7),
        ("Application/HL7-v2+ER7; charset=utf-8", ER7),
    ],
)
def test_er7_is_the_same_media_type_and_answered_in_kind(app: ASGIApp, asked: str, answered: str) -> None:
    answer = post(app, adt(), asked)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{answered}; charset=utf-8"


def test_get_and_messages_show_say_how_it_was_read(
    app: ASGIApp, database: Database, address: DatabaseAddress
) -> None:
    assert f"MSA|{Code.AA}" in _as_json(app, adt(MSH_18="8859/1", family="Ö")).decode()
    uuid = _row(database)["uuid"]
    assert ask(app, "GET", f"{MESSAGES}/{uuid}", token=internal(READ)).json()["remarks"] == _REMARK
    shown = run(environment(address, LOG_LEVEL="ERROR"), "messages", "show", str(uuid)).stdout
    assert _REMARK in shown
