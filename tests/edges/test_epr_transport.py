"""ORU messages to the EPR service adapter: delivered only when our own message was acknowledged."""

import secrets
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from dhos_connector_api.auth.jwt import Issuer
from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.deliveries.rules.outcome import DeliveryFailed, Kind, Outgoing
from dhos_connector_api.deliveries.transports.epr import EprTransport
from fakes.epr import REASON, FakeEpr

KEY = secrets.token_hex(64)
NAME = "http://epr.test/"


@pytest.fixture
def epr() -> Iterator[FakeEpr]:
    with FakeEpr(("127.0.0.1", 0), NAME, KEY) as fake:
        yield fake


def transport(url: str, key: str = KEY) -> EprTransport:
    return EprTransport(url, Issuer("epr_adapter", NAME, (key,)), "write:hl7_message", timedelta(minutes=5))


def oru(control_id: str = "ORU1", *, seconds: float = 10) -> Outgoing:
    body = f"MSH|^~\\&|DHOS|DHOS|EPR|RBH|20260101000000||ORU^R01^ORU_R01|{control_id}|P|2.6\rPID|1".encode()
    return Outgoing(uuid4(), control_id, body, "request-7", seconds)


@pytest.mark.parametrize(("behaviour", "code"), [("accept", "AA"), ("CA", "CA")])
def test_an_acknowledged_message_is_delivered(epr: FakeEpr, behaviour: str, code: str) -> None:
    epr.behaviours.give([behaviour])
    accepted = transport(f"{epr.url}/")(oru())
    assert (accepted.http_status, accepted.ack_code) == (200, code)
    assert accepted.ack is not None
    assert accepted.ack.endswith(f"MSA|{code}|ORU1\r".encode())
    assert epr.taken == [oru().body.decode()]
    assert epr.behaviours.attempts()[0].request_id == "request-7"


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_is_final_and_says_why(epr: FakeEpr, code: str) -> None:
    epr.behaviours.give([code])
    with pytest.raises(DeliveryFailed) as caught:
        transport(epr.url)(oru())
    failed = caught.value
    assert (failed.kind, failed.ack_code, failed.detail) == (Kind.PERMANENT, code, REASON)
    assert REASON not in failed.text


@pytest.mark.parametrize(
    ("behaviour", "kind", "status"),
    [
        ("500", Kind.TRANSIENT, 500),
        ("503", Kind.TRANSIENT, 503),
        ("429", Kind.TRANSIENT, 429),
        ("408", Kind.TRANSIENT, 408),
        ("400", Kind.PERMANENT, 400),
        ("410", Kind.PERMANENT, 410),
        ("301", Kind.PERMANENT, 301),
        ("other", Kind.AMBIGUOUS, 200),
        ("no ack", Kind.AMBIGUOUS, 200),
        ("empty", Kind.AMBIGUOUS, 200),
        ("garbage", Kind.AMBIGUOUS, None),
        ("reset", Kind.AMBIGUOUS, None),
        ("lost", Kind.AMBIGUOUS, None),
        ("hang", Kind.AMBIGUOUS, None),
    ],
)
def test_every_other_answer_has_its_kind(
    epr: FakeEpr, behaviour: str, kind: Kind, status: int | None
) -> None:
    epr.behaviours.give([behaviour])
    with pytest.raises(DeliveryFailed) as caught:
        transport(epr.url)(oru(seconds=0.3 if behaviour == "hang" else 10))
    assert (caught.value.kind, caught.value.http_status) == (kind, status)
    assert caught.value.retry_after == (17 if behaviour == "429" else None)
    assert epr.tripwire.hits == 0


def test_an_adapter_that_is_not_there_was_sent_nothing() -> None:
    with pytest.raises(DeliveryFailed) as caught:
        transport(f"http://127.0.0.1:{free_port()}")(oru())
    assert caught.value.kind is Kind.TRANSIENT


def test_a_token_of_another_key_is_refused(epr: FakeEpr) -> None:
    with pytest.raises(DeliveryFailed) as caught:
        transport(epr.url, secrets.token_hex(64))(oru())
    assert (caught.value.kind, caught.value.http_status) == (Kind.PERMANENT, 401)
    assert epr.taken == []
