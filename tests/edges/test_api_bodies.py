"""Bodies no handler should ever see: a 4xx with `code` and `message`, never a 500, nothing quoted."""

import json
from typing import Any

import pytest
from starlette.types import ASGIApp

from tests.builders.api import WRITE, api, ask, internal, message_body
from tests.builders.hl7 import adt

CANARY = "CANARY4711"
OPERATIONS = [
    ("POST", "/dhos/v1/message"),
    ("PATCH", "/dhos/v1/message/2c4f1d24-2952-4d4e-b1d1-3637e33cc161"),
    ("POST", "/dhos/v1/oru_message"),
    ("POST", "/dhos/v1/cda_message"),
]
NOT_JSON = {
    "nothing": b"",
    "spaces": b"   ",
    "half an object": b'{"type": "' + CANARY.encode(),
    "text": CANARY.encode(),
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "an empty object": b"{}",
    "deep": b"[" * 200_000,
    "deep and closed": b"[" * 200_000 + b"]" * 200_000,
    "deep objects": b'{"a":' * 200_000,
    "deep in the body": b'{"type":"HL7v2","body":' + b"[" * 900 + b"]" * 900 + b"}",
    "5,000 digits": b'{"type":"HL7v2","body":"","number":' + b"7" * 5000 + b"}",
    "invalid UTF-8": b'{"type":"HL7v2","body":"\xff"}',
    "UTF-16": '{"type":"HL7v2"}'.encode("utf-16"),
    "NaN": b'{"type":"HL7v2","body":"TVNI","number":NaN}',
    "Infinity": b'{"is_processed":true,"number":-Infinity}',
    "1e999": b'{"is_processed":true,"number":1e999}',
    "NUL": b'{"type":"HL7v3CDA","content":"\\u0000"}',
    "NUL in a name": b'{"is_processed":true,"\\u0000":1}',
    "half a surrogate": b'{"type":"HL7v3CDA","content":"\\ud83d"}',
    "surrogates the wrong way round": b'{"is_processed":true,"a":"\\udc00\\ud800"}',
    "a name twice": b'{"is_processed":false,"is_processed":true}',
    "wrong type": json.dumps({"type": CANARY, "body": "TVNI", "content": "<x/>"}).encode(),
    "body of another type": json.dumps({"type": "HL7v2", "body": {CANARY: 1}}).encode(),
}


@pytest.fixture(scope="module")
def app() -> ASGIApp:
    """Without a database: none of these requests may get that far."""
    return api()


def refused(app: ASGIApp, method: str, path: str, *statuses: int, **request: Any) -> dict[str, Any]:
    response = ask(app, method, path, token=internal(WRITE), **request)
    assert response.status_code in statuses, response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"code", "message"}
    assert response.json()["code"] == response.status_code
    assert CANARY not in response.text
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("name", NOT_JSON)
def test_what_is_not_a_fitting_json_body_is_400(app: ASGIApp, method: str, path: str, name: str) -> None:
    headers = {"Content-Type": "application/json"}
    refused(app, method, path, 400, content=NOT_JSON[name], headers=headers)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "application",
        "",
        ";",
        "a/b/c",
        "multipart/form-data",
        "x" * 5000,
        "*/*",
    ],
)
def test_another_content_type_is_415(app: ASGIApp, method: str, path: str, content_type: str) -> None:
    body = json.dumps(message_body(adt())).encode()
    refused(app, method, path, 415, content=body, headers={"Content-Type": content_type})


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("body", [b"", b"{}", b"MSH|^~\\&|"])
def test_no_content_type_is_415(app: ASGIApp, method: str, path: str, body: bytes) -> None:
    refused(app, method, path, 415, content=body)


@pytest.mark.parametrize(("method", "path"), OPERATIONS[1:])
def test_raw_hl7_is_for_one_operation_only(app: ASGIApp, method: str, path: str) -> None:
    refused(app, method, path, 415, content=adt(), headers={"Content-Type": "application/hl7-v2"})


@pytest.mark.parametrize("content_type", ["Application/JSON", "APPLICATION/json; charset=latin-1"])
def test_a_media_type_in_capitals_does_not_get_round_the_check(app: ASGIApp, content_type: str) -> None:
    refused(app, "POST", "/dhos/v1/message", 400, content=b'{"a": 1}', headers={"Content-Type": content_type})


@pytest.mark.parametrize(
    "text",
    [
        "?",
        "TVN",
        "TVNI=",
        "TVNI====",
        "T V N",
        "TVNI|",
        "TVNI-_",
        "TVNIé",
        "=",
        "TVNI\x0b",
        "VE=NI",
        " ",
        "\r\n",
    ],
)
def test_base64_with_junk_is_400(app: ASGIApp, text: str) -> None:
    refused(app, "POST", "/dhos/v1/message", 400, json={"type": "HL7v2", "body": text})


def test_an_empty_raw_message_is_400(app: ASGIApp) -> None:
    headers = {"Content-Type": "application/hl7-v2"}
    refused(app, "POST", "/dhos/v1/message", 400, content=b"", headers=headers)


def test_a_message_cannot_be_marked_as_not_processed(app: ASGIApp) -> None:
    for value in (False, 1, "true", None):
        refused(app, *OPERATIONS[1], 400, json={"is_processed": value})


@pytest.mark.parametrize(
    "uuid",
    ["1", "x" * 36, "2c4f1d24-2952-4d4e-b1d1-3637e33cc161%0A", "2c4f1d24%00", "%ED%A0%80", "%FF", "{}"],
)
def test_a_name_that_is_no_uuid_is_404(app: ASGIApp, uuid: str) -> None:
    refused(app, "PATCH", f"/dhos/v1/message/{uuid}", 404, json={"is_processed": True})


def test_a_body_at_the_limit_is_taken_and_one_byte_more_is_413() -> None:
    app = api(MAX_BODY_BYTES="2000")
    start, end = b'{"type":"HL7v2","x":"', b'"}'
    for length, status in ((2000, 400), (2001, 413)):
        body = start + b"x" * (length - len(start) - len(end)) + end
        found = refused(
            app,
            "POST",
            "/dhos/v1/message",
            status,
            content=body,
            headers={"Content-Type": "application/json"},
        )
        assert ("longer than 2000" in found["message"]) is (status == 413)
