"""Messages over HTTP: posted both ways, kept before they are answered, found, marked as processed."""

import base64
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urljoin
from uuid import UUID

import pytest
from httpx import Response
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.read import read
from tests.builders.api import READ, WRITE, adapter, api, ask, internal, message_body, shared_api
from tests.builders.hl7 import adt, merge

MESSAGES = "/dhos/v1/message"
UNKNOWN = "2c4f1d24-2952-4d4e-b1d1-3637e33cc161"


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database."""
    return shared_api(database)


def post(app: ASGIApp, raw: bytes, **request: Any) -> Response:
    return ask(app, "POST", MESSAGES, token=adapter(WRITE), json=message_body(raw), **request)


def post_raw(app: ASGIApp, raw: bytes, content_type: str = "application/hl7-v2") -> Response:
    return ask(
        app, "POST", MESSAGES, token=adapter(WRITE), content=raw, headers={"Content-Type": content_type}
    )


def get(app: ASGIApp, path: str = "", **request: Any) -> Response:
    return ask(app, "GET", f"{MESSAGES}{path}", token=internal(READ), **request)


def posted(app: ASGIApp, raw: bytes) -> str:
    """Post a message that is accepted; its uuid."""
    answer = post(app, raw).json()
    assert read(base64.b64decode(answer["body"])).first("MSA").value(1) == "AA"  # type: ignore[union-attr]
    return str(answer["uuid"])


def test_a_message_shows_what_it_left_out(app: ASGIApp) -> None:
    whole, parted = posted(app, adt("A01")), posted(app, adt("A01", PV1_44="", PV1_2="", control_id="C1"))
    assert get(app, f"/{whole}").json()["left_out"] is None
    entry = {
        "code": "101",
        "location": "PV1^1^44",
        "text": "no process_encounter: it needs PV1-44, PV1-2",
    }
    assert get(app, f"/{parted}").json()["left_out"] == [entry]
    assert get(app, "/search/C1").json()[0]["left_out"] == [entry]


def test_a_message_in_json_is_kept_and_acknowledged_in_json(app: ASGIApp) -> None:
    raw = adt("A01", codec="latin-1", MSH_18="8859/1", family="MÜLLER")
    response = post(app, raw, headers={"X-Request-ID": "feed-7"})
    assert response.status_code == HTTPStatus.OK
    answer = response.json()
    assert answer["type"] == "HL7v2"
    ack = read(base64.b64decode(answer["body"]))
    assert ack.first("MSA").value(2) == read(raw).control_id  # type: ignore[union-attr]
    message = get(app, f"/{answer['uuid']}").json()
    assert base64.b64decode(message["body"]) == raw
    assert "MÜLLER" in message["content"]
    assert message["message_control_id"] == read(raw).control_id
    kept = {
        name: message[name] for name in ("ack_status", "state", "event_code", "correlation_id", "created_by")
    }
    assert kept == {
        "ack_status": "AA",
        "state": "accepted",
        "event_code": "ADT_A01",
        "correlation_id": "feed-7",
        "created_by": "dhos-robot",
    }
    assert (message["src_description"], message["dst_description"], message["is_processed"]) == (
        "tie",
        "dhos",
        False,
    )
    assert message["ack"].encode() == base64.b64decode(answer["body"])
    assert message["created"].endswith("Z")


@pytest.mark.parametrize("content_type", ["application/hl7-v2", "Application/HL7-v2; charset=utf-8"])
def test_a_raw_message_is_acknowledged_raw(app: ASGIApp, content_type: str) -> None:
    raw = adt("A03")
    response = post_raw(app, raw, content_type)
    assert response.status_code == HTTPStatus.OK
    assert response.headers["content-type"] == "application/hl7-v2; charset=utf-8"
    assert read(response.content).first("MSA").value(2) == read(raw).control_id  # type: ignore[union-attr]


def test_a_raw_acknowledgement_names_its_character_set(app: ASGIApp) -> None:
    response = post_raw(app, adt("A08", codec="latin-1", MSH_18="8859/1", family="MÜLLER"))
    assert response.headers["content-type"] in (
        "application/hl7-v2; charset=iso-8859-1",
        "application/hl7-v2; charset=windows-1252",
    )


@pytest.mark.parametrize("between", ["\n", "\r\n", " ", "\t"])
def test_base64_may_have_line_breaks_and_spaces(app: ASGIApp, between: str) -> None:
    encoded = base64.b64encode(adt()).decode()
    spaced = between.join(encoded[at : at + 76] for at in range(0, len(encoded), 76)) + between
    response = ask(app, "POST", MESSAGES, token=adapter(WRITE), json={"type": "HL7v2", "body": spaced})
    assert response.status_code == HTTPStatus.OK


def test_a_large_message_is_taken(app: ASGIApp) -> None:
    raw = adt(more=["NTE|1||" + "x" * 1_000_000])
    message = get(app, f"/{posted(app, raw)}").json()
    assert base64.b64decode(message["body"]) == raw


@pytest.mark.parametrize("raw", [b"not HL7 at all", b"\x00\xff\xfe", b"<xml/>", b"PID|1\r"])
@pytest.mark.parametrize("way", [post, post_raw])
def test_what_has_no_msh_is_400_and_kept(app: ASGIApp, raw: bytes, way: Any) -> None:
    response = way(app, raw)
    assert response.status_code == HTTPStatus.BAD_REQUEST
    uuid = response.json()["message"].split()[-1]
    message = get(app, f"/{UUID(uuid)}").json()
    assert (message["state"], message["ack_status"]) == ("unparseable", None)
    assert base64.b64decode(message["body"]) == raw


def test_a_refused_message_is_200_with_ar(app: ASGIApp) -> None:
    response = post_raw(app, adt(MSH_9="ORM^O01"))
    assert response.status_code == HTTPStatus.OK
    assert read(response.content).first("MSA").value(1) == "AR"  # type: ignore[union-attr]


def test_marking_as_processed_is_done_once_and_answered_alike(app: ASGIApp) -> None:
    uuid = posted(app, adt())
    for _ in range(2):
        response = ask(
            app, "PATCH", f"{MESSAGES}/{uuid}", token=internal(WRITE), json={"is_processed": True, "more": 1}
        )
        assert (response.status_code, response.content) == (HTTPStatus.NO_CONTENT, b"")
    message = get(app, f"/{uuid}").json()
    assert (message["is_processed"], message["modified_by"]) == (True, "dhos-robot")
    assert message["processed_at"] == message["modified"]


def test_what_is_not_there_is_404(app: ASGIApp) -> None:
    assert get(app, f"/{UNKNOWN}").status_code == HTTPStatus.NOT_FOUND
    response = ask(app, "PATCH", f"{MESSAGES}/{UNKNOWN}", token=internal(WRITE), json={"is_processed": True})
    assert response.json() == {"code": 404, "message": "there is no message with that uuid"}


@pytest.mark.parametrize("control_id", ["4711", "A/B", "/A//B/", "a b", "a+b", "ÄÖ", "%41", "search", "?x=1"])
def test_messages_are_found_by_control_id(app: ASGIApp, control_id: str) -> None:
    uuid = posted(app, adt(MSH_10=control_id))
    found = get(app, f"/search/{quote(control_id, safe='')}").json()
    assert [each["uuid"] for each in found] == [uuid]


def test_nothing_found_is_an_empty_list(app: ASGIApp) -> None:
    assert get(app, "/search/nothing").json() == []
    assert get(app, "/search", params={"identifier_type": "MRN", "identifier": "x"}).json() == []


def test_pages_follow_one_another_newest_first(app: ASGIApp) -> None:
    posted_uuids = [
        posted(app, adt(trigger, mrn="M-1 +%/ü")) for trigger in ("A01", "A02", "A08", "A03", "A08")
    ]
    query = {"identifier_type": "MRN", "identifier": "M-1 +%/ü", "limit": "2"}
    response = get(app, "/search", params=query)
    found = response.json()
    while "next" in response.links:
        address = urljoin(str(response.url), response.links["next"]["url"])
        response = ask(app, "GET", address, token=internal(READ))
        assert response.status_code == HTTPStatus.OK
        found += response.json()
    assert [each["uuid"] for each in found] == posted_uuids[::-1]
    assert all(each["matched_on"]["merged"] is False for each in found)


def test_pages_of_a_control_id_follow_one_another(app: ASGIApp) -> None:
    uuids = [posted(app, adt(MSH_10="4711", MSH_3=f"EPR{number}")) for number in range(3)]
    response = get(app, "/search/4711", params={"limit": 2})
    rest = ask(app, "GET", urljoin(str(response.url), response.links["next"]["url"]), token=internal(READ))
    assert [each["uuid"] for each in response.json() + rest.json()] == uuids[::-1]
    assert "next" not in rest.links


def test_a_message_says_that_its_merge_did_nothing_or_why_it_was_refused(app: ASGIApp) -> None:
    itself = posted(app, merge("A40", PID_3="1^^^RTH^MR", MRG_1="1"))
    refused = post(app, merge("A40", PID_3="1^^^RTH^MR", MRG_1="4711^^^USSSA^SS")).json()["uuid"]
    told = [get(app, f"/{uuid}").json() for uuid in (itself, refused)]
    assert [(each["ack_status"], each["error_location"]) for each in told] == [
        ("AA", None),
        ("AE", "MRG^1^1"),
    ]
    assert "nothing is merged" in told[0]["error_text"]
    assert "type SS, authority USSSA" in told[1]["error_text"]


@pytest.mark.parametrize(
    "asked", ["9434765919", "943 476 5919", " 943-476-5919", "943\u00a0476\u00a05919\u200b"]
)
def test_an_nhs_number_is_found_however_it_is_spelt(app: ASGIApp, asked: str) -> None:
    uuid = posted(app, adt(PID_3="943 476 5919^^^NHS^NH~1^^^RTH^MR"))
    query = {"identifier_type": "NHS number", "identifier": asked}
    [found] = get(app, "/search", params=query).json()
    assert found["uuid"] == uuid
    assert found["matched_on"] == {
        "identifier_type": "NHS number",
        "identifier": "9434765919",
        "merged": False,
    }


def test_after_a_merge_the_survivor_finds_both_and_says_so(app: ASGIApp) -> None:
    before = posted(app, adt("A01", mrn="OLD"))
    posted(app, merge("A40", mrn="NEW", old_mrn="OLD"))
    found = get(app, "/search", params={"identifier_type": "MRN", "identifier": "NEW"}).json()
    matched = {each["uuid"]: each["matched_on"] for each in found}
    assert matched[before] == {"identifier_type": "MRN", "identifier": "OLD", "merged": True}
    assert {"identifier_type": "MRN", "identifier": "NEW", "merged": False} in matched.values()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "identifier_type=MRN",
        "identifier=1",
        "identifier_type=SSN&identifier=1",
        "identifier_type=mrn&identifier=1",
        "identifier_type=MRN&identifier=",
        "identifier_type=MRN&identifier=%00",
        "identifier_type=MRN&identifier=%ED%A0%80",
        "identifier_type=MRN&identifier=%FF",
        "identifier_type=MRN&identifier=1&identifier=2",
        "identifier_type=MRN&identifier=" + "x" * 256,
        "identifier_type=MRN&identifier=1&limit=0",
        "identifier_type=MRN&identifier=1&limit=1001",
        "identifier_type=MRN&identifier=1&limit=-1",
        "identifier_type=MRN&identifier=1&limit=1.0",
        "identifier_type=MRN&identifier=1&limit=%C2%B2",
        "identifier_type=MRN&identifier=1&limit=" + "9" * 5000,
        "identifier_type=MRN&identifier=1&limit=5&limit=5000",
        "identifier_type=MRN&identifier=1&before=x",
        "identifier_type=MRN&identifier=1&before=",
        "identifier_type=MRN&identifier=1&before=%C2%B2" + "1" * 31,
        "&".join(f"x{number}=1" for number in range(200)),
    ],
)
def test_a_search_that_does_not_fit_is_400(app: ASGIApp, query: str) -> None:
    response = get(app, f"/search?{query}")
    assert response.status_code == HTTPStatus.BAD_REQUEST, response.text
    assert set(response.json()) == {"code", "message"}


def test_a_statement_that_fails_is_500_and_nothing_is_kept(app: ASGIApp, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("ALTER TABLE message_key ADD CONSTRAINT nothing CHECK (false) NOT VALID"))
    try:
        response = post(app, adt(MSH_10="LOST"))
        assert response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
        assert "LOST" not in response.text
    finally:
        with database.transaction() as connection:
            connection.execute(text("ALTER TABLE message_key DROP CONSTRAINT nothing"))
    assert get(app, "/search/LOST").json() == []


def test_without_the_database_a_message_is_503_with_a_time_to_come_back() -> None:
    away = post(api(), adt())
    assert away.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert int(away.headers["retry-after"]) > 0


def test_a_message_whose_body_has_had_its_time_says_so(app: ASGIApp, database: Database) -> None:
    uuid = posted(app, adt())
    there = get(app, f"/{uuid}").json()
    assert (there["content_removed"], there["content"] is None) == (False, False)
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM message_body"))
    for shown in (get(app, f"/{uuid}").json(), get(app, f"/search/{there['message_control_id']}").json()[0]):
        assert shown["content_removed"] is True
        assert [shown[name] for name in ("content", "charset", "ack")] == [None, None, None]
        assert shown["message_control_id"] == there["message_control_id"]
