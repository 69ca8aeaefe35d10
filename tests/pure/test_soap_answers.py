"""SOAP answers of Mirth: what was returned, what faults mean, and what is no answer."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhos_connector_api.deliveries.rules.outcome import Accepted, DeliveryFailed, Kind
from dhos_connector_api.deliveries.transports.http import Reply
from dhos_connector_api.deliveries.transports.mirth import judge
from dhos_connector_api.deliveries.transports.soap import Fault, Returned, read_answer

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"


def reply(body: str | bytes, status: int = 200, content_type: str = "text/xml", **more: str) -> Reply:
    encoded = body if isinstance(body, bytes) else body.encode()
    return Reply(status, {"content-type": content_type, **more}, encoded)


def envelope(body: str, namespace: str = SOAP_11, head: str = "") -> str:
    return f"{head}<S:Envelope xmlns:S='{namespace}'><S:Header/><S:Body>{body}</S:Body></S:Envelope>"


def response(returned: str) -> str:
    return envelope(f"<r:acceptMessageResponse xmlns:r='urn:r'>{returned}</r:acceptMessageResponse>")


def fault_11(code: str, text: str = "why") -> str:
    return envelope(
        f"<S:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring>"
        "<detail><faultcode>S:Other</faultcode></detail></S:Fault>"
    )


def fault_12(code: str, text: str = "why") -> str:
    return envelope(
        f"<S:Fault><S:Code><S:Value>{code}</S:Value><S:Subcode><S:Value>m:Deep</S:Value></S:Subcode>"
        f"</S:Code><S:Reason><S:Text xml:lang='en'>{text}</S:Text><S:Text xml:lang='de'>warum</S:Text>"
        "</S:Reason></S:Fault>",
        SOAP_12,
    )


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (response("<return>taken</return>"), "taken"),
        (response("<return>&lt;a/&gt;<![CDATA[&]]></return>"), "<a/>&"),
        (response("<r:return xmlns:r='urn:x'>taken</r:return>"), "taken"),
        (response("<return/>"), ""),
        (response(""), ""),
        (response("<return>one</return><return>two</return>"), "one"),
        (envelope("<acceptMessageResponse/>", SOAP_12), ""),
        (envelope("<acceptMessageResponse/>", head="\ufeff<?xml version='1.0'?><!-- c -->"), ""),
    ],
)
def test_what_was_returned_is_read(body: str, value: str) -> None:
    assert read_answer(reply(body)) == Returned(value)
    assert judge(reply(body), NOW) == Accepted(200, None, value.encode() or None)


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("latin-1", "text/xml; charset=ISO-8859-1"),
        ("utf-16", "text/xml"),
        ("utf-8", 'application/soap+xml; charset="utf-8"'),
        ("utf-8", ""),
    ],
)
def test_an_answer_may_be_in_another_encoding(encoding: str, content_type: str) -> None:
    body = response("<return>größer</return>").encode(encoding)
    assert read_answer(reply(body, content_type=content_type)) == Returned("größer")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("S:Client", Kind.PERMANENT),
        ("Client", Kind.PERMANENT),
        (" env:Client.Authentication ", Kind.PERMANENT),
        ("S:Sender", Kind.PERMANENT),
        ("S:VersionMismatch", Kind.PERMANENT),
        ("S:MustUnderstand", Kind.PERMANENT),
        ("S:DataEncodingUnknown", Kind.PERMANENT),
        ("S:Server", Kind.TRANSIENT),
        ("S:Server.Busy", Kind.TRANSIENT),
        ("S:Receiver", Kind.TRANSIENT),
        ("S:CANARY", Kind.TRANSIENT),
        ("", Kind.TRANSIENT),
    ],
)
@pytest.mark.parametrize("make", [fault_11, fault_12])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_the_code_of_a_fault_says_whether_it_passes(code: str, kind: Kind, make: object, status: int) -> None:
    body = fault_11(code) if make is fault_11 else fault_12(code)
    with pytest.raises(DeliveryFailed) as caught:
        judge(reply(body, status, **{"retry-after": "9"}), NOW)
    failed = caught.value
    assert (failed.kind, failed.detail, failed.http_status) == (kind, "why", status)
    assert failed.retry_after == (9.0 if kind is Kind.TRANSIENT and status == 500 else None)
    assert "CANARY" not in failed.text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((each, Kind.PERMANENT) for each in (301, 401, 403, 410)),
        (429, Kind.TRANSIENT),
        (503, Kind.TRANSIENT),
    ],
)
def test_other_statuses_say_more_than_the_fault(status: int, kind: Kind) -> None:
    for body in (fault_11("S:Server"), fault_11("S:Client")):
        with pytest.raises(DeliveryFailed) as caught:
            judge(reply(body, status), NOW)
        assert (caught.value.kind, caught.value.detail) == (kind, "why")


def test_a_fault_beside_a_response_is_a_fault() -> None:
    body = response("<return>taken</return>").replace("</S:Body>", "<S:Fault/></S:Body>")
    assert read_answer(reply(body)) == Fault("", "")


def test_the_text_of_a_fault_is_fit_to_be_stored() -> None:
    with pytest.raises(DeliveryFailed) as caught:
        judge(reply(fault_11("S:Client", " x" * 10_000), 500), NOW)
    assert caught.value.detail is not None
    assert len(caught.value.detail) == 1000


@pytest.mark.parametrize(
    "body",
    [
        "",
        "OK",
        "<html><body>Welcome</body></html>",
        "<acceptMessageResponse/>",
        envelope(""),
        envelope("<acceptMessage/>"),
        envelope("<other><acceptMessageResponse/></other>"),
        envelope("<acceptMessageResponse/>", "urn:no-soap"),
        response("<return>cut</ret"),
        response("<return>&e;</return>"),
        f"<!DOCTYPE a [<!ENTITY e 'x'>]>{response('<return>&e;</return>')}",
        response("<return/>").replace("S:Body", "S:Header"),
        "--boundary\r\nContent-Type: text/xml\r\n\r\n" + response("") + "\r\n--boundary--",
    ],
    ids=range(13),
)
def test_what_is_no_answer_is_ambiguous(body: str) -> None:
    for content_type in ("", "multipart/related; boundary=boundary"):
        assert read_answer(reply(body, content_type=content_type)) is None
        with pytest.raises(DeliveryFailed) as caught:
            judge(reply(body, content_type=content_type), NOW)
        assert caught.value.kind is Kind.AMBIGUOUS


@given(st.binary(), st.text(), st.integers(200, 599))
def test_no_answer_is_taken_for_anything_else(body: bytes, content_type: str, status: int) -> None:
    assert read_answer(Reply(status, {"content-type": content_type}, body)) is None
