"""Documents to Mirth by SOAP: what each answer means, and how its WSDL is fetched and kept."""

import io
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from dhos_connector_api import log
from dhos_connector_api.deliveries.rules.outcome import Accepted, DeliveryFailed, Kind
from dhos_connector_api.deliveries.transports.mirth import DESCRIPTION_LIFE, MirthTransport
from fakes.mirth import NEGATIVE, PATH, REASON, RETURNED, FakeMirth, key_of
from tests.builders.cda import cda
from tests.builders.mirth import PASSWORD, USER, failure, outgoing, running_mirth, transport
from tests.rigs.waiting import eventually

DESCRIPTION = [f"{PATH}?wsdl", f"{PATH}?xsd=1"]


@pytest.fixture
def mirth() -> Iterator[FakeMirth]:
    with running_mirth() as fake:
        yield fake


class Clock:
    """Stands still, and is moved by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def test_a_document_is_delivered_when_the_operation_returned(mirth: FakeMirth) -> None:
    document = cda(body="a\r\nb\tÜ €  \U0001f600 &amp; &lt;x&gt; ]]&gt; <![CDATA[<a>]]>")
    accepted = transport(mirth)(outgoing(document, request_id="request-8"))
    assert accepted == Accepted(200, None, RETURNED.encode())
    assert mirth.taken == [document]
    (attempt,) = mirth.behaviours.attempts(key_of(document))
    assert attempt.request_id == "request-8"


def test_a_mirth_without_a_user_gets_no_credentials() -> None:
    with running_mirth(user=None) as mirth:
        assert MirthTransport(mirth.base)(outgoing()) == Accepted(200, None, RETURNED.encode())
        assert len(mirth.taken) == 1
        refused = failure(MirthTransport(mirth.base, USER, PASSWORD))
    assert refused.http_status == 401


def test_a_mirth_with_a_user_refuses_whoever_names_none(mirth: FakeMirth) -> None:
    refused = failure(MirthTransport(mirth.base))
    assert (refused.kind, refused.http_status, mirth.taken) == (Kind.PERMANENT, 401, [])


def test_what_is_returned_is_kept_and_not_judged(mirth: FakeMirth) -> None:
    mirth.behaviours.give(["ack AE"])
    assert transport(mirth)(outgoing()) == Accepted(200, None, NEGATIVE.encode())


@pytest.mark.parametrize(
    ("behaviour", "kind", "status", "taken"),
    [
        ("client fault", Kind.PERMANENT, 500, 0),
        ("server fault", Kind.TRANSIENT, 500, 0),
        ("500", Kind.TRANSIENT, 500, 0),
        ("503", Kind.TRANSIENT, 503, 0),
        ("429", Kind.TRANSIENT, 429, 0),
        ("301", Kind.PERMANENT, 301, 0),
        ("307", Kind.PERMANENT, 307, 0),
        ("400", Kind.PERMANENT, 400, 0),
        ("403", Kind.PERMANENT, 403, 0),
        ("410", Kind.PERMANENT, 410, 0),
        ("202", Kind.AMBIGUOUS, 202, 0),
        ("empty", Kind.AMBIGUOUS, 200, 0),
        ("not soap", Kind.AMBIGUOUS, 200, 0),
        ("garbage", Kind.AMBIGUOUS, None, 0),
        ("reset", Kind.AMBIGUOUS, None, 0),
        ("lost", Kind.AMBIGUOUS, None, 1),
    ],
)
def test_every_other_answer_has_its_kind(
    mirth: FakeMirth, behaviour: str, kind: Kind, status: int | None, taken: int
) -> None:
    mirth.behaviours.give([behaviour])
    failed = failure(transport(mirth))
    assert (failed.kind, failed.http_status, len(mirth.taken)) == (kind, status, taken)
    assert failed.retry_after == (17.0 if behaviour == "429" else None)
    assert failed.detail == (REASON if "fault" in behaviour else None)
    assert REASON not in failed.text


def test_who_hangs_is_left_when_the_time_is_up(mirth: FakeMirth) -> None:
    mirth.behaviours.give(["hang", "accept"])
    send, message = transport(mirth), outgoing(seconds=0.5)
    assert failure(send, message).kind is Kind.AMBIGUOUS
    assert send(message).http_status == 200
    assert [each.behaviour for each in mirth.behaviours.attempts()] == ["hang", "accept"]


def test_the_time_is_for_wsdl_and_document_together(mirth: FakeMirth) -> None:
    mirth.behaviours.give([], delay=0.3)
    failed = failure(transport(mirth), outgoing(seconds=0.7))
    assert (failed.kind, failed.text) == (Kind.AMBIGUOUS, "sent, but not answered (TimeoutError)")
    failed = failure(transport(mirth), outgoing(seconds=0.2))
    assert (failed.kind, failed.text) == (Kind.TRANSIENT, "its WSDL: sent, but not answered (TimeoutError)")


def test_every_address_in_the_wsdl_is_taken_for_the_configured_host(mirth: FakeMirth) -> None:
    transport(mirth)(outgoing())
    assert mirth.described == DESCRIPTION
    assert mirth.tripwire.hits == 0
    assert any("INSIDE" in page for page in mirth.pages.values())


def test_a_wrong_password_is_final(mirth: FakeMirth) -> None:
    failed = failure(transport(mirth, password=PASSWORD[:-1]))
    assert (failed.kind, failed.http_status) == (Kind.PERMANENT, 401)
    send = transport(mirth)
    send(outgoing())
    mirth.authorization = "Basic changed"
    failed = failure(send)
    assert (failed.kind, failed.http_status) == (Kind.PERMANENT, 401)


def test_a_mirth_that_is_down_is_transient() -> None:
    with running_mirth() as mirth:
        send = transport(mirth)
    failed = failure(send)
    assert (failed.kind, failed.text) == (Kind.TRANSIENT, "its WSDL: no connection (ConnectionRefusedError)")


def test_what_is_no_utf_8_is_final_and_not_sent(mirth: FakeMirth) -> None:
    message = outgoing()
    broken = type(message)(message.delivery_uuid, None, b"<a>\xff</a>", "r", 5)
    assert failure(transport(mirth), broken).kind is Kind.PERMANENT
    assert mirth.behaviours.attempts() == []


def test_the_wsdl_is_fetched_once_for_many_documents(mirth: FakeMirth) -> None:
    send = transport(mirth)
    for _ in range(50):
        send(outgoing())
    assert mirth.described == DESCRIPTION
    assert len(mirth.taken) == 50


def test_the_wsdl_is_fetched_again_after_an_hour(mirth: FakeMirth) -> None:
    clock = Clock()
    send = transport(mirth, now=clock)
    send(outgoing())
    clock.time += DESCRIPTION_LIFE - timedelta(seconds=1)
    send(outgoing())
    assert mirth.described == DESCRIPTION
    clock.time += timedelta(seconds=1)
    send(outgoing())
    assert mirth.described == DESCRIPTION * 2
    clock.time -= timedelta(days=1)  # a clock that was set back must not keep it for a day
    send(outgoing())
    assert mirth.described == DESCRIPTION * 3


def test_a_wsdl_that_could_not_be_fetched_is_fetched_at_the_next_attempt(mirth: FakeMirth) -> None:
    good = mirth.pages.pop(f"{PATH}?xsd=1")
    send = transport(mirth)
    failed = failure(send)
    assert (failed.kind, failed.http_status) == (Kind.TRANSIENT, 404)
    mirth.pages[f"{PATH}?xsd=1"] = good
    assert send(outgoing()).http_status == 200


def test_threads_share_one_wsdl(mirth: FakeMirth) -> None:
    mirth.behaviours.give([], delay=0.1)
    send = transport(mirth)
    with ThreadPoolExecutor(16) as pool:
        accepted = list(pool.map(send, [outgoing() for _ in range(64)]))
    assert {each.http_status for each in accepted} == {200}
    assert mirth.described == DESCRIPTION
    assert len(set(mirth.taken)) == 64


def test_who_waits_for_the_wsdl_waits_no_longer_than_his_own_time(mirth: FakeMirth) -> None:
    mirth.behaviours.give([], delay=0.4)
    send = transport(mirth)
    first = threading.Thread(target=send, args=(outgoing(),))
    first.start()
    eventually(lambda: mirth.described)
    failed = failure(send, outgoing(seconds=0.1))
    first.join()
    assert (failed.kind, failed.text) == (Kind.TRANSIENT, "its WSDL is still being fetched")
    assert len(mirth.taken) == 1


def test_no_log_and_no_error_holds_document_password_or_answer(mirth: FakeMirth) -> None:
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    canary = f"CANARY{PASSWORD[:8]}"
    texts = []
    log.set_up("DEBUG", "json", stream)
    logging.getLogger("zeep").setLevel(logging.DEBUG)  # as if it had not been silenced
    try:
        for behaviour in ("accept", "ack AE", "client fault", "server fault", "not soap", "hang", "500"):
            mirth.behaviours.give([behaviour])
            message = outgoing(cda(title=f"<title>{canary}</title>"), seconds=0.5)
            try:
                transport(mirth)(message)
            except DeliveryFailed as failed:
                texts += [failed.text, repr(failed), str(failed.__cause__)]
        texts.append(repr(transport(mirth)))
    finally:
        root.handlers[:], root.level = handlers, level
        logging.getLogger("zeep").setLevel(logging.CRITICAL)
    logged = stream.getvalue()
    assert '"zeep.' in logged
    for secret in (canary, PASSWORD, transport(mirth)._credentials["Authorization"], REASON, RETURNED):
        assert secret not in logged + "".join(texts)


def test_a_base_address_may_have_any_path(mirth: FakeMirth) -> None:
    mirth.pages["/other?wsdl"] = mirth.pages.pop(f"{PATH}?wsdl")
    assert MirthTransport(f"{mirth.url}/other", USER, PASSWORD)(outgoing()).http_status == 200
