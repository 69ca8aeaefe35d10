"""MLLP over TLS: who is let in, by which certificate, and for which sender."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.hl7v2.framing import framed
from dhos_connector_api.mllp.active_listener import TLS_BYTES
from dhos_connector_api.mllp.answering import FrameAnswerer
from dhos_connector_api.mllp.server import Server
from dhos_connector_api.mllp.terms import Sender, Tls
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE
from tests.builders.mllp import Client, Memory, Running, listener, msa, serving
from tests.rigs.certificates import Authority, Certificate
from tests.rigs.waiting import eventually


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "hospital")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A client's certificate by an authority nobody here knows."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger").issue("epr", "DNS:epr.test")


def _tls(authority: Authority, *, client_certificate: str | None = "required") -> Tls:
    own = authority.issue("localhost", "DNS:localhost", "IP:127.0.0.1")
    if client_certificate is None:
        return Tls(own.file, own.key)
    return Tls(own.file, own.key, authority.own.file, client_certificate)


def _wrap(
    authority: Authority,
    certificate: Certificate | None = None,
    most: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
) -> Callable[[socket.socket], socket.socket]:
    """A client's side of TLS."""
    context = ssl.create_default_context(cafile=str(authority.own.file))
    context.maximum_version = most
    if certificate is not None:
        context.load_cert_chain(certificate.file, certificate.key)
    return lambda plain: context.wrap_socket(plain, server_hostname="localhost")


def _code(running: Running, wrap: Callable[[socket.socket], socket.socket]) -> str:
    """MSA-1 of what a message gets, or `out`."""
    try:
        with Client(running.port, wrap=wrap) as client:
            return msa(client.ask(adt()))[0]
    except OSError:
        return "out"


@contextmanager
def _serving(database: Database, tls: Tls, **changes: Any) -> Iterator[Running]:
    with serving(FrameAnswerer(database, lambda: INTAKE).answer, tls=tls, **changes) as running:
        yield running


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_with_the_right_certificate_is_let_in_and_others_are_not(
    database: Database, authority: Authority, stranger: Certificate, most: ssl.TLSVersion
) -> None:
    with _serving(database, _tls(authority)) as running:
        assert _code(running, _wrap(authority, authority.issue("epr"), most)) == "AA"
        assert _code(running, _wrap(authority, stranger, most)) == "out"
        assert _code(running, _wrap(authority, None, most)) == "out"
        assert _code(running, lambda plain: plain) == "out"
        assert _code(running, _wrap(authority, authority.issue("epr"), most)) == "AA"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_1_1_is_not_spoken(database: Database, authority: Authority) -> None:
    with _serving(database, _tls(authority, client_certificate=None)) as running:
        assert _code(running, _wrap(authority, None, ssl.TLSVersion.TLSv1_1)) == "out"
        assert _code(running, _wrap(authority)) == "AA"


@pytest.mark.parametrize(
    ("common_name", "alternatives", "expected"),
    [
        ("epr.test", (), "AA"),
        ("EPR-7", ("DNS:EPR.test", "URI:urn:x"), "AA"),
        ("lab.test", ("DNS:lab.test",), "AR"),
        ("CERNER", (), "AR"),
    ],
)
def test_a_sender_is_known_by_a_name_in_its_certificate(
    database: Database, authority: Authority, common_name: str, alternatives: tuple[str, ...], expected: str
) -> None:
    senders = (Sender("CERNER", "OXON", certificate="epr.test"), Sender("LAB", certificate="lab.test"))
    with _serving(database, _tls(authority), senders=senders) as running:
        assert _code(running, _wrap(authority, authority.issue(common_name, *alternatives))) == expected


def test_where_a_certificate_is_optional_it_still_counts(
    database: Database, authority: Authority, stranger: Certificate
) -> None:
    senders = (Sender("CERNER", certificate="epr.test"),)
    with _serving(database, _tls(authority, client_certificate="optional"), senders=senders) as running:
        assert _code(running, _wrap(authority, stranger)) == "out"
        assert _code(running, _wrap(authority, authority.issue("epr.test"))) == "AA"
        assert _code(running, _wrap(authority)) == "AR"


def test_pipelined_messages_over_tls_are_answered_and_the_end_drains(authority: Authority) -> None:
    memory = Memory()
    with serving(memory.answer, tls=_tls(authority)) as running:
        client = Client(running.port, wrap=_wrap(authority, authority.issue("epr")))
        client.send(b"".join(framed(adt()) for _ in range(100)))
        assert [msa(client.receive())[0] for _ in range(100)] == ["AA"] * 100
        running.drain()
        assert client.rest() == b""
        client.close()


def test_handshakes_that_are_never_finished_are_bounded(authority: Authority) -> None:
    with serving(Memory().answer, tls=_tls(authority), connections=10, frame_timeout=0.5) as running:
        silent = [Client(running.port) for _ in range(10)]
        with Client(running.port) as one_more:
            assert one_more.rest() == b""
        for peer in silent:
            assert peer.rest() == b""
            peer.close()
        assert _code(running, _wrap(authority, authority.issue("epr"))) == "AA"


def test_what_tls_takes_is_counted_from_the_handshake_on_and_given_back(authority: Authority) -> None:
    with serving(Memory().answer, tls=_tls(authority)) as running:

        def held() -> object:
            return running.call(lambda: running.server.held)

        with Client(running.port), Client(running.port, wrap=_wrap(authority, authority.issue("epr"))) as one:
            assert msa(one.ask(adt()))[0] == "AA"
            eventually(lambda: held() == 2 * TLS_BYTES)
        assert _code(running, lambda plain: plain) == "out"
        eventually(lambda: held() == 0)


def test_without_tls_nothing_is_counted_for_it() -> None:
    with serving(Memory().answer) as running, Client(running.port) as client:
        assert msa(client.ask(adt()))[0] == "AA"
        assert running.call(lambda: running.server.held) == 0


def test_files_that_cannot_be_used_stop_the_start(authority: Authority, tmp_path: Path) -> None:
    own = authority.issue("localhost")
    wrong = Tls(own.file, authority.own.key)
    with pytest.raises(BadSetting) as caught:
        Server([listener(name="epr", tls=wrong)], Memory().answer)
    assert caught.value.text == "MLLP_LISTENERS: certificate, key or client_ca of epr cannot be used"
