"""Messages to the hospital over MLLP: delivered only when our own message was acknowledged."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from dhos_connector_api import clock
from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.deliveries.rules.outcome import Accepted, DeliveryFailed, Kind, Outgoing
from dhos_connector_api.deliveries.transports.mllp import MOST_ON_A_LINE, MllpTransport
from dhos_connector_api.deliveries.transports.mllp_line import Receiver, tls_context
from dhos_connector_api.errors import BadSetting
from tests.rigs.certificates import Authority, Certificate
from tests.rigs.mllp_receivers import Misbehaving, ack_of, python_hl7, receiving
from tests.rigs.waiting import eventually

DISCARDED = "connector_delivery_answers_discarded_total"
#: What leaves it open whether a message was taken.
OPEN = ("close", "half", "other", "0B within", "empty MSA-2", "no ack", "oversize", "hang", "ZZ")


def oru(control_id: str = "ORU1", *, seconds: float = 10, asks: str = "", note: str = "") -> Outgoing:
    header = f"MSH|^~\\&|DHOS|DHOS|EPR|RBH|20260101000000||ORU^R01^ORU_R01|{control_id}|P|2.6|||{asks}"
    return Outgoing(uuid4(), control_id, f"{header}\rPID|1\r{note}".encode(), "request-7", seconds)


@contextmanager
def sender(port: int, tls: ssl.SSLContext | None = None) -> Iterator[MllpTransport]:
    transport = MllpTransport("test", Receiver("localhost" if tls else "127.0.0.1", port, tls))
    try:
        yield transport
    finally:
        transport.close()


def kind_of(transport: MllpTransport, outgoing: Outgoing) -> Kind:
    """How it fails."""
    with pytest.raises(DeliveryFailed) as caught:
        transport(outgoing)
    return caught.value.kind


def discarded(why: str) -> float:
    """How many answers were discarded for that reason."""
    return REGISTRY.get_sample_value(DISCARDED, {"destination": "test", "why": why}) or 0.0


@pytest.mark.parametrize("order", ["AA", "late", "two", "byte by byte", "junk", "line ends"])
def test_its_own_acknowledgement_is_found_whatever_comes_around_it(order: str) -> None:
    epr = Misbehaving([order, "AA"])
    with receiving(epr) as port, sender(port) as transport:
        assert transport(oru("ORU1")) == Accepted(None, "AA", ack_of("ORU1"))
        assert transport(oru("ORU2")).ack == ack_of("ORU2")
    assert epr.taken == ["ORU1", "ORU2"]


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_is_final_and_leaves_the_connection_in_order(code: str) -> None:
    epr = Misbehaving([code])
    with receiving(epr) as port, sender(port) as transport:
        with pytest.raises(DeliveryFailed) as caught:
            transport(oru())
        assert (caught.value.kind, caught.value.ack_code) == (Kind.PERMANENT, code)
        assert transport(oru("ORU2")).ack_code == "AA"
    assert epr.connections == 1


@pytest.mark.parametrize("order", OPEN)
def test_what_is_not_acknowledged_is_left_open_and_sent_on_a_new_connection(order: str) -> None:
    epr = Misbehaving([order])
    seconds = 0.5 if order in {"hang", "other", "0B within"} else 10
    with receiving(epr) as port, sender(port) as transport:
        assert kind_of(transport, oru(seconds=seconds)) is Kind.AMBIGUOUS
        assert transport(oru()).ack_code == "AA"
    assert (epr.taken, epr.connections) == (["ORU1", "ORU1"], 2)


def test_late_acknowledgements_of_earlier_messages_are_discarded_and_counted() -> None:
    epr = Misbehaving(["two", "late"])
    late, unknown = discarded("late"), discarded("unknown")
    with receiving(epr) as port, sender(port) as transport:
        for number in range(1, 4):
            assert transport(oru(f"ORU{number}")).ack == ack_of(f"ORU{number}")
    assert (discarded("late") - late, discarded("unknown") - unknown) == (1, 1)
    assert epr.connections == 1


def test_a_second_acknowledgement_of_a_message_is_not_taken_for_that_of_its_correction() -> None:
    epr = Misbehaving(["CA", "second", "CA", "AA"])
    with receiving(epr) as port, sender(port) as transport:
        assert transport(oru("ORU1", note="OBX|1")).ack_code == "CA"
        assert transport(oru("ORU2")).ack_code == "AA"
        assert transport(oru("ORU1", note="OBX|2")).ack_code == "CA"
        assert transport(oru("ORU3")).ack_code == "AA"
    assert epr.connections == 2


def test_a_connection_ends_before_its_control_ids_are_too_many_to_be_known() -> None:
    epr = Misbehaving()
    with receiving(epr) as port, sender(port) as transport:
        for number in range(MOST_ON_A_LINE + 1):
            assert transport(oru(f"ORU{number}")).ack_code == "AA"
    assert epr.connections == 2


def test_a_refusal_that_names_no_message_may_be_of_one_that_wanted_no_answer() -> None:
    epr = Misbehaving(["nothing", "refused before", "refused"])
    unknown = discarded("unknown")
    with receiving(epr) as port, sender(port) as transport:
        assert transport(oru("ACK1", asks="NE|NE")) == Accepted()
        assert transport(oru("ORU1")).ack_code == "AA"
        assert discarded("unknown") - unknown == 1
        transport.close()
        assert kind_of(transport, oru("ORU2")) is Kind.PERMANENT


def test_where_only_such_a_refusal_comes_it_is_left_open() -> None:
    epr = Misbehaving(["nothing", "refused", "refused"])
    with receiving(epr) as port, sender(port) as transport:
        transport(oru("ACK1", asks="NE|NE"))
        assert kind_of(transport, oru("ORU1", seconds=0.5)) is Kind.AMBIGUOUS
        assert kind_of(transport, oru("ORU1")) is Kind.PERMANENT
    assert epr.connections == 2


@pytest.mark.parametrize("asks", ["ER|", "ER|NE", "NE|ER", "ER|ER"])
def test_a_message_that_is_answered_only_when_refused_is_never_sent(asks: str) -> None:
    epr = Misbehaving()
    with receiving(epr) as port, sender(port) as transport:
        with pytest.raises(DeliveryFailed) as caught:
            transport(oru(asks=asks))
        assert (caught.value.kind, caught.value.contacted) == (Kind.PERMANENT, False)
        assert transport(oru(asks="SU|NE")).ack_code == "AA"
    assert epr.taken == ["ORU1"]


def test_nothing_is_sent_where_nobody_listens() -> None:
    with sender(free_port()) as transport:
        assert kind_of(transport, oru()) is Kind.TRANSIENT


def test_a_name_that_cannot_be_one_is_no_connection() -> None:
    transport = MllpTransport("test", Receiver("a" * 64 + ".test", 2575))
    assert kind_of(transport, oru()) is Kind.TRANSIENT


def test_a_connection_that_ended_while_idle_leaves_nothing_in_doubt() -> None:
    epr = Misbehaving(["then closes"] * 20)
    with receiving(epr) as port, sender(port) as transport:
        for number in range(20):
            assert transport(oru(f"ORU{number}")).ack_code == "AA"
            line = transport._line
            assert line is not None
            eventually(lambda: transport._stands(line) is False)  # noqa: B023
    assert len(epr.taken) == 20, "none was sent twice"


def test_framing_bytes_in_a_message_are_never_sent() -> None:
    epr = Misbehaving()
    with receiving(epr) as port, sender(port) as transport:
        for note in ("OBX|\x0b", "OBX|\x1c\rMSH|"):
            assert kind_of(transport, oru(note=note)) is Kind.PERMANENT
    assert epr.connections == 0


def test_a_message_that_asks_for_no_acknowledgement_is_delivered_when_it_is_written() -> None:
    epr = Misbehaving(["hang"])
    with receiving(epr) as port, sender(port) as transport:
        assert transport(oru("ORU1", asks="NE|NE")) == Accepted()
        eventually(lambda: epr.taken == ["ORU1"])


def test_one_message_is_in_flight_however_many_threads_send() -> None:
    epr = Misbehaving()
    with receiving(epr) as port, sender(port) as transport:
        threads = [threading.Thread(target=transport, args=(oru(f"ORU{n}"),)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(set(epr.taken)), epr.connections) == (20, 1)


def test_who_finds_the_connection_in_use_all_the_time_has_sent_nothing() -> None:
    epr = Misbehaving(["hang"])
    with receiving(epr) as port, sender(port) as transport:
        first = threading.Thread(target=kind_of, args=(transport, oru("ORU1", seconds=20)))
        first.start()
        eventually(lambda: epr.taken == ["ORU1"])
        assert kind_of(transport, oru("ORU2", seconds=0.1)) is Kind.TRANSIENT
        epr.go_on.set()
        first.join()
    assert epr.taken == ["ORU1"]


def test_one_deadline_holds_for_a_receiver_that_takes_nothing() -> None:
    epr = Misbehaving(["hang"])
    with receiving(epr) as port, sender(port) as transport:
        began = clock.monotonic()
        assert kind_of(transport, oru("ORU1", seconds=0.3)) is Kind.AMBIGUOUS
        epr.orders.append("hang")
        assert kind_of(transport, oru("ORU2", note="NTE|" + "x" * 40_000_000, seconds=0.3)) is Kind.AMBIGUOUS
        assert clock.monotonic() - began < 20


def test_a_thousand_messages_go_over_one_connection_to_python_hl7() -> None:
    with python_hl7() as server, sender(server.port) as transport:
        for number in range(1000):
            assert transport(oru(f"ORU{number}")).ack_code == "AA"
    assert server.taken == [f"ORU{number}" for number in range(1000)]
    assert server.connections == 1


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("hospital"), "hospital")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


def server_tls(own: Certificate, client_ca: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.file, own.key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_a_receiver_with_the_right_certificate_gets_messages_and_others_do_not(
    hospital: Authority, stranger: Authority
) -> None:
    epr = Misbehaving()
    good, elsewhere, unknown = (
        hospital.issue("localhost", "DNS:localhost"),
        hospital.issue("elsewhere", "DNS:elsewhere.test"),
        stranger.issue("localhost", "DNS:localhost"),
    )
    trusting = tls_context(hospital.own.file, None, None)
    with receiving(epr, server_tls(good)) as port, sender(port, trusting) as transport:
        assert [transport(oru(f"ORU{n}")).ack_code for n in range(3)] == ["AA"] * 3
    assert epr.connections == 1
    for wrong in (elsewhere, unknown):
        with receiving(epr, server_tls(wrong)) as port, sender(port, trusting) as transport:
            assert kind_of(transport, oru("SECRET")) is Kind.TRANSIENT
    with receiving(epr) as port, sender(port, trusting) as transport:
        assert kind_of(transport, oru("SECRET", seconds=1)) is Kind.TRANSIENT
    assert "SECRET" not in epr.taken


def test_our_own_certificate_lets_us_in_and_a_wrong_one_or_none_does_not(
    hospital: Authority, stranger: Authority
) -> None:
    own = hospital.issue("localhost", "DNS:localhost")
    ours, theirs = hospital.issue("connector"), stranger.issue("connector")
    epr = Misbehaving()
    with receiving(epr, server_tls(own, hospital.own.file)) as port:
        with sender(port, tls_context(hospital.own.file, ours.file, ours.key)) as transport:
            assert transport(oru("ORU1")).ack_code == "AA"
        for certificate in (theirs, None):
            files = (certificate.file, certificate.key) if certificate else (None, None)
            with sender(port, tls_context(hospital.own.file, *files)) as transport:
                kind_of(transport, oru("ORU2"))
    assert epr.taken == ["ORU1"]


def test_files_that_are_no_certificates_stop_the_start(hospital: Authority, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    own = hospital.own.file
    for files in (
        (tmp_path / "none.pem", None, None),
        (tmp_path / "missing.pem", None, None),
        (own, own, own),
        (own, tmp_path / "none.pem", hospital.own.key),
    ):
        with pytest.raises(BadSetting):
            tls_context(*files)
